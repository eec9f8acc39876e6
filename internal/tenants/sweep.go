package tenants

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Sweep deletes instances that lxdfleet left behind: its own builders, checks, unpackers,
// readers and drills, and clones whose creation was undone. It deletes nothing else: not what
// has none of its keys, not what belongs to a job that is unfinished or stuck, not what has ever
// been a tenant in service.
type Sweep struct {
	LXD   LXD
	Store Store
	Jobs  JobBook
	// Every is the time between two sweeps. Default a minute.
	Every time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger gets what was deleted, and failures. Default: nothing is logged.
	Logger *slog.Logger
}

// orphanAge is how old a builder or the like must be to be deleted when the job it
// came from is not known.
const orphanAge = time.Hour

// Run sweeps until ctx ends.
func (w *Sweep) Run(ctx context.Context) {
	every(ctx, w.Every, w.Logger, "leftovers cannot be swept", w.Once)
}

// Once deletes the leftovers there are now.
func (w *Sweep) Once(ctx context.Context) error {
	instances, err := w.LXD.Instances(ctx, false)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	for _, inst := range instances {
		why, err := w.leftover(ctx, inst)
		if err != nil {
			return err
		}
		if why == "" {
			continue
		}
		// Read again: between the list and now it may have become something else.
		again, err := w.LXD.Instance(ctx, inst.Name)
		if fleet.CodeOf(err) == fleet.NotFound {
			continue
		}
		if err != nil {
			return fmt.Errorf("read instance %s: %w", inst.Name, err)
		}
		if why, err = w.leftover(ctx, again); err != nil || why == "" {
			return err
		}
		if err := w.LXD.EnsureDeleted(ctx, inst.Name); err != nil {
			return fmt.Errorf("delete leftover %s: %w", inst.Name, err)
		}
		if w.Logger != nil {
			w.Logger.Info("deleted a leftover", "instance", inst.Name, "why", why)
		}
	}
	return nil
}

// leftover says why the instance may be deleted; empty: it may not.
func (w *Sweep) leftover(ctx context.Context, inst fleet.Instance) (string, error) {
	role, jobID := inst.Config[fleet.KeyRole], inst.Config[fleet.KeyJob]
	switch role {
	case fleet.RoleBuilder, fleet.RoleCheck, fleet.RoleUnpack, fleet.RoleReader, fleet.RoleDrill, fleet.RoleRestore, fleet.RoleMove:
		if jobID != "" {
			job, err := w.Jobs.Job(ctx, jobID)
			if err == nil {
				return w.ended(job, role), nil
			}
			if fleet.CodeOf(err) != fleet.NotFound {
				return "", fmt.Errorf("read job %s: %w", jobID, err)
			}
		}
		if !inst.CreatedAt.IsZero() && w.now().Sub(inst.CreatedAt) > orphanAge {
			return "a " + role + " that no known job made", nil
		}
	case fleet.RoleLeft:
		return w.left(ctx, inst)
	case fleet.RoleHistory:
		return w.history(ctx, inst)
	case fleet.RoleTenant:
		return w.undoneClone(ctx, inst, jobID)
	}
	return "", nil
}

// left is leftover for the original of a tenant that lives elsewhere now. It goes only where the
// job that moved it is done and the tenant has an instance.
func (w *Sweep) left(ctx context.Context, inst fleet.Instance) (string, error) {
	job, err := w.Jobs.Job(ctx, inst.Config[fleet.KeyMovedBy])
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && job.State != fleet.JobDone {
		return "", nil // nothing proves that the copy is whole
	}
	if err != nil {
		return "", fmt.Errorf("read job %s: %w", inst.Config[fleet.KeyMovedBy], err)
	}
	return "moved away by job " + job.ID, nil
}

// history is leftover for an instance that has older snapshots of a tenant: it goes with the tenant.
func (w *Sweep) history(ctx context.Context, inst fleet.Instance) (string, error) {
	id := inst.Config[fleet.KeyHistory]
	if id == "" {
		return "", nil
	}
	_, err := w.Store.TenantByID(ctx, id)
	if err == nil {
		return "", nil
	}
	if fleet.CodeOf(err) != fleet.NotFound {
		return "", fmt.Errorf("read tenant of %s: %w", inst.Name, err)
	}
	if !inst.CreatedAt.IsZero() && w.now().Sub(inst.CreatedAt) < orphanAge {
		return "", nil // a store that was lost is perhaps being recovered
	}
	return "the snapshots of a tenant that is gone", nil
}

// undoneClone is leftover for the clone of a creation that was undone.
func (w *Sweep) undoneClone(ctx context.Context, inst fleet.Instance, jobID string) (string, error) {
	if jobID == "" || inst.Config[fleet.KeyReady] != "" {
		return "", nil
	}
	job, err := w.Jobs.Job(ctx, jobID)
	if fleet.CodeOf(err) == fleet.NotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read job %s: %w", jobID, err)
	}
	if job.Kind != KindCreate && job.Kind != KindClone || job.State != fleet.JobUndone && job.State != fleet.JobCancelled {
		return "", nil
	}
	_, err = w.Store.TenantByID(ctx, inst.Config[fleet.KeyTenant])
	if err == nil {
		return "", nil // somebody still knows it
	}
	if fleet.CodeOf(err) != fleet.NotFound {
		return "", fmt.Errorf("read tenant of %s: %w", inst.Name, err)
	}
	return "the clone of job " + job.ID + ", which was undone", nil
}

func (w *Sweep) ended(job fleet.Job, role string) string {
	if job.State.Finished() && job.State != fleet.JobStuck {
		return "a " + role + " of job " + job.ID + ", which has ended"
	}
	return ""
}

func (w *Sweep) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}
