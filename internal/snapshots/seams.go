package snapshots

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// LXD is what is asked of LXD, within one project; see lxdapi.Client. Ensure verbs done twice
// have the same result.
type LXD interface {
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error)
	// Snapshots lists those of an instance, oldest first; fleet.NotFound.
	Snapshots(ctx context.Context, instance string) ([]fleet.InstanceSnapshot, error)
	// AllSnapshots lists the names of all of them, by instance.
	AllSnapshots(ctx context.Context) (map[string][]fleet.InstanceSnapshot, error)
	EnsureSnapshot(ctx context.Context, instance, snapshot string) error
	EnsureSnapshotDeleted(ctx context.Context, instance, snapshot string) error
	// EnsureRestored restores a stopped instance in place; fleet.Unsupported where its driver
	// cannot without deleting newer snapshots.
	EnsureRestored(ctx context.Context, instance, snapshot string) error
	EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	EnsureRenamed(ctx context.Context, from, to string) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureDeleted(ctx context.Context, name string) error
	SetConfig(ctx context.Context, name string, set map[string]string) error
	SetProfiles(ctx context.Context, name string, profiles []string) error
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	Addresses(ctx context.Context, name string) ([]string, error)
	Files(ctx context.Context, instance, folder string) ([]fleet.FileInfo, error)
	ReadFile(ctx context.Context, instance, path string) (io.ReadCloser, error)
	Events(ctx context.Context) <-chan fleet.LXDEvent
}

// Store keeps what LXD does not know of snapshots, and policies.
type Store interface {
	Tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error)
	TenantByID(ctx context.Context, id string) (fleet.Tenant, error)
	Tenants(ctx context.Context, filter fleet.TenantFilter) ([]fleet.Tenant, error)
	// Generation grows with every change of a tenant.
	Generation(ctx context.Context) (int64, error)

	SaveSnapshot(ctx context.Context, tenantID string, snapshot fleet.Snapshot) error
	EditSnapshot(ctx context.Context, tenantID string, first fleet.Snapshot, edit func(*fleet.Snapshot)) (fleet.Snapshot, error)
	DeleteSnapshot(ctx context.Context, tenantID, name string) error
	Snapshots(ctx context.Context, tenantID string) (map[string]fleet.Snapshot, error)
	AllSnapshots(ctx context.Context) (map[string]map[string]fleet.Snapshot, error)

	Policies(ctx context.Context) ([]fleet.Policy, error)
	Policy(ctx context.Context, name string) (fleet.Policy, error)
	SavePolicy(ctx context.Context, p fleet.Policy) (fleet.Policy, error)
	DeletePolicy(ctx context.Context, name string) error
	ScheduleMarks(ctx context.Context, what string) (map[string]fleet.ScheduleMark, error)
	SaveScheduleMarks(ctx context.Context, what string, marks map[string]fleet.ScheduleMark) error
}

// Images reads golden images.
type Images interface {
	// GoldenImage fails with fleet.NotFound.
	GoldenImage(ctx context.Context, ref fleet.ImageRef) (fleet.GoldenImage, error)
}

// Tenants is what the life of tenants lends to restores; see tenants.Hands.
type Tenants interface {
	// Grip says that a step works on the instance; it is looked at after the release.
	Grip(name string) (release func())
	// Hold returns when visitors wait and those that were being answered have been.
	Hold(ctx context.Context, run *jobs.Run, name fleet.Name) error
	Show(name fleet.Name)
	Seen(t fleet.Tenant) fleet.Observation
	Look(ctx context.Context, name string) error
	Stop(ctx context.Context, run *jobs.Run, t fleet.Tenant, timeout time.Duration) error
	Kill(ctx context.Context, t fleet.Tenant) error
	Start(ctx context.Context, t fleet.Tenant) error
	// Await fails with fleet.Unhealthy.
	Await(ctx context.Context, run *jobs.Run, t fleet.Tenant) error
}

// Cloner makes tenants of snapshots; see app.
type Cloner interface {
	Clone(ctx context.Context, original fleet.Tenant, instance, snapshot string, req CloneRequest, once Once) (fleet.Job, error)
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
