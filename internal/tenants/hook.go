package tenants

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/hooks"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// addressMark starts the lines in which hookScript tells addresses.
const addressMark = "lxdfleet-address: "

// hookScript runs the hook, if there is one, and then tells the instance's addresses: that
// spares a call to LXD for them, for which LXD would start a helper process each time. It
// waits up to 5 s for an IPv4 address, and tells what there is then.
const hookScript = `if [ -x "$1" ]; then "$1" || exit $?; fi
i=0
while :; do
	found=$(ip -o addr show scope global 2>/dev/null) || exit 0
	case $found in *" inet "*) break ;; esac
	i=$((i + 1))
	if [ $i -gt 100 ]; then break; fi
	sleep 0.05 || break
done
printf '%s\n' "$found" | sed 's/^/` + addressMark + `/'
exit 0`

// runHook runs the personalize hook, where the image has one, and gives the address the
// instance has, empty where it told none. What the hook prints is kept only when it fails:
// fleet.Failed. It is told more besides the tenant. Without a hook nothing but a silent LXD is a failure.
func (c *crew) runHook(ctx context.Context, run *jobs.Run, t fleet.Tenant, hooked bool, more map[string]string) (string, error) {
	domains := make([]string, len(t.Domains))
	for i, d := range t.Domains {
		domains[i] = d.String()
	}
	env := map[string]string{
		"LXDFLEET_TENANT":  t.Name.String(),
		"LXDFLEET_DOMAIN":  primary(t),
		"LXDFLEET_DOMAINS": strings.Join(domains, " "),
		"LXDFLEET_URL":     "",
	}
	if len(t.Domains) > 0 {
		env["LXDFLEET_URL"] = t.Domains[0].URL(c.HTTPSPort)
	}
	if t.Admin != nil {
		env["LXDFLEET_ADMIN_EMAIL"], env["LXDFLEET_ADMIN_NAME"] = t.Admin.Email, t.Admin.Name
	}
	maps.Copy(env, more)
	hook := ""
	if hooked {
		hook = fleet.HookDir + "/personalize"
	}
	var printed tail
	exit, err := hooks.Run(ctx, c.LXD, t.Name.String(), hooks.Command{
		Args: []string{"sh", "-c", hookScript, "sh", hook}, Env: env, Output: &printed,
	})
	if err != nil {
		if !hooked && ctx.Err() == nil && fleet.CodeOf(err) != fleet.Unavailable {
			return "", nil // an image without a shell: LXD is asked for the address
		}
		return "", fmt.Errorf("run the personalize hook of %s: %w", t.Name, err)
	}
	if !hooked && exit != 0 {
		return "", nil
	}
	if exit != 0 {
		_, _ = fmt.Fprintf(run.Output(), "The personalize hook printed:\n%s\n", printed.String())
		return "", fleet.Errorf(fleet.Failed, "the personalize hook of %s ended with exit code %d", t.Name, exit).
			WithHint("its output is kept: lxdfleet job show %s", run.JobID)
	}
	return toldAddress(printed.String()), nil
}

// toldAddress reads the address to dial from what hookScript printed: IPv4 before IPv6, eth0
// before other interfaces, which may be bridges of the application's own.
func toldAddress(printed string) string {
	best, bestRank := "", 0
	for line := range strings.Lines(printed) {
		line, told := strings.CutPrefix(strings.TrimSpace(line), addressMark)
		if !told {
			continue
		}
		fields := strings.Fields(line) // "2: eth0    inet 10.1.2.3/24 brd … scope global eth0"
		if len(fields) < 4 {
			continue
		}
		prefix, err := netip.ParsePrefix(fields[3])
		if err != nil {
			continue
		}
		rank := 1
		if prefix.Addr().Is4() {
			rank += 2
		}
		if strings.TrimSuffix(fields[1], ":") == "eth0" {
			rank += 4
		}
		if rank > bestRank {
			best, bestRank = prefix.Addr().String(), rank
		}
	}
	return best
}

// tail is a writer that keeps the last 64 KiB. The zero value is ready; writes come from one
// goroutine at a time or are serialised by the caller.
type tail struct{ kept []byte }

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.kept) }
