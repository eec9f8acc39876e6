package backups

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// once of a run: the same for every daemon that plans it.
func onceOf(what string, t fleet.Tenant, at time.Time) Once {
	return Once{Key: fmt.Sprintf("policy/%s/%s/%d", what, t.ID, at.Unix()), Hash: what}
}

// Backups begins the backups that policies have due.
type Backups struct{ Service *Service }

// Kind is that of its jobs.
func (Backups) Kind() string { return KindCreate }

// Due makes the job of a backup that was due at the given time. Done twice for one time it gives
// the first job.
func (b Backups) Due(ctx context.Context, t fleet.Tenant, p fleet.Policy, at time.Time) (fleet.Job, error) {
	once := onceOf("backups", t, at)
	if job, ok, err := b.Service.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	return b.Service.create(ctx, t.Name, CreateRequest{}, p.Name, once)
}

// Drills begins the drills that policies have due.
type Drills struct{ Service *Service }

// Kind is that of its jobs.
func (Drills) Kind() string { return KindDrill }

// Due makes the job of a drill that was due at the given time. Done twice for one time it gives
// the first job. A tenant without a backup is fleet.NotFound.
func (d Drills) Due(ctx context.Context, t fleet.Tenant, _ fleet.Policy, at time.Time) (fleet.Job, error) {
	return d.Service.Drill(ctx, DrillRequest{Tenant: t.Name}, onceOf("drills", t, at))
}
