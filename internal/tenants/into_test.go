package tenants

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestExec(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		var out bytes.Buffer
		exit, err := w.service.Exec(t.Context(), "acme", fleet.ExecSpec{Command: []string{"id", "-u"}, Stdout: &out})
		if err != nil || exit != 0 || out.String() != "ran id -u in acme\n" {
			t.Errorf("exit %d, %v, %q", exit, err, out.String())
		}
		_, err = w.service.Exec(t.Context(), "acme", fleet.ExecSpec{})
		wantError(t, err, fleet.Invalid, "command")
		_, err = w.service.Exec(t.Context(), "nobody", fleet.ExecSpec{Command: []string{"id"}})
		wantError(t, err, fleet.NotFound, "")
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{}))
		_, err = w.service.Exec(t.Context(), "acme", fleet.ExecSpec{Command: []string{"id"}})
		wantError(t, err, fleet.Conflict, "", "tenant start acme")
	})
}

func TestLogs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		logs := func(req LogRequest) (string, error) {
			var out bytes.Buffer
			err := w.service.Logs(t.Context(), "acme", req, &out)
			return out.String(), err
		}
		for want, req := range map[string]LogRequest{
			"ran journalctl --no-pager -n 100 in acme\n":              {},
			"ran journalctl --no-pager -n 5 -u nginx in acme\n":       {Lines: 5, Unit: "nginx"},
			"ran journalctl --no-pager -n 100 -u a@b.service -f in a": {Unit: "a@b.service", Follow: true},
		} {
			if got, err := logs(req); err != nil || !strings.HasPrefix(got, want) {
				t.Errorf("%+v: %q, %v", req, got, err)
			}
		}
		_, err := logs(LogRequest{Unit: "-f"})
		wantError(t, err, fleet.Invalid, "unit")
		_, err = logs(LogRequest{Unit: "a b"})
		wantError(t, err, fleet.Invalid, "unit")
		_, err = logs(LogRequest{Lines: -1})
		wantError(t, err, fleet.Invalid, "lines")
		w.lxd.SetExec(func(context.Context, string, fleet.ExecSpec) (int, error) { return 127, nil })
		_, err = logs(LogRequest{})
		wantError(t, err, fleet.Failed, "", "exit code 127")
		w.lxd.SetConsoleLog("acme", []byte("reboot: System halted\n"))
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{}))
		if got, err := logs(LogRequest{}); err != nil || got != "reboot: System halted\n" {
			t.Errorf("of a stopped tenant: %q, %v", got, err)
		}
	})
}

func TestLogsFollowUntilTheReaderLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.lxd.SetExec(func(ctx context.Context, _ string, _ fleet.ExecSpec) (int, error) {
			<-ctx.Done()
			return -1, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.service.Logs(ctx, "acme", LogRequest{Follow: true}, &bytes.Buffer{}); err != nil {
			t.Errorf("the end of following is an error: %v", err)
		}
	})
}
