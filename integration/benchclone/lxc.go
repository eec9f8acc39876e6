package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// lxc is the floor: the commands a person would type.
type lxc struct {
	bench.LXC
	image, plan string
	way         string // the quicker of the ways to make a copy
	copyFrom    string // NAME/SNAPSHOT, or empty: init from the image
	made        atomic.Int64
}

// newLXC finds the quicker of `lxc copy` and `lxc init` for this image on this machine.
func newLXC(ctx context.Context, project, image, plan string) (*lxc, error) {
	l := &lxc{LXC: bench.LXC{Project: project}, image: image, plan: plan, way: "lxc init"}
	const source = "bench-source"
	_, _ = l.Run(ctx, "delete", "--force", source)
	if _, err := l.Run(ctx, "init", image, source, "--profile", "default", "--profile", plan); err != nil {
		return nil, err
	}
	if _, err := l.Run(ctx, "snapshot", source, "golden"); err != nil {
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
		_, err = l.Run(ctx, "copy", l.copyFrom, name, "--config", l.ids())
	} else {
		_, err = l.Run(ctx, "init", l.image, name, "--profile", "default", "--profile", l.plan, "--config", l.ids())
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
	if _, err := l.Run(ctx, "start", name); err != nil {
		return err
	}
	domain := name + ".localhost"
	// The hook waits for what it needs; by its end the instance has its address.
	out, err := l.Exec(ctx, name, "--env", "LXDFLEET_TENANT="+name, "--env", "LXDFLEET_DOMAIN="+domain,
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
	return bench.PollPage(ctx, http.DefaultClient, "http://"+address+"/", domain)
}

func (l *lxc) remove(ctx context.Context, name string) error {
	_, err := l.Run(ctx, "delete", "--force", name)
	return err
}
