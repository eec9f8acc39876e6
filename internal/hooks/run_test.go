package hooks

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// execs is an LXD whose Exec is a function.
type execs func(ctx context.Context, n int, spec fleet.ExecSpec) (int, error)

type fakeLXD struct {
	f execs
	n int
}

func (l *fakeLXD) Exec(ctx context.Context, _ string, spec fleet.ExecSpec) (int, error) {
	l.n++
	return l.f(ctx, l.n, spec)
}

func (l *fakeLXD) ConsoleLog(context.Context, string) ([]byte, error) { return []byte("console"), nil }

func hang(ctx context.Context) (int, error) { <-ctx.Done(); return -1, context.Cause(ctx) }

func TestRun(t *testing.T) {
	tests := []struct {
		name    string
		f       execs
		exit    int
		code    fleet.Code // of the error; empty: none
		printed string
		took    time.Duration
		runs    int
	}{
		{"ends", func(_ context.Context, _ int, s fleet.ExecSpec) (int, error) {
			fmt.Fprintf(s.Stdout, "hello\n%s3\n", endMark)
			return 3, nil
		}, 3, "", "hello\n", 0, 1},
		{"ends, and LXD does not say so", func(ctx context.Context, _ int, s fleet.ExecSpec) (int, error) {
			fmt.Fprintf(s.Stdout, "hello\n%s7\n", endMark)
			return hang(ctx)
		}, 7, "", "hello\n", afterEnd, 1},
		{
			"never ends", func(ctx context.Context, _ int, _ fleet.ExecSpec) (int, error) { return hang(ctx) },
			-1, fleet.Failed, "", firstTime + lastTime, 2,
		},
		{"ends when run once more", func(ctx context.Context, n int, s fleet.ExecSpec) (int, error) {
			if n == 1 {
				return hang(ctx)
			}
			_, err := fmt.Fprint(s.Stderr, "no line")
			return 0, err
		}, 0, "", "no line", firstTime, 2},
		{"LXD refuses", func(context.Context, int, fleet.ExecSpec) (int, error) {
			return -1, fleet.Errorf(fleet.Conflict, "not running")
		}, -1, fleet.Conflict, "", 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				lxd, began := &fakeLXD{f: tt.f}, time.Now()
				exit, err := Run(t.Context(), lxd, "acme", Command{Args: []string{"hook"}, Output: &out})
				if exit != tt.exit || (err != nil) != (tt.code != "") || err != nil && fleet.CodeOf(err) != tt.code {
					t.Errorf("exit %d, %v", exit, err)
				}
				if out.String() != tt.printed || time.Since(began) != tt.took || lxd.n != tt.runs {
					t.Errorf("%q after %s in %d runs", out.String(), time.Since(began), lxd.n)
				}
				synctest.Wait()
				time.Sleep(time.Minute) // timers end
			})
		})
	}
}

func TestRunHonoursItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		lxd := &fakeLXD{f: func(ctx context.Context, _ int, _ fleet.ExecSpec) (int, error) { return hang(ctx) }}
		if _, err := Run(ctx, lxd, "acme", Command{Output: io.Discard}); err == nil || lxd.n != 1 {
			t.Errorf("%v after %d runs", err, lxd.n)
		}
	})
}

// The end is told by a real shell, with the command's own exit code.
func TestEndScript(t *testing.T) {
	for _, code := range []int{0, 1, 77} {
		script := fmt.Sprintf("echo out; echo err >&2; exit %d", code)
		var out strings.Builder
		l := &listener{to: &out, told: func() {}}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", endScript, "sh", "sh", "-c", script)
		cmd.Stdout, cmd.Stderr = l, l
		_ = cmd.Run()
		l.flush()
		if told, ended := l.exit(); !ended || told != code || cmd.ProcessState.ExitCode() != code {
			t.Errorf("told %d, %t; ended with %d, want %d", told, ended, cmd.ProcessState.ExitCode(), code)
		}
		if got := out.String(); !strings.Contains(got, "out\n") || !strings.Contains(got, "err\n") || strings.Contains(got, endMark) {
			t.Errorf("printed %q", got)
		}
	}
}

// However the output is cut into writes, all but the mark's line arrives, in order.
func FuzzListener(f *testing.F) {
	f.Add("hello\n"+endMark+"0\n", 3)
	f.Add("x"+endMark+"0\nrest", 1)
	f.Add(endMark+"1\n"+endMark+"2\n", 5)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = max(1, size%64)
		var out strings.Builder
		told := 0
		l := &listener{to: &out, told: func() { told++ }}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := io.WriteString(l, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		l.flush()
		want := text
		if code, ended := l.exit(); ended {
			var kept strings.Builder
			dropped := false
			for line := range strings.Lines(text) {
				if n, ok := strings.CutPrefix(line, endMark); ok && !dropped && strings.HasSuffix(n, "\n") {
					var c int
					if _, err := fmt.Sscanf(n, "%d\n", &c); err == nil && c == code {
						dropped = true
						continue
					}
				}
				kept.WriteString(line)
			}
			want = kept.String()
		}
		if out.String() != want || told > 1 {
			t.Fatalf("%q became %q", text, out.String())
		}
	})
}
