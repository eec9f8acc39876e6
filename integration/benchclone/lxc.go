package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// lxc is the floor: the commands a person would type.
type lxc struct {
	project, image, plan string
	way                  string // the quicker of the ways to make a copy
	copyFrom             string // NAME/SNAPSHOT, or empty: init from the image
	made                 atomic.Int64
}

// newLXC finds the quicker of `lxc copy` and `lxc init` for this image on this machine.
func newLXC(ctx context.Context, project, image, plan string) (*lxc, error) {
	l := &lxc{project: project, image: image, plan: plan, way: "lxc init"}
	const source = "bench-source"
	_, _ = l.lxc(ctx, "delete", "--force", source)
	if _, err := l.lxc(ctx, "init", image, source, "--profile", "default", "--profile", plan); err != nil {
		return nil, err
	}
	if _, err := l.lxc(ctx, "snapshot", source, "golden"); err != nil {
		return nil, err
	}
	best := map[string]time.Duration{}
	for round := range 3 {
		for _, from := range []string{"", source + "/golden"} {
			l.copyFrom = from
			name := fmt.Sprintf("bench-way-%d", round)
			start := time.Now()
			if err := l.make(ctx, name); err != nil {
				return nil, err
			}
			if took := time.Since(start); best[from] == 0 || took < best[from] {
				best[from] = took
			}
			if err := l.remove(ctx, name); err != nil {
				return nil, err
			}
		}
	}
	l.copyFrom = ""
	if best[source+"/golden"] < best[""] {
		l.copyFrom, l.way = source+"/golden", "lxc copy"
		return l, nil
	}
	return l, l.remove(ctx, source)
}

func (l *lxc) make(ctx context.Context, name string) (err error) {
	if l.copyFrom != "" {
		_, err = l.lxc(ctx, "copy", l.copyFrom, name, "--config", l.ids())
	} else {
		_, err = l.lxc(ctx, "init", l.image, name, "--profile", "default", "--profile", l.plan, "--config", l.ids())
	}
	return err
}

// ids gives an instance a range of user ids of its own. LXD does that by itself, but when
// several are made at once it gives out ranges that do not exist, and instances do not start.
func (l *lxc) ids() string {
	const first, size, ranges = 5_000_000, 65536, 70
	return fmt.Sprintf("security.idmap.base=%d", first+size*(l.made.Add(1)%ranges))
}

func (l *lxc) create(ctx context.Context, name string) error {
	if err := l.make(ctx, name); err != nil {
		return err
	}
	if _, err := l.lxc(ctx, "start", name); err != nil {
		return err
	}
	domain := name + ".localhost"
	// The hook waits for what it needs; by its end the instance has its address.
	out, err := l.exec(ctx, name, "--env", "LXDFLEET_TENANT="+name, "--env", "LXDFLEET_DOMAIN="+domain,
		"--env", "LXDFLEET_DOMAINS="+domain, "--env", "LXDFLEET_URL=https://"+domain, "--",
		"sh", "-c", fleet.HookDir+"/personalize >/dev/null && until ip -4 -o addr show dev eth0 scope global | grep inet; do sleep 0.05; done")
	if err != nil {
		return err
	}
	fields := strings.Fields(out)
	if len(fields) < 4 {
		return fmt.Errorf("no address in %q", out)
	}
	address, _, _ := strings.Cut(fields[3], "/")
	return pollPage(ctx, http.DefaultClient, "http://"+address+"/", domain)
}

// exec runs a command in the instance. `lxc exec` was seen hanging for ever once in some hundred
// times while many instances boot; it is ended after a minute and run once more, as lxdfleet does.
func (l *lxc) exec(ctx context.Context, name string, args ...string) (string, error) {
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := l.lxc(bounded, append([]string{"exec", name}, args...)...)
	if bounded.Err() == nil || ctx.Err() != nil {
		return out, err
	}
	return l.lxc(ctx, append([]string{"exec", name}, args...)...)
}

func (l *lxc) remove(ctx context.Context, name string) error {
	_, err := l.lxc(ctx, "delete", "--force", name)
	return err
}

func (l *lxc) lxc(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "lxc", append([]string{"--project", l.project}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("lxc %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}
