package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// daemon serves f and gives a client for it.
func daemon(t *testing.T, f *apifake.Fleet, o api.Options) (*client.Daemon, *api.Server) {
	t.Helper()
	socket, s := apifake.Serve(t, o)
	d, err := client.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.CloseIdle)
	return d, s
}

// next reads the stream's next message.
func reader(t *testing.T, body io.ReadCloser) (next func() client.Message) {
	t.Helper()
	messages := make(chan client.Message)
	go func() {
		defer close(messages)
		for m, err := range client.Messages(body) {
			if err != nil {
				return
			}
			messages <- m
		}
	}()
	t.Cleanup(func() {
		_ = body.Close()
		for range messages {
			continue
		}
	})
	return func() client.Message {
		t.Helper()
		select {
		case m := <-messages:
			return m
		case <-time.After(10 * time.Second):
			t.Fatal("no message came")
			return client.Message{}
		}
	}
}

func TestEventsAreFilteredAndResumed(t *testing.T) {
	f := apifake.New()
	o := f.Options(t.TempDir())
	o.KeepAlive = time.Millisecond // comments come between all events
	d, _ := daemon(t, f, o)
	body, err := client.Open(d.StreamEvents(t.Context(), &client.StreamEventsParams{Type: []string{"tenant."}}))
	if err != nil {
		t.Fatal(err)
	}
	next := reader(t, body)
	o.Feed.Publish(fleet.Event{Type: "job.changed", Subject: "job/1"})
	o.Feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/acme", Data: map[string]string{"a": "b"}})
	first := next()
	if first.Name != "tenant.changed" || !strings.Contains(first.Data, `"subject":"tenant/acme"`) || first.ID == "" {
		t.Fatalf("%+v", first)
	}
	o.Feed.Publish(fleet.Event{Type: "tenant.removed", Subject: "tenant/acme"})
	if m := next(); m.Name != "tenant.removed" {
		t.Fatalf("%+v", m)
	}

	body, err = client.Open(d.StreamEvents(t.Context(), &client.StreamEventsParams{LastEventID: first.ID, Subject: "tenant/acme"}))
	if err != nil {
		t.Fatal(err)
	}
	if m := reader(t, body)(); m.Name != "tenant.removed" {
		t.Errorf("%+v", m)
	}
	body, err = client.Open(d.StreamEvents(t.Context(), &client.StreamEventsParams{LastEventID: "old-1"}))
	if err != nil {
		t.Fatal(err)
	}
	if m := reader(t, body)(); m.Name != "resync" {
		t.Errorf("%+v", m)
	}
}

func TestFollowSeesEveryEventAcrossARestart(t *testing.T) {
	f := apifake.New()
	f.Jobs.Hold()
	job, err := f.Jobs.Submit("image.build", "image/x", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	o := f.Options(t.TempDir())
	d, s := daemon(t, f, o)
	socket := d.Socket()
	var steps []string
	restarted := false
	got, err := d.Follow(t.Context(), job.ID, func(e client.JobEvent) {
		steps = append(steps, string(e.Type)+" "+e.Step+e.Message)
		switch {
		case e.Step == "work" && !restarted:
			restarted = true
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error("shutdown with a stream open:", err)
			}
			f.Jobs.Add(job.ID, fleet.JobEvent{Type: fleet.EventOutput, Message: "while away\nsecond line"})
			serveAgain(t, socket, o)
		case e.Type == "output":
			f.Jobs.Finish(job.ID, fleet.JobUndone, fleet.Errorf(fleet.Failed, "no"))
		}
	})
	if err != nil || got.State != "undone" || got.ErrorCode != "failed" {
		t.Errorf("%+v %v", got, err)
	}
	if want := "state running|started work|output while away\nsecond line|state undone"; strings.Join(steps, "|") != want {
		t.Errorf("got %q", steps)
	}
}

func serveAgain(t *testing.T, socket string, o api.Options) {
	t.Helper()
	ln, err := api.Listen(t.Context(), socket, "")
	if err != nil {
		t.Error(err)
		return
	}
	s, err := api.New(o)
	if err != nil {
		t.Error(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(context.Background()), <-ended); err != nil {
			t.Error(err)
		}
	})
}

