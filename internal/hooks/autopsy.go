package hooks

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Autopsy writes what an instance can say of why its application is not well: the journal, or
// the console where there is no journal. It takes at most 20 s; what cannot be read is said.
func Autopsy(ctx context.Context, lxd LXD, instance string, out io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, _ = fmt.Fprintf(out, "Units of %s that failed, and the end of its journal:\n", instance)
	exit, err := lxd.Exec(ctx, instance, fleet.ExecSpec{
		Command: []string{"sh", "-c", "systemctl --failed --no-pager --plain; journalctl --no-pager -n 300"},
		Env:     map[string]string{"SYSTEMD_COLORS": "0", "LANG": "C.UTF-8"},
		Stdout:  out, Stderr: out,
	})
	if err == nil && exit == 0 {
		return
	}
	_, _ = fmt.Fprintf(out, "The journal of %s cannot be read. Its console:\n", instance)
	console, err := lxd.ConsoleLog(ctx, instance)
	if err != nil {
		_, _ = fmt.Fprintf(out, "The console of %s cannot be read either: %v\n", instance, err)
		return
	}
	_, _ = out.Write(console)
}
