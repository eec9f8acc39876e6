package backups

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// LXD is what backups need of LXD, in lxdfleet's own project. Every verb may be repeated.
type LXD interface {
	Members(ctx context.Context) ([]fleet.Member, error)
	Profiles(ctx context.Context) ([]fleet.ProfileSpec, error)
	EnsureProfile(ctx context.Context, spec fleet.ProfileSpec) (change string, err error)
	Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error)
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	Addresses(ctx context.Context, name string) ([]string, error)
	// Snapshots lists those of an instance, oldest first; fleet.NotFound.
	Snapshots(ctx context.Context, instance string) ([]fleet.InstanceSnapshot, error)
	EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error
	EnsureRenamed(ctx context.Context, from, to string) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error)
	EnsureDeleted(ctx context.Context, name string) error
	SetConfig(ctx context.Context, name string, set map[string]string) error
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	ConsoleLog(ctx context.Context, name string) ([]byte, error)
	Images(ctx context.Context) ([]fleet.Image, error)
	// ReadImage gives the tarball of an image, and its size; fleet.NotFound, fleet.Unsupported.
	ReadImage(ctx context.Context, fingerprint string) (content io.ReadCloser, size int64, err error)
	EnsureImported(ctx context.Context, r io.Reader, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsureImageDeleted(ctx context.Context, fingerprint string) error
}

// Store keeps what is known of backups and drills.
type Store interface {
	SaveBackup(ctx context.Context, b fleet.Backup) error
	// EditBackup fails with fleet.NotFound; edit may be called again.
	EditBackup(ctx context.Context, id string, edit func(*fleet.Backup)) (fleet.Backup, error)
	Backup(ctx context.Context, id string) (fleet.Backup, error)
	Backups(ctx context.Context, filter fleet.BackupFilter) ([]fleet.Backup, error)
	DeleteBackup(ctx context.Context, id string) error
	SaveDrill(ctx context.Context, d fleet.Drill) error
	Drills(ctx context.Context, filter fleet.DrillFilter) ([]fleet.Drill, error)
	DeleteDrill(ctx context.Context, id string) error
	BackupFact(ctx context.Context, name string) (string, error)
	SetBackupFact(ctx context.Context, name, value string) error

	Tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error)
	TenantByID(ctx context.Context, id string) (fleet.Tenant, error)
	TenantByDomain(ctx context.Context, domain fleet.Domain) (fleet.Tenant, error)
	Tenants(ctx context.Context, filter fleet.TenantFilter) ([]fleet.Tenant, error)
	// InsertTenant takes the same id again; a name or domain of another is fleet.Taken.
	InsertTenant(ctx context.Context, t fleet.Tenant) error
	// UpdateTenant fails with fleet.Conflict when t.Revision is not the stored one.
	UpdateTenant(ctx context.Context, t fleet.Tenant) (fleet.Tenant, error)
	DeleteTenant(ctx context.Context, id string) error
	GoldenImages(ctx context.Context) ([]fleet.GoldenImage, error)
	Recipe(ctx context.Context, hash string) ([]byte, error)
	SaveRecipe(ctx context.Context, hash string, bundle []byte) error
}

// Jobs takes jobs in and tells of them.
type Jobs interface {
	Submit(ctx context.Context, request jobs.Request) (fleet.Job, error)
	// ByKey finds the job an earlier request with this idempotency key made; fleet.NotFound.
	ByKey(ctx context.Context, key, hash string) (fleet.Job, error)
	List(ctx context.Context, filter jobs.JobFilter) ([]fleet.Job, error)
}

