package app

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/migration"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// bulkDeps are what the jobs for many tenants work with.
func (a *App) bulkDeps() bulk.Deps { return bulk.Deps{Jobs: a.store, Actor: actor{a}} }

// checkBulk implements Check of bulk.Service.
func (a *App) checkBulk(ctx context.Context, r bulk.Request) error {
	switch r.Action {
	case bulk.Move:
		if err := a.moves.Check(migration.Options{MostHold: r.MaxHold, BytesPerSecond: r.BytesPerSecond}); err != nil || r.To == "" {
			return err
		}
		return a.tenants.CheckTarget(ctx, r.To)
	case bulk.Resize:
		return a.tenants.CheckPlan(ctx, r.Plan)
	case bulk.Start, bulk.Stop, bulk.Restart, bulk.Snapshot, bulk.Backup, bulk.Delete:
	}
	return nil
}

// actor is the services, which are made after the kinds of jobs.
type actor struct{ *App }

// Act implements bulk.Actor.
func (a actor) Act(ctx context.Context, name fleet.Name, r bulk.Request, once bulk.Once) (fleet.Job, error) {
	switch r.Action {
	case bulk.Start:
		return a.tenants.Start(ctx, name, tenants.Once(once))
	case bulk.Stop:
		return a.tenants.Stop(ctx, name, r.Timeout, tenants.Once(once))
	case bulk.Restart:
		return a.tenants.Restart(ctx, name, r.Timeout, tenants.Once(once))
	case bulk.Snapshot:
		return a.snapshots.Create(ctx, name, snapshots.CreateRequest{Note: r.Note}, snapshots.Once(once))
	case bulk.Backup:
		return a.backups.Create(ctx, name, backups.CreateRequest{Note: r.Note}, backups.Once(once))
	case bulk.Move:
		req := migration.Request{To: r.To, MostHold: r.MaxHold, BytesPerSecond: r.BytesPerSecond}
		if r.InWindow {
			req.Group = migration.Group{Job: once.Hash, AtOnce: r.AtOnce}
			return a.moves.MoveInWindow(ctx, name, req, migration.Once(once))
		}
		return a.moves.Move(ctx, name, req, migration.Once(once))
	case bulk.Resize:
		return a.tenants.Resize(ctx, name, r.Plan, tenants.Once(once))
	case bulk.Delete:
		return a.tenants.Remove(ctx, name, false, tenants.Once(once))
	}
	return fleet.Job{}, fleet.Errorf(fleet.Unsupported, "this daemon does not know the action %s", r.Action).
		WithHint("start the daemon that made the job")
}
