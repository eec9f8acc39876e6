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
		return a.moves.Move(ctx, name, migration.Request{To: r.To}, migration.Once(once))
	case bulk.Delete:
		return a.tenants.Remove(ctx, name, false, tenants.Once(once))
	}
	return fleet.Job{}, fleet.Errorf(fleet.Unsupported, "this daemon does not know the action %s", r.Action).
		WithHint("start the daemon that made the job")
}