// Snapshots takes the short-lived snapshots that backups are read from, and keeps those a tenant
// has where a restore gives it another instance.
type Snapshots interface {
	// Take snapshots the tenant's instance under a name, its application held still unless crash.
	// A snapshot of that name is replaced: what is known of it was lost with the job's step.
	Take(ctx context.Context, run *jobs.Run, t fleet.Tenant, snapshot string, crash bool) (fleet.Snapshot, error)
	// Drop deletes one. A missing one, or a missing tenant, is success.
	Drop(ctx context.Context, run *jobs.Run, tenantID string, tenant fleet.Name, snapshot string) error
	// Safety snapshots the tenant's stopped instance; torn says why that may not be consistent.
	// Drop deletes it, too.
	Safety(ctx context.Context, run *jobs.Run, t fleet.Tenant, snapshot, note, torn string) error
	// Retire makes an instance that was the tenant's, and has another name now, the holder of its
	// snapshots: they stay the tenant's, and with the last of them it goes. It takes the tenant's
	// keys and hardware addresses from it.
	Retire(ctx context.Context, t fleet.Tenant, aside string) error
	// Regain undoes Retire, once the instance has the tenant's name and keys again.
	Regain(ctx context.Context, t fleet.Tenant) error
}

// Images brings golden images back.
type Images interface {
	// Rebuild makes a job that builds a version again from its stored recipe.
	Rebuild(ctx context.Context, ref fleet.ImageRef, recipe string) (fleet.Job, error)
	// Bring imports the tarball of an image for a job; fleet.Failed where it is not that image's.
	Bring(ctx context.Context, tarball io.Reader, g fleet.GoldenImage, jobID string, progress func(fleet.Progress)) error
	// Admit names and records an image that LXD has.
	Admit(ctx context.Context, g fleet.GoldenImage, jobID string) error
	// Dismiss deletes what Bring imported for the job.
	Dismiss(ctx context.Context, g fleet.GoldenImage, jobID string) error
}

// Readers read whole snapshots.
type Readers interface {
	// Open makes a throwaway copy of the snapshot, named name, that carries the job's id. It may
	// be repeated.
	Open(ctx context.Context, instance, snapshot, name, jobID string) (Reader, error)
}

// Reader is a snapshot that is being read.
type Reader interface {
	// Tar writes the root file system as a tar stream.
	Tar(ctx context.Context, w io.Writer) error
	// Lacks says what the stream cannot hold; empty: it holds all.
	Lacks() string
	// Close removes the copy.
	Close(ctx context.Context) error
}

// Tenancy is what backups ask of the tenants' own package.
type Tenancy interface {
	// Keys are the configuration keys an instance of the tenant carries, without KeyJob and
	// KeyReady.
	Keys(t fleet.Tenant) map[string]string
	// Draft checks what is asked for a new tenant and chooses its member: name and domains are
	// free, the plan exists. Errors are of codes Invalid, Taken, Exhausted and name the field.
	Draft(ctx context.Context, want Draft) (fleet.Tenant, error)
	// Place chooses a member for a tenant that is to come back.
	Place(ctx context.Context, t fleet.Tenant) (string, error)
	// Hold makes the tenant's requests wait until Resume, or until the time is over, and returns
	// when those that are being answered are, or after a while.
	Hold(ctx context.Context, run *jobs.Run, name fleet.Name, reason string, longest time.Duration) error
	Resume(ctx context.Context, name fleet.Name, reason string) error
	// Estrange takes from a stopped copy what makes it the original to others. Without mail, it
	// writes to nobody.
	Estrange(ctx context.Context, t fleet.Tenant, mail bool) error
	// Personalise runs the personalize hook of a copy in its running instance.
	Personalise(ctx context.Context, run *jobs.Run, t fleet.Tenant, mail bool) error
	// Await waits until the started tenant passes its health check; fleet.Unhealthy where it does
	// not in time, with what its instance says in the job's output.
	Await(ctx context.Context, run *jobs.Run, t fleet.Tenant) error
	// Refresh reads an instance anew, so that routes follow at once.
	Refresh(ctx context.Context, instance string) error
	// Nudge says that the tenant has changed in the store.
	Nudge(name fleet.Name)
	// Policy is the tenant's policy, with the time zone that holds for the tenant; the zero one
	// where it has none.
	Policy(ctx context.Context, t fleet.Tenant) (fleet.Policy, error)
}

// Draft is what is asked for a new tenant.
type Draft struct {
	Name    fleet.Name
	Domains []string
	Plan    string
	Member  string
	From    fleet.Tenant // what the rest is taken from
}
