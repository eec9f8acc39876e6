package tenants

import (
	"context"
	"net"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Viewer reads what LXD has. Errors are fleet errors: NotFound, Unavailable.
type Viewer interface {
	Members(ctx context.Context) ([]fleet.Member, error)
	Profiles(ctx context.Context) ([]fleet.ProfileSpec, error)
	Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error)
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	// Backends gives where the application on the port of a running instance is reached, the best
	// first, and makes what leads there; none while it has no address yet.
	Backends(ctx context.Context, name string, port int) ([]fleet.Backend, error)
	// Use tells what an instance uses; it costs LXD some ten milliseconds.
	Use(ctx context.Context, name string) (fleet.InstanceUse, error)
	// Events runs until ctx ends, and sends fleet.EventsResumed after each connect.
	Events(ctx context.Context) <-chan fleet.LXDEvent
}

// Changer changes instances. Every method is an ensure verb: done twice, it has the same result.
type Changer interface {
	// EnsureClone knows its own by fleet.KeyJob: an instance of that name with another job is fleet.Taken.
	EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error
	// EnsureCopy makes a stopped instance of another or of a snapshot; like EnsureClone.
	EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	PushFile(ctx context.Context, name string, f fleet.File) error
	SetConfig(ctx context.Context, name string, set map[string]string) error
	SetProfiles(ctx context.Context, name string, profiles []string) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error)
	EnsureDeleted(ctx context.Context, name string) error
}

// Inside reaches into an instance.
type Inside interface {
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	ConsoleLog(ctx context.Context, name string) ([]byte, error)
}

// LXD is all that this package asks of LXD, within one project.
type LXD interface {
	Viewer
	Changer
	Inside
}

// Gates let visitors' requests through to a tenant, or hold them, at every proxy.
type Gates interface {
	// Follow returns once every proxy does what the store says now. Unavailable, with the names
	// of those that do not, when ctx ends first.
	Follow(ctx context.Context) error
	// Clear returns once every proxy follows the tenant's state as it is now, and none of its
	// requests is with its instance where that state holds them. Unavailable when ctx ends first.
	Clear(ctx context.Context, tenant fleet.Name) error
}

// Store keeps tenants.
type Store interface {
	// InsertTenant takes the same id again; a name or domain of another is fleet.Taken.
	InsertTenant(ctx context.Context, t fleet.Tenant) error
	Tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error)
	TenantByID(ctx context.Context, id string) (fleet.Tenant, error)
	TenantByDomain(ctx context.Context, domain fleet.Domain) (fleet.Tenant, error)
	Tenants(ctx context.Context, filter fleet.TenantFilter) ([]fleet.Tenant, error)
	// UpdateTenant fails with fleet.Conflict when t.Revision is not the stored one.
	UpdateTenant(ctx context.Context, t fleet.Tenant) (fleet.Tenant, error)
	// TakeDomain is UpdateTenant, and in the same step takes d from the tenant that has it.
	TakeDomain(ctx context.Context, d fleet.Domain, t fleet.Tenant) (was, now fleet.Tenant, err error)
	// DomainCheck gives the zero one where d was never checked; fleet.NotFound where nobody has it.
	DomainCheck(ctx context.Context, d fleet.Domain) (fleet.DomainCheck, error)
	PendingChecks(ctx context.Context) (map[fleet.Domain]fleet.DomainCheck, error)
	// SaveDomainCheck writes nothing where the tenant with the id has not d any more.
	SaveDomainCheck(ctx context.Context, id string, d fleet.Domain, check fleet.DomainCheck) error
	DeleteTenant(ctx context.Context, id string) error
	// MemberRecords lists what operators said of members; most have no record.
	MemberRecords(ctx context.Context) ([]fleet.MemberRecord, error)
	// MemberRecord of a member without one is the zero record of that name.
	MemberRecord(ctx context.Context, name string) (fleet.MemberRecord, error)
	// SaveMemberRecord fails with fleet.Conflict when m.Revision is not the stored one.
	SaveMemberRecord(ctx context.Context, m fleet.MemberRecord) (fleet.MemberRecord, error)
	// Policy fails with fleet.NotFound.
	Policy(ctx context.Context, name string) (fleet.Policy, error)
	// SaveTenantLink keeps a one-time link to the credentials of the tenant with the id, beside earlier ones.
	SaveTenantLink(ctx context.Context, id, hash string, now, until time.Time) error
	// TenantLink gives the id of the tenant a link is for; fleet.Unauthenticated where it is not good.
	TenantLink(ctx context.Context, hash string, now time.Time) (id string, err error)
	// UseTenantLink uses a link up, and the tenant's others with it: of two at the same time one
	// succeeds. Errors as TenantLink.
	UseTenantLink(ctx context.Context, hash string, now time.Time) error
	// TenantLinkUsed is when the credentials of the tenant were last shown by a link; zero: never.
	TenantLinkUsed(ctx context.Context, id string) (time.Time, error)
	// Generation grows with every change of a tenant, by this process or another.
	Generation(ctx context.Context) (int64, error)
}

// Images reads golden images.
type Images interface {
	// GoldenImage without a version gives the current one; fleet.NotFound.
	GoldenImage(ctx context.Context, ref fleet.ImageRef) (fleet.GoldenImage, error)
	GoldenImages(ctx context.Context) ([]fleet.GoldenImage, error)
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

// Dial opens a connection, as net.Dialer's DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Prober asks an application once whether it is well: nil when it is. host is the Host
// header, backend the address:port to connect to.
type Prober interface {
	Probe(ctx context.Context, backend, host string, check fleet.HealthCheck) error
}
