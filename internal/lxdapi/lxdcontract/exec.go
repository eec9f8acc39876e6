package lxdcontract

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/pace"
)

func (s *suite) testExec(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 1)
	_, err := s.lxd.Exec(ctx, "acme", fleet.ExecSpec{Command: []string{"true"}})
	code(t, err, fleet.Conflict)
	_, err = s.lxd.Exec(ctx, "nobody", fleet.ExecSpec{Command: []string{"true"}})
	code(t, err, fleet.NotFound)
	ok(t, s.lxd.EnsureStarted(ctx, "acme"))
	for _, c := range []struct {
		name                 string
		command              []string
		exit                 int
		stdout, stderr, more string
	}{
		{name: "nothing", command: []string{"true"}},
		{name: "both streams", command: []string{"sh", "-c", "echo out; echo err >&2"}, stdout: "out\n", stderr: "err\n"},
		{name: "environment", command: []string{"sh", "-c", "echo $LXDFLEET_TENANT"}, stdout: "acme\n"},
		{name: "exit code", command: []string{"sh", "-c", "echo bad >&2; exit 3"}, exit: 3, stderr: "bad\n"},
		{name: "no such command", command: []string{"no-such-command"}, exit: 127},
		{name: "ended by a signal", command: []string{"sh", "-c", "kill -9 $$"}, exit: 137},
		{name: "no input", command: []string{"cat"}},
	} {
		var stdout, stderr bytes.Buffer
		exit, err := s.lxd.Exec(ctx, "acme", fleet.ExecSpec{
			Command: c.command, Env: map[string]string{"LXDFLEET_TENANT": "acme"}, Stdout: &stdout, Stderr: &stderr,
		})
		if err != nil || exit != c.exit || stdout.String() != c.stdout || c.exit != 127 && stderr.String() != c.stderr {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, error %v", c.name, exit, stdout.String(), stderr.String(), err)
		}
	}
}

// testExecMuchOutput: no deadlock and nothing lost, also where nobody wants the output or the
// writer refuses it. The instance is on the member that answers us: LXD 5.0 loses the end of
// stderr where it passes it on from another.
func (s *suite) testExecMuchOutput(t *testing.T) {
	const size = 20 << 20
	server, err := s.lxd.Server(t.Context())
	ok(t, err)
	s.started(t, "acme", slices.Index(s.members, server.Member))
	command := []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/zero & head -c %d /dev/zero >&2; wait", size, size)}
	var stdout, stderr counter
	exit, err := s.lxd.Exec(t.Context(), "acme", fleet.ExecSpec{Command: command, Stdout: &stdout, Stderr: &stderr})
	if err != nil || exit != 0 || stdout != size || stderr != size {
		t.Errorf("exit %d, %d and %d bytes, error %v", exit, stdout, stderr, err)
	}
	exit, err = s.lxd.Exec(t.Context(), "acme", fleet.ExecSpec{Command: command})
	if err != nil || exit != 0 {
		t.Errorf("dropped output: exit %d, error %v", exit, err)
	}
	_, err = s.lxd.Exec(t.Context(), "acme", fleet.ExecSpec{Command: command, Stdout: refusing{}})
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that refuses: error %v", err)
	}
	for range 20 { // all output is there when Exec returns
		var out bytes.Buffer
		_, err := s.lxd.Exec(t.Context(), "acme", fleet.ExecSpec{Command: []string{"sh", "-c", "head -c 100000 /dev/zero; echo end"}, Stdout: &out})
		if err != nil || !strings.HasSuffix(out.String(), "end\n") || out.Len() != 100004 {
			t.Fatalf("%d bytes, error %v", out.Len(), err)
		}
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func (s *suite) testExecInput(t *testing.T) {
	s.started(t, "acme", 1)
	input := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	sum := sha256.New()
	exit, err := s.lxd.Exec(t.Context(), "acme", fleet.ExecSpec{
		Command: []string{"cat"}, Stdin: bytes.NewReader(input), Stdout: sum,
	})
	want := sha256.Sum256(input)
	if err != nil || exit != 0 || !bytes.Equal(sum.Sum(nil), want[:]) {
		t.Errorf("cat: exit %d, error %v, another content", exit, err)
	}
	// A command that does not read its input ends all the same.
	block, never := io.Pipe()
	defer func() { _ = never.Close() }()
	exit, err = s.lxd.Exec(t.Context(), "acme", fleet.ExecSpec{Command: []string{"true"}, Stdin: block})
	if err != nil || exit != 0 {
		t.Errorf("true: exit %d, error %v", exit, err)
	}
}

func (s *suite) testExecTerminal(t *testing.T) {
	s.started(t, "acme", 2)
	input, typed := io.Pipe()
	defer func() { _ = typed.Close() }()
	var screen screen
	sizes := make(chan [2]int)
	go func() { // type when the prompt is there, as a person would
		if screen.waitFor(t, "ready 24 80") {
			sizes <- [2]int{132, 50}
		}
		for range 200 {
			_, _ = io.WriteString(typed, "stty size; test \"$(stty size)\" = '50 132' && exit 7\n")
			time.Sleep(20 * time.Millisecond)
			if screen.has("50 132\r\n") {
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), pace.Of(20*time.Second))
	defer cancel()
	exit, err := s.lxd.Exec(ctx, "acme", fleet.ExecSpec{
		Command: []string{"sh", "-c", "echo ready $(stty size); exec sh"},
		TTY:     true, Width: 80, Height: 24, Stdin: input, Stdout: &screen, Resize: sizes,
	})
	if err != nil || exit != 7 {
		t.Errorf("exit %d, error %v, screen %q", exit, err, screen.text())
	}
}

// screen collects what a terminal shows.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func (s *screen) has(text string) bool { return strings.Contains(s.text(), text) }

func (s *screen) waitFor(t *testing.T, text string) bool {
	for range 1000 {
		if s.has(text) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%q does not appear in %q", text, s.text())
	return false
}

func (s *suite) testExecCancelled(t *testing.T) {
	s.started(t, "acme", 1)
	mark := fmt.Sprintf("sleep 61.%d", time.Now().UnixNano()) // no other process is called so
	for _, tty := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		var out screen
		go func() {
			out.waitFor(t, "begun")
			cancel()
		}()
		start := time.Now()
		input, typed := io.Pipe()
		exit, err := s.lxd.Exec(ctx, "acme", fleet.ExecSpec{
			Command: []string{"sh", "-c", "echo begun; exec " + mark}, Stdin: input, Stdout: &out,
			TTY: tty, Width: 80, Height: 24,
		})
		_ = typed.Close()
		if !errors.Is(err, context.Canceled) || exit != -1 || time.Since(start) > pace.Of(15*time.Second) {
			t.Errorf("tty %v: exit %d, error %v after %s", tty, exit, err, time.Since(start))
		}
	}
	eventually(t, func() error { // the command is killed
		exit, err := s.lxd.Exec(t.Context(), "acme", fleet.ExecSpec{Command: []string{
			"sh", "-c", "for f in /proc/[0-9]*/cmdline; do if tr '\\0' ' ' <$f 2>/dev/null | grep -qx '" + mark + " '; then exit 1; fi; done",
		}})
		if err == nil && exit != 0 {
			err = errors.New("the command still runs")
		}
		return err
	})
}
