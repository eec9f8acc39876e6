package tenants

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// difference is something an operator changed in LXD that the tenant follows.
type difference string

const (
	renamed difference = "renamed" // lxc rename
	moved   difference = "moved"   // lxc move
	started difference = "started" // lxc start of a tenant that was wanted stopped
)

// differences says how the instance of a ready tenant differs from what is stored. A stop by
// hand is none: it shows in the status and is never fought.
func differences(t fleet.Tenant, inst fleet.Instance) []difference {
	var found []difference
	if inst.Name != t.Name.String() {
		found = append(found, renamed)
	}
	if inst.Location != "" && inst.Location != t.Member {
		found = append(found, moved)
	}
	if inst.Status == fleet.InstanceRunning && t.Desired == fleet.DesiredStopped {
		found = append(found, started)
	}
	return found
}

// follow writes to the store what an operator did to the tenant's instance. While a job works
// on the tenant nothing is followed. The order of reads matters: tenant, jobs, instance. A job
// that was there before is seen, or has ended and shows in the instance; one that comes later
// writes the tenant first, so that the write here fails as a conflict and the job wins.
func (o *Observer) follow(ctx context.Context, id, instance string) error {
	t, err := o.store.TenantByID(ctx, id)
	if err != nil {
		return fmt.Errorf("read tenant of %s: %w", instance, err)
	}
	busy, err := o.jobs.Jobs(ctx, jobs.JobFilter{Subject: "tenant/" + t.Name.String(), Unfinished: true, Limit: 1})
	if err != nil || len(busy) > 0 {
		return err
	}
	inst, err := o.lxd.Instance(ctx, instance)
	if err != nil {
		return fmt.Errorf("read instance %s: %w", instance, err)
	}
	found := differences(t, inst)
	if inst.Config[fleet.KeyTenant] != id || len(found) == 0 {
		return nil
	}
	after := t
	for _, d := range found {
		switch d {
		case renamed:
			name, ok, err := o.newName(ctx, t, inst)
			if err != nil || !ok {
				return err
			}
			after.Name = name
		case moved:
			after.Member, after.MovedAt = inst.Location, time.Now()
		case started:
			after.Desired = fleet.DesiredRunning
		}
	}
	after, err = o.store.UpdateTenant(ctx, after)
	switch fleet.CodeOf(err) {
	case "":
	case fleet.Conflict:
		return fmt.Errorf("follow %v of %s: %w", found, t.Name, err) // tried again
	case fleet.Taken:
		o.report(t, fmt.Sprintf("its instance was renamed to %s in LXD, but that name is taken; rename it back: lxc rename %s %s",
			inst.Name, inst.Name, t.Name))
		return nil
	default:
		return fmt.Errorf("follow %v of %s: %w", found, t.Name, err)
	}
	o.log.Info("followed a change made in LXD", "tenant", after.Name, "was", t.Name, "changes", found)
	o.report(t, "")
	if _, err := o.roster.read(ctx); err != nil {
		o.log.Debug("tenants cannot be read", "error", err)
	}
	o.Nudge(t.Name)
	if after.Name != t.Name {
		o.Nudge(after.Name)
	}
	o.keys.add(inst.Name, time.Now().Add(keysPause))
	return nil
}

// keysPause is how long after a change made by hand the instance's keys are written anew. LXD
// refuses an operator's next command on the instance while it writes them.
const keysPause = 5 * time.Second

// writeKeys writes the keys of the tenant that owns the instance, and tries again later where
// that fails.
func (o *Observer) writeKeys(ctx context.Context, name string) {
	inst, err := o.lxd.Instance(ctx, name)
	var t fleet.Tenant
	if err == nil {
		t, err = o.store.TenantByID(ctx, inst.Config[fleet.KeyTenant])
	}
	if err == nil && t.Name.String() == name {
		err = o.lxd.SetConfig(ctx, name, keysOf(t))
	}
	if ctx.Err() != nil || fleet.CodeOf(err) == fleet.NotFound {
		return
	}
	if err == nil {
		// A job that read the tenant before the change may write older keys after these.
		busy, err := o.jobs.Jobs(ctx, jobs.JobFilter{Subject: "tenant/" + name, Unfinished: true, Limit: 1})
		if err == nil && len(busy) > 0 {
			o.keys.add(name, time.Now().Add(o.opt.Resync))
		}
		return
	}
	o.log.Debug("keys cannot be written", "instance", name, "error", err)
	o.keys.add(name, time.Now().Add(o.opt.Resync))
}

// newName decides whether the tenant takes its instance's name. A copy (lxc copy copies the
// keys) beside the tenant's own instance is no rename.
func (o *Observer) newName(ctx context.Context, t fleet.Tenant, inst fleet.Instance) (fleet.Name, bool, error) {
	own, err := o.lxd.Instance(ctx, t.Name.String())
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return "", false, fmt.Errorf("read instance %s: %w", t.Name, err)
	}
	if err == nil && own.Config[fleet.KeyTenant] == t.ID {
		return "", false, nil
	}
	name, err := fleet.ParseName(inst.Name)
	if err != nil {
		o.report(t, fmt.Sprintf("its instance was renamed to %s in LXD, which is no tenant name; rename it: lxc rename %s %s",
			inst.Name, inst.Name, t.Name))
		return "", false, nil
	}
	return name, true, nil
}

// report keeps what could not be followed, for the tenant's view, and logs it once.
func (o *Observer) report(t fleet.Tenant, problem string) {
	o.mu.Lock()
	was := o.problems[t.ID]
	if problem == "" {
		delete(o.problems, t.ID)
	} else {
		o.problems[t.ID] = problem
	}
	o.mu.Unlock()
	if was != problem {
		if problem != "" {
			o.log.Warn("a change made in LXD cannot be followed", "tenant", t.Name, "problem", problem)
		}
		o.Nudge(t.Name)
	}
}
