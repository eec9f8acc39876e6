package reach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// settleTime is how long after its start the Keeper first takes anything away: until then the
	// proxies may still use what the configuration before had made.
	settleTime = 30 * time.Second
	keepEvery  = 5 * time.Minute
)

// Keep follows what operators do to instances, and takes away what is not wanted any more, until ctx
// ends.
func (r *Reach) Keep(ctx context.Context) {
	events := r.lxd.Events(ctx)
	next := time.NewTimer(settleTime)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			r.hear(ctx, e)
		case <-next.C:
			if err := r.Tidy(ctx); err != nil && ctx.Err() == nil {
				r.log.Debug("what led to instances cannot be tidied up", "error", err)
			}
			next.Reset(keepEvery)
		}
	}
}

// hear puts right the device of an instance that an operator copied, renamed, or moved to another
// member: it would not start there.
func (r *Reach) hear(ctx context.Context, e fleet.LXDEvent) {
	if e.Name == "" || !slices.Contains([]string{"instance-created", "instance-renamed", "instance-updated"}, e.Action) {
		return
	}
	p, err := r.plan(ctx)
	if err != nil || p.way != Device {
		return
	}
	inst, err := r.lxd.Instance(ctx, e.Name)
	if err == nil && inst.Status == fleet.InstanceStopped {
		err = r.mend(ctx, &p, inst)
	}
	if err != nil && ctx.Err() == nil {
		r.log.Debug("the device that leads to an instance cannot be put right; its next start does it", "instance", e.Name, "error", err)
	}
}

// Tidy takes away what leads to no instance, and what leads to instances another way than is
// configured.
func (r *Reach) Tidy(ctx context.Context) error {
	p, err := r.plan(ctx)
	if err != nil {
		return err
	}
	server, err := r.lxd.Server(ctx)
	if err != nil {
		return err
	}
	var all []error
	if slices.Contains(server.Extensions, forwarding) {
		all = append(all, r.tidyForwards(ctx, p))
	}
	if p.way != Device {
		all = append(all, r.tidyDevices(ctx))
	}
	return errors.Join(all...)
}

func (r *Reach) tidyForwards(ctx context.Context, p plan) error {
	for _, n := range p.around.networks {
		if !n.Managed || n.Type != "bridge" {
			continue
		}
		forwards, err := r.lxd.Forwards(ctx, n.Name) // before the instances: a new one's entry is not in it
		if err != nil {
			return err
		}
		seen := map[fleet.ForwardPort]bool{}
		for _, f := range forwards {
			for _, e := range f.Ports {
				if _, ours := r.owner(e); ours {
					seen[e] = true
				}
			}
		}
		if len(seen) == 0 {
			continue
		}
		list, err := r.lxd.Instances(ctx, false)
		if err != nil {
			return err
		}
		at := map[string]string{}
		for _, inst := range list {
			at[inst.Name] = inst.Location
		}
		for _, f := range forwards {
			err := r.lxd.EnsureForward(ctx, n.Name, f.Member, f.Listen, func(have []fleet.ForwardPort) []fleet.ForwardPort {
				return slices.DeleteFunc(have, func(e fleet.ForwardPort) bool {
					instance, _ := r.owner(e)
					return seen[e] && (p.way != Forward || at[instance] != f.Member || f.Listen != p.members[f.Member])
				})
			})
			if err != nil {
				return fmt.Errorf("tidy the forward %s of %s: %w", f.Listen, n.Name, err)
			}
		}
	}
	return nil
}

func (r *Reach) tidyDevices(ctx context.Context) error {
	list, err := r.lxd.Instances(ctx, false)
	if err != nil {
		return err
	}
	for _, inst := range list {
		if listenPort(inst.Devices[DeviceName]) == 0 {
			continue
		}
		if err := r.lxd.EnsureDevice(ctx, inst.Name, DeviceName, nil); err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return fmt.Errorf("take away the device that led to %s: %w", inst.Name, err)
		}
	}
	return nil
}
