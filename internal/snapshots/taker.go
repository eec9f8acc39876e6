package snapshots

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Taker takes the snapshots that jobs of other packages need for as long as they take, such as
// backups. The tenant may be busy with another job meanwhile.
type Taker struct{ c *crew }

// NewTaker makes a Taker.
func NewTaker(deps KindDeps) *Taker { return &Taker{newCrew(deps)} }

// Take snapshots the tenant for the job, its application held still unless crash. A snapshot of
// that name which the job took before is taken anew: what it is worth was lost with the step.
// fleet.Taken where it is another's.
func (k *Taker) Take(ctx context.Context, run *jobs.Run, t fleet.Tenant, snapshot string, crash bool) (fleet.Snapshot, error) {
	n := fleet.Snapshot{Tenant: t.Name, Name: snapshot, Origin: fleet.OriginBackup, JobID: run.JobID, CreatedAt: k.c.Now()}
	if err := k.c.book(ctx, run, t.ID, n); err != nil {
		return fleet.Snapshot{}, err
	}
	got, at, err := k.c.takeAnew(ctx, run, t, snapshot, !crash)
	if err != nil {
		return fleet.Snapshot{}, err
	}
	n.CreatedAt, n.Consistency, n.Why, n.Held = at, got.Consistency, got.Why, got.Held
	if err := k.c.Store.SaveSnapshot(ctx, t.ID, n); err != nil {
		return fleet.Snapshot{}, fmt.Errorf("write down snapshot %s of %s: %w", n.Name, n.Tenant, err)
	}
	k.c.Changed(n.Tenant)
	return n, nil
}

// Drop deletes a snapshot the job took. One that is gone, with its tenant or without, is success.
func (k *Taker) Drop(ctx context.Context, run *jobs.Run, tenantID string, tenant fleet.Name, snapshot string) error {
	if t, err := k.c.Store.TenantByID(ctx, tenantID); err == nil {
		tenant = t.Name // it may have another by now
	} else if fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("read tenant %s: %w", tenant, err)
	}
	// The names of a job's snapshots are its own: one of that name needs no record to be its.
	if err := k.c.LXD.EnsureSnapshotDeleted(ctx, tenant.String(), snapshot); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("delete snapshot %s of %s: %w", snapshot, tenant, err)
	}
	return k.c.unbook(ctx, run, tenantID, fleet.Snapshot{Tenant: tenant, Name: snapshot})
}
