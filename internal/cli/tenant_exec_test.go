package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestExecPassesStreamsAndExitCode(t *testing.T) {
	b := newBench(t)
	b.in = strings.NewReader("from stdin")
	b.Tenants.Command = func(_ context.Context, spec fleet.ExecSpec) (int, error) {
		if _, err := io.Copy(spec.Stdout, spec.Stdin); err != nil {
			return 0, err
		}
		_, err := fmt.Fprintf(spec.Stderr, "%q tty %v term %v %dx%d A=%s", spec.Command, spec.TTY, spec.Env["TERM"] != "", spec.Width, spec.Height, spec.Env["A"])
		return 42, err
	}
	r := b.run("tenant", "exec", "acme", "--env", "A=b=c", "--", "sh", "-c", "exit 42")
	if r.exit != 42 || r.out != "from stdin" || r.err != `["sh" "-c" "exit 42"] tty false term false 0x0 A=b=c` {
		t.Errorf("%v", r)
	}
	b.in = strings.NewReader("")
	if r := b.run("tenant", "exec", "-t", "acme", "--", "top"); r.err != `["top"] tty true term true 80x24 A=` {
		t.Errorf("%v", r)
	}
}

func TestTerminalIsNotSteered(t *testing.T) {
	b := newBench(t)
	b.Tenants.Command = nil
	b.Fail("Get", fleet.Errorf(fleet.Failed, "hook said \x1b[2J\x07\u009b31m"))
	if r := b.run("tenant", "show", "acme"); strings.ContainsAny(r.err, "\x1b\x07\u009b") {
		t.Errorf("%q", r.err)
	}
}
