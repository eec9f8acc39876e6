package migration

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// LXD is what is asked of LXD, within one project; see lxdapi.Client. Ensure verbs done twice
// have the same result.
type LXD interface {
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error)
	// Snapshots lists those of an instance, the oldest first; fleet.NotFound.
	Snapshots(ctx context.Context, instance string) ([]fleet.InstanceSnapshot, error)
	EnsureSnapshot(ctx context.Context, instance, snapshot string) error
	EnsureSnapshotDeleted(ctx context.Context, instance, snapshot string) error
	// EnsureCopy knows its own by fleet.KeyJob.
	EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	// EnsureRefreshed sends to a copy what its source has beyond their last common snapshot.
	EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	EnsureRenamed(ctx context.Context, from, to string) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error)
	EnsureDeleted(ctx context.Context, name string) error
	SetConfig(ctx context.Context, name string, set map[string]string) error
	// DriverOn is that of the pool that tenants on the member live in, such as "zfs".
	DriverOn(ctx context.Context, member string) (string, error)
	// DiskUsed is what an instance alone holds on its pool, in bytes.
	DiskUsed(ctx context.Context, instance string) (fleet.Size, error)
}

// Tenants is what the life of tenants lends to moves; see tenants.Hands.
type Tenants interface {
	// Grip says that a step works on the instance; it is looked at after the release.
	Grip(name string) (release func())
	// Pause makes visitors wait, for the reason, and returns when those that were being answered
	// have been, or do not end within the time the proxy gives them.
	Pause(ctx context.Context, run *jobs.Run, id, reason string) error
	// Resume lets them go on.
	Resume(ctx context.Context, run *jobs.Run, id string) error
	// Rehome writes down where the tenant lives now.
	Rehome(ctx context.Context, id, member string) error
	// GiveUpPlace: the tenant does not come to the place that is kept for it.
	GiveUpPlace(name fleet.Name)
	// Halt stops an instance that is known to be the tenant's.
	Halt(ctx context.Context, run *jobs.Run, t fleet.Tenant, timeout time.Duration) error
	Start(ctx context.Context, t fleet.Tenant) error
	// Await fails with fleet.Unhealthy.
	Await(ctx context.Context, run *jobs.Run, t fleet.Tenant) error
	// Keys gives the configuration keys that say whose the tenant's instance is.
	Keys(t fleet.Tenant) map[string]string
}

// Store reads tenants.
type Store interface {
	Tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error)
	TenantByID(ctx context.Context, id string) (fleet.Tenant, error)
}

// Mover takes in moves; Service is one.
type Mover interface {
	Move(ctx context.Context, name fleet.Name, req Request, once Once) (fleet.Job, error)
}

// Planner knows which moves would do good; see tenants.Service.
type Planner interface {
	DrainPlan(ctx context.Context, member string) (placement.Plan, error)
	RebalancePlan(ctx context.Context, consolidate bool) (placement.Plan, error)
	// Cordon closes a member for tenants, and Uncordon opens it.
	Cordon(ctx context.Context, member, reason string) error
	Uncordon(ctx context.Context, member string) error
}

// JobBook reads jobs.
type JobBook interface {
	Job(ctx context.Context, id string) (fleet.Job, error)
	Jobs(ctx context.Context, filter jobs.JobFilter) ([]fleet.Job, error)
}

// Submitter takes jobs in; the job engine. A subject with an unfinished job is fleet.Busy.
type Submitter interface {
	Submit(ctx context.Context, req jobs.Request) (fleet.Job, error)
}
