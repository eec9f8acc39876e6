package tenants

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// resyncLoop lists everything when asked and on a timer, sooner again while that fails.
func (o *Observer) resyncLoop(ctx context.Context) {
	failing := false
	for {
		err := o.Resync(ctx)
		wait := o.opt.Resync
		if err != nil && ctx.Err() == nil {
			wait = min(wait, 2*time.Second)
			if !failing {
				o.log.Warn("instances cannot be listed; going on with what was last known", "error", err)
			}
		} else if failing {
			o.log.Info("instances can be listed again")
		}
		failing = err != nil
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-o.resync:
			timer.Stop()
		}
	}
}

// Resync lists all instances and takes in what they are now. The first time it reads their
// addresses too; later those are kept fresh one by one.
func (o *Observer) Resync(ctx context.Context) error {
	now, err := o.roster.read(ctx)
	if err != nil {
		o.log.Debug("tenants cannot be read", "error", err)
	}
	at := time.Now()
	instances, err := o.lxd.Instances(ctx, !o.Synced())
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	there := make(map[string]bool, len(instances))
	for _, inst := range instances {
		there[inst.Name] = true
		if o.held(inst.Name) {
			o.refreshes.add(inst.Name, at.Add(holdPause))
			continue
		}
		o.saw(inst, at)
		if t, ok := now.id(inst.Config[fleet.KeyTenant]); ok && t.Ready && len(differences(t, inst)) > 0 {
			o.refreshes.add(inst.Name, at) // which follows it with care
		}
	}
	for _, name := range o.names() {
		if !there[name] && !o.held(name) {
			o.gone(name, at)
		}
	}
	o.mu.Lock()
	first := o.syncedAt.IsZero()
	o.syncedAt = at
	o.mu.Unlock()
	if first {
		for _, t := range now.all {
			o.Nudge(t.Name) // also of the tenants without an instance
		}
	}
	return nil
}

func (o *Observer) names() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	names := make([]string, 0, len(o.seen))
	for name := range o.seen {
		names = append(names, name)
	}
	return names
}

// holdPause is how long an instance in a job's hands is left alone before it is looked at again.
const holdPause = 500 * time.Millisecond

// refresh reads one instance anew, when it is not in a job's hands, and again after a failure.
func (o *Observer) refresh(ctx context.Context, name string) {
	if o.held(name) {
		o.refreshes.add(name, time.Now().Add(holdPause))
		return
	}
	if err := o.Refresh(ctx, name); err != nil && ctx.Err() == nil {
		o.log.Debug("instance cannot be read", "instance", name, "error", err)
		o.refreshes.add(name, time.Now().Add(2*time.Second))
	}
}

// Refresh reads the instance anew, at once, and follows what was done to it.
func (o *Observer) Refresh(ctx context.Context, name string) error {
	now, storeErr := o.roster.read(ctx)
	at := time.Now()
	inst, err := o.lxd.Instance(ctx, name)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		o.gone(name, at)
		return nil
	case err != nil:
		return fmt.Errorf("read instance %s: %w", name, err)
	}
	o.saw(inst, at)
	t, ok := now.id(inst.Config[fleet.KeyTenant])
	if !ok || !t.Ready || storeErr != nil {
		return nil
	}
	if len(differences(t, inst)) > 0 {
		return o.follow(ctx, t.ID, name)
	}
	o.report(t, "")
	return nil
}

// membersLoop keeps members and plans fresh, so that a request need not wait for them.
func (o *Observer) membersLoop(ctx context.Context) {
	for {
		if err := o.survey.read(ctx); err != nil && ctx.Err() == nil {
			o.log.Debug("members cannot be read", "error", err)
		}
		timer := time.NewTimer(o.opt.MembersEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// ours reports whether the name is of an instance lxdfleet makes for itself.
func ours(name string) bool { return strings.HasPrefix(name, fleet.ReservedPrefix) }