func TestFollowGivesUpOnADaemonThatStaysAway(t *testing.T) {
	d, err := client.New(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	d.Patience = 0
	if _, err := d.Follow(t.Context(), "x", nil); !errors.Is(err, client.ErrUnreachable) {
		t.Error(err)
	}
}

func TestLogsFollowUntilTheClientLeaves(t *testing.T) {
	f := apifake.New()
	d, _ := daemon(t, f, f.Options(t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, err := client.Open(d.GetTenantLogs(ctx, "acme", &client.GetTenantLogsParams{Follow: true}))
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := body.Read(line)
	if err != nil || string(line[:n]) != "systemd[1]: Started nginx.\n" {
		t.Errorf("%q %v", line[:n], err)
	}
	cancel() // Serve's clean-up fails if the handler stays
	_ = body.Close()
	if calls := f.Calls(); len(calls) != 1 || calls[0] != "Logs acme {Lines:100 Unit: Follow:true}" {
		t.Error(calls)
	}
}

func TestExec(t *testing.T) {
	f := apifake.New()
	f.Tenants.Command = func(ctx context.Context, spec fleet.ExecSpec) (int, error) {
		switch spec.Command[0] {
		case "cat":
			_, err := io.Copy(spec.Stdout, spec.Stdin)
			return 0, err
		case "size":
			size := <-spec.Resize
			_, err := io.WriteString(spec.Stderr, spec.Env["TERM"]+" "+strings.Repeat("x", size[0]))
			return 3, err
		case "sleep":
			<-ctx.Done()
			return 0, ctx.Err()
		case "true": // reads none of its input
			return 0, nil
		}
		return 0, fleet.Errorf(fleet.Conflict, "the instance is stopped").WithHint("start it")
	}
	o := f.Options(t.TempDir())
	o.KeepAlive = time.Millisecond
	d, s := daemon(t, f, o)
	run := func(ctx context.Context, in io.Reader, sizes <-chan client.ExecControl, start client.ExecStart) (out, errs string, exit int, err error) {
		var stdout, stderr bytes.Buffer
		exit, err = d.Exec(ctx, "acme", start, client.Streams{Stdin: in, Stdout: &stdout, Stderr: &stderr, Resize: sizes})
		return stdout.String(), stderr.String(), exit, err
	}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	if out, _, exit, err := run(t.Context(), strings.NewReader(big), nil, client.ExecStart{Command: []string{"cat"}}); out != big || exit != 0 || err != nil {
		t.Errorf("cat gave %d bytes, %d, %v", len(out), exit, err)
	}
	if out, _, _, err := run(t.Context(), nil, nil, client.ExecStart{Command: []string{"cat"}}); out != "" || err != nil {
		t.Errorf("cat of nothing: %q %v", out, err)
	}
	if _, _, exit, err := run(t.Context(), strings.NewReader(big), nil, client.ExecStart{Command: []string{"true"}}); exit != 0 || err != nil {
		t.Errorf("true: %d %v", exit, err)
	}
	sizes := make(chan client.ExecControl, 1)
	sizes <- client.ExecControl{Width: 4, Height: 2}
	start := client.ExecStart{Command: []string{"size"}, Tty: true, Env: map[string]string{"TERM": "xterm"}}
	if _, errs, exit, err := run(t.Context(), nil, sizes, start); errs != "xterm xxxx" || exit != 3 || err != nil {
		t.Errorf("size: %q %d %v", errs, exit, err)
	}
	if _, _, _, err := run(t.Context(), nil, nil, client.ExecStart{Command: []string{"bad"}}); fleet.CodeOf(err) != fleet.Conflict || !strings.Contains(err.Error(), "(start it)") {
		t.Errorf("bad: %v", err)
	}
	if _, _, _, err := run(t.Context(), nil, nil, client.ExecStart{}); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("no command: %v", err)
	}
	if _, err := d.Exec(t.Context(), "nobody", start, client.Streams{}); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("no tenant: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, _, err := run(ctx, nil, nil, client.ExecStart{Command: []string{"sleep"}}); err == nil {
		t.Error("a command went on after its context")
	}
	// A client that leaves is noticed even while its input is stuck in the command.
	left := make(chan struct{})
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	f.Tenants.Command = func(command context.Context, _ fleet.ExecSpec) (int, error) {
		cancel()
		<-command.Done()
		close(left)
		return 0, command.Err()
	}
	if _, _, _, err := run(ctx, strings.NewReader(big), nil, start); err == nil {
		t.Error("a command went on after its context")
	}
	<-left
	stopped := make(chan error, 1)
	begun := make(chan struct{})
	f.Tenants.Command = func(ctx context.Context, _ fleet.ExecSpec) (int, error) {
		close(begun)
		<-ctx.Done()
		return 0, ctx.Err()
	}
	go func() {
		_, _, _, err := run(context.WithoutCancel(t.Context()), nil, nil, start)
		stopped <- err
	}()
	<-begun
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error("shutdown with a command running:", err)
	}
	if err := <-stopped; err == nil {
		t.Error("the command outlived the server")
	}
}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s")
	ln, err := api.Listen(t.Context(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := api.Listen(t.Context(), path, ""); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("listening twice: %v", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // as after a kill
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if ln, err = api.Listen(t.Context(), path, ""); err != nil {
		t.Fatalf("a stale socket is in the way: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Listen(t.Context(), path, ""); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("over a file: %v", err)
	}
	if data, err := os.ReadFile(path); string(data) != "mine" || err != nil {
		t.Errorf("the file was touched: %q %v", data, err)
	}
	if _, err := api.Listen(t.Context(), path, "no-such-group"); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("unknown group: %v", err)
	}
}
