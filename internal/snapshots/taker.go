package snapshots

import (
	"cmp"
	"context"
	"fmt"
	"strings"

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
	records, err := k.c.Store.Snapshots(ctx, tenantID)
	if err != nil {
		return fmt.Errorf("read what is known of the snapshots of %s: %w", tenant, err)
	}
	// A name with the job's id needs no record to be its.
	if records[snapshot].JobID != run.JobID && !strings.Contains(snapshot, run.JobID) {
		return nil
	}
	history := records[snapshot].Instance // a restore may have put the instance aside that has it
	if err := k.c.LXD.EnsureSnapshotDeleted(ctx, cmp.Or(history, tenant.String()), snapshot); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("delete snapshot %s of %s: %w", snapshot, tenant, err)
	}
	if err := k.c.unbook(ctx, run, tenantID, fleet.Snapshot{Tenant: tenant, Name: snapshot}); err != nil || history == "" {
		return err
	}
	return k.c.clear(ctx, history, tenantID)
}

// Safety snapshots a tenant's stopped instance before the job puts another in its place. torn says
// why what it holds may be torn; empty: the instance was stopped cleanly.
func (k *Taker) Safety(ctx context.Context, run *jobs.Run, t fleet.Tenant, snapshot, note, torn string) error {
	n := fleet.Snapshot{Tenant: t.Name, Name: snapshot, Origin: fleet.OriginSafety, Note: note, JobID: run.JobID, CreatedAt: k.c.Now()}
	if err := k.c.book(ctx, run, t.ID, n); err != nil {
		return err
	}
	got, at, err := k.c.takeAnew(ctx, run, t, snapshot, false)
	if err != nil {
		return err
	}
	if torn != "" {
		got = crash(torn)
	}
	n.CreatedAt, n.Consistency, n.Why = at, got.Consistency, got.Why
	if err := k.c.Store.SaveSnapshot(ctx, t.ID, n); err != nil {
		return fmt.Errorf("write down snapshot %s of %s: %w", n.Name, n.Tenant, err)
	}
	k.c.Changed(n.Tenant)
	return nil
}

// Retire makes an instance that was the tenant's, and was put aside under another name, the
// holder of the snapshots it has. They stay the tenant's; with the last of them it goes.
func (k *Taker) Retire(ctx context.Context, t fleet.Tenant, aside string) error {
	if err := k.c.retire(ctx, t, aside); err != nil {
		return err
	}
	k.c.Changed(t.Name)
	return nil
}

// Regain undoes Retire, once the instance has the tenant's name and keys again.
func (k *Taker) Regain(ctx context.Context, t fleet.Tenant) error {
	if err := k.c.located(ctx, t, t.Name.String()); err != nil {
		return err
	}
	k.c.Changed(t.Name)
	return nil
}
