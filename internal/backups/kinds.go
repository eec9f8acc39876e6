package backups

import (
	"cmp"
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// The kinds of jobs on backups.
const (
	KindCreate      = "backup.create"  // subject backup/TENANT
	KindRestore     = "backup.restore" // subject tenant/NAME
	KindClone       = "backup.clone"   // subject tenant/NAME
	KindDelete      = "backup.delete"
	KindVerify      = "backup.verify"
	KindPrune       = "backup.prune"
	KindDrill       = "backup.drill" // subject drill/TENANT
	KindControlSave = "backup.control"
	KindImageBack   = "backup.image" // subject image/NAME
)

// crew gives the steps their hands.
type crew struct{ Deps }

// Register makes every kind of job on backups known to the engine.
func Register(reg *jobs.Registry, deps Deps) error {
	c := &crew{Deps: deps.withDefaults()}
	return cmp.Or(
		jobs.Register(reg, c.create()),
		jobs.Register(reg, c.restore()),
		jobs.Register(reg, c.clone()),
		jobs.Register(reg, c.remove()),
		jobs.Register(reg, c.verify()),
		jobs.Register(reg, c.prune()),
		jobs.Register(reg, c.drill()),
		jobs.Register(reg, c.control()),
		jobs.Register(reg, c.imageBack()),
	)
}

// The instances, snapshots and images of a job bear its id, so that no two jobs share one and an
// undo needs no state.
func snapshotName(jobID string) string { return fleet.ReservedPrefix + "backup-" + jobID }
func readerName(jobID string) string   { return fleet.ReservedPrefix + "read-" + jobID }
func restoreName(jobID string) string  { return fleet.ReservedPrefix + "restore-" + jobID }
func asideName(jobID string) string    { return fleet.ReservedPrefix + "history-" + jobID }
func drillName(jobID string) string    { return fleet.ReservedPrefix + "drill-" + jobID }

// say tells watchers, and keeps it with the job.
func say(run *jobs.Run, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	run.Progress(fleet.Progress{Message: line})
	fmt.Fprintln(run.Output(), line)
}

// instance reads an instance; there is false where there is none.
func (c *crew) instance(ctx context.Context, name string) (inst fleet.Instance, there bool, err error) {
	inst, err = c.LXD.Instance(ctx, name)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Instance{}, false, nil
	}
	if err != nil {
		return fleet.Instance{}, false, fmt.Errorf("read instance %s: %w", name, err)
	}
	return inst, true, nil
}

// deleteOwn deletes an instance only if this job made it.
func (c *crew) deleteOwn(ctx context.Context, run *jobs.Run, name string) error {
	inst, there, err := c.instance(ctx, name)
	if err != nil || !there {
		return err
	}
	if inst.Config[fleet.KeyJob] != run.JobID {
		_, _ = fmt.Fprintf(run.Output(), "The instance %s is not of this job; it is left as it is.\n", name)
		return nil
	}
	if err := c.LXD.EnsureDeleted(ctx, name); err != nil {
		return fmt.Errorf("delete instance %s: %w", name, err)
	}
	return nil
}
