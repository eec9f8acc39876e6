package api

import (
	"context"
	"io"
	"iter"
	"net/url"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/clusters"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/gauges"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/migration"
	"github.com/lxdfleet/lxdfleet/internal/placement"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
	"github.com/lxdfleet/lxdfleet/internal/webhooks"
)

// Tenants is what the API needs of the tenants' lifecycle; tenants.Service is one. Every
// method fails with fleet errors.
type Tenants interface {
	Create(ctx context.Context, req tenants.CreateRequest, once tenants.Once) (fleet.Job, error)
	// Put gives a job without an ID where nothing takes long.
	Put(ctx context.Context, name fleet.Name, req tenants.PutRequest) (fleet.Job, tenants.Outcome, error)
	Adopt(ctx context.Context, req tenants.AdoptRequest, once tenants.Once) (fleet.Job, error)
	Start(ctx context.Context, name fleet.Name, once tenants.Once) (fleet.Job, error)
	// Stop and Restart take the service's own timeout for 0.
	Stop(ctx context.Context, name fleet.Name, timeout time.Duration, once tenants.Once) (fleet.Job, error)
	Restart(ctx context.Context, name fleet.Name, timeout time.Duration, once tenants.Once) (fleet.Job, error)
	Resize(ctx context.Context, name fleet.Name, plan string, once tenants.Once) (fleet.Job, error)
	Remove(ctx context.Context, name fleet.Name, now bool, once tenants.Once) (fleet.Job, error)
	Undelete(ctx context.Context, name fleet.Name, once tenants.Once) (fleet.Job, error)

	// These are done at once, without a job, and may be repeated.
	Edit(ctx context.Context, name fleet.Name, req tenants.EditRequest) (tenants.View, error)
	Maintain(ctx context.Context, name fleet.Name, req tenants.MaintenanceRequest) (tenants.View, error)
	Open(ctx context.Context, name fleet.Name) (tenants.View, error)
	EditGuard(ctx context.Context, name fleet.Name, edit tenants.GuardEdit) (tenants.View, error)
	DropGuard(ctx context.Context, name fleet.Name) (tenants.View, error)
	// Hold takes 0 for no end. Resume takes every reason away where none is given.
	Hold(ctx context.Context, name fleet.Name, reason string, span time.Duration) (tenants.View, error)
	Resume(ctx context.Context, name fleet.Name, reason string) (tenants.View, error)

	Get(ctx context.Context, name fleet.Name) (tenants.View, error)
	List(ctx context.Context, filter fleet.TenantFilter) ([]tenants.View, error)
	Adoptable(ctx context.Context) ([]tenants.Candidate, error)
	Recover(ctx context.Context, dryRun bool) ([]tenants.Recovered, error)

	// CredentialsLink makes a link that shows the tenant's first credentials once; fleet.NotFound
	// where it has none.
	CredentialsLink(ctx context.Context, name fleet.Name) (secret string, until time.Time, err error)
	UseCredentialsLink(ctx context.Context, secret string) (tenants.Credentials, error)
	// CredentialsUsed is when a link has shown them; zero: never.
	CredentialsUsed(ctx context.Context, name fleet.Name) (time.Time, error)

	// Exec runs a command until it ends or ctx does.
	Exec(ctx context.Context, name fleet.Name, spec fleet.ExecSpec) (exit int, err error)
	// Logs writes lines to w, until ctx ends where Follow is set.
	Logs(ctx context.Context, name fleet.Name, req tenants.LogRequest, w io.Writer) error
}

// Domains is what the API needs of tenants' domains; tenants.Service is one.
type Domains interface {
	AddDomain(ctx context.Context, tenant fleet.Name, req tenants.DomainRequest) (tenants.DomainView, error)
	ChangeDomain(ctx context.Context, domain string, req tenants.DomainChange) (tenants.DomainView, error)
	RemoveDomain(ctx context.Context, domain string) error
	// CheckDomain looks for the proof again and retries the certificate.
	CheckDomain(ctx context.Context, domain string) (tenants.DomainView, error)
	Domain(ctx context.Context, domain string) (tenants.DomainView, error)
	// DomainRecord is Domain without what DNS and its certificate say.
	DomainRecord(ctx context.Context, domain string) (tenants.DomainView, error)
	// PreviewDomain tells of any name what DNS says, and what is to be set.
	PreviewDomain(ctx context.Context, domain string) (tenants.DomainView, error)
	Domains(ctx context.Context, filter tenants.DomainFilter) ([]tenants.DomainView, error)
}

// Placement is what the API needs of members and of where tenants live; tenants.Service is one.
type Placement interface {
	Members(ctx context.Context) ([]tenants.MemberView, error)
	Member(ctx context.Context, name string) (tenants.MemberView, error)
	EditMember(ctx context.Context, name string, edit tenants.MemberEdit) (tenants.MemberView, error)
	Explain(ctx context.Context, req tenants.ExplainRequest) (tenants.Explanation, error)
	// The plans move nothing.
	DrainPlan(ctx context.Context, member string) (placement.Plan, error)
	RebalancePlan(ctx context.Context, consolidate bool) (placement.Plan, error)
}

// Moves is what the API needs of moves; migration.Service is one.
type Moves interface {
	Move(ctx context.Context, tenant fleet.Name, req migration.Request, once migration.Once) (fleet.Job, error)
	MoveAt(ctx context.Context, tenant fleet.Name, req migration.Request, at time.Time, once migration.Once) (fleet.Job, error)
	// MoveInWindow is MoveAt as soon as the tenant's window allows.
	MoveInWindow(ctx context.Context, tenant fleet.Name, req migration.Request, once migration.Once) (fleet.Job, error)
	// Estimate moves nothing.
	Estimate(ctx context.Context, tenant fleet.Name, req migration.Request) (migration.Estimate, error)
	Drain(ctx context.Context, member string, partial bool, o migration.Options, once migration.Once) (fleet.Job, error)
	Restore(ctx context.Context, member string, o migration.Options, once migration.Once) (fleet.Job, error)
	Rebalance(ctx context.Context, consolidate bool, o migration.Options, once migration.Once) (fleet.Job, error)
}

// Bulk is what the API needs of what is done to many tenants at once; bulk.Service is one.
type Bulk interface {
	Begin(ctx context.Context, r bulk.Request, who bulk.Choice, once bulk.Once) (fleet.Job, error)
}

// Proxies is what the API needs of proxies on hosts of their own.
type Proxies interface {
	// Proxies lists those that have joined, by name.
	Proxies() []fleet.ProxyStatus
	Remove(ctx context.Context, name string) error
	// Token makes a token that is good once within ttl, for the name only where that is not empty.
	Token(ctx context.Context, name string, ttl time.Duration) (ProxyTicket, error)
}

// ProxyTicket is what a proxy joins with.
type ProxyTicket struct {
	Token      string // a secret
	Controller string // address
	ExpiresAt  time.Time
}

// Images is what the API needs of golden images. key identifies a request that may be sent
// twice (empty: it does not), keyHash is a hash of the whole request.
type Images interface {
	// Build takes a tar of recipe.yaml and the files it names.
	Build(ctx context.Context, bundle []byte, key, keyHash string) (fleet.Job, error)
	// Import takes over the file at path, a unified LXD image tarball, once it has made a job:
	// the file goes when the job is over.
	Import(ctx context.Context, path string, ref fleet.ImageRef, description, key, keyHash string) (fleet.Job, error)
	Delete(ctx context.Context, ref fleet.ImageRef, key, keyHash string) (fleet.Job, error)
	// Get gives the current version where ref has none.
	Get(ctx context.Context, ref fleet.ImageRef) (fleet.GoldenImage, error)
	List(ctx context.Context) ([]fleet.GoldenImage, error)
}

// Snapshots is what the API needs of tenants' snapshots; snapshots.Service is one.
type Snapshots interface {
	Create(ctx context.Context, tenant fleet.Name, req snapshots.CreateRequest, once snapshots.Once) (fleet.Job, error)
	// Delete deletes a pinned one with force only.
	Delete(ctx context.Context, tenant fleet.Name, snapshot string, force bool, once snapshots.Once) (fleet.Job, error)
	Restore(ctx context.Context, tenant fleet.Name, snapshot string, once snapshots.Once) (fleet.Job, error)
	Clone(ctx context.Context, tenant fleet.Name, snapshot string, req snapshots.CloneRequest, once snapshots.Once) (fleet.Job, error)

	// List gives the oldest first.
	List(ctx context.Context, tenant fleet.Name) ([]fleet.Snapshot, error)
	Snapshot(ctx context.Context, tenant fleet.Name, snapshot string) (fleet.Snapshot, error)
	Edit(ctx context.Context, tenant fleet.Name, snapshot string, req snapshots.EditRequest) (fleet.Snapshot, error)
	// Diff compares with the tenant as it is where to is empty.
	Diff(ctx context.Context, tenant fleet.Name, from, to string) ([]fleet.FileChange, error)
	Files(ctx context.Context, tenant fleet.Name, snapshot, path string) ([]fleet.FileInfo, error)
	// ReadFile opens a file. The caller closes it; ctx has to last until then.
	ReadFile(ctx context.Context, tenant fleet.Name, snapshot, path string) (io.ReadCloser, fleet.FileInfo, error)
}

// Policies is what the API needs of the policies; snapshots.Service is one.
type Policies interface {
	Policies(ctx context.Context) ([]fleet.Policy, error)
	Policy(ctx context.Context, name string) (fleet.Policy, error)
	// SavePolicy makes a policy of revision 0, and replaces one of the revision it was read with.
	SavePolicy(ctx context.Context, p fleet.Policy) (fleet.Policy, error)
	DeletePolicy(ctx context.Context, name string) error
	// Plan tells what a tenant's policy does next, and what it keeps and why.
	Plan(ctx context.Context, tenant fleet.Name) (snapshots.Outlook, error)
}

// Backups is what the API needs of the backups; backups.Service is one. An id may be a beginning
// of it that no other has.
type Backups interface {
	Create(ctx context.Context, tenant fleet.Name, req backups.CreateRequest, once backups.Once) (fleet.Job, error)
	// SaveControl backs the control plane up.
	SaveControl(ctx context.Context, once backups.Once) (fleet.Job, error)
	// Delete deletes a pinned one with force only.
	Delete(ctx context.Context, id string, force bool, once backups.Once) (fleet.Job, error)
	Restore(ctx context.Context, id string, req backups.RestoreRequest, once backups.Once) (fleet.Job, error)
	Verify(ctx context.Context, req backups.VerifyRequest, once backups.Once) (fleet.Job, error)
	Prune(ctx context.Context, once backups.Once) (fleet.Job, error)
	Drill(ctx context.Context, req backups.DrillRequest, once backups.Once) (fleet.Job, error)

	// List and Drills give the newest first.
	List(ctx context.Context, filter fleet.BackupFilter) ([]fleet.Backup, error)
	Drills(ctx context.Context, filter fleet.DrillFilter) ([]fleet.Drill, error)
	Backup(ctx context.Context, id string) (fleet.Backup, error)
	Edit(ctx context.Context, id string, req backups.EditRequest) (fleet.Backup, error)
	// Diff compares with the tenant as it is where to is empty.
	Diff(ctx context.Context, id string, to backups.DiffTo) ([]fleet.FileChange, error)
	// Kept tells which of a tenant's backups the next prune keeps, and why.
	Kept(ctx context.Context, tenant fleet.Name) ([]backups.Kept, error)
	Files(ctx context.Context, id, path string) ([]fleet.FileInfo, error)
	// ReadFile opens a file. The caller closes it; ctx has to last until then.
	ReadFile(ctx context.Context, id, path string) (io.ReadCloser, fleet.FileInfo, error)

	Status(ctx context.Context) (backups.Status, error)
	Init(ctx context.Context) (backups.Key, error)
	Rotate(ctx context.Context) (backups.Key, error)
	// Recorded notes that there is a copy of the recovery key, which is typed.
	Recorded(ctx context.Context, typed string) error
	Recover(ctx context.Context, req backups.RecoverRequest) (backups.Recovery, error)
}

// Jobs is what the API needs of the job engine; jobs.Engine is one.
type Jobs interface {
	Job(ctx context.Context, id string) (fleet.Job, error)
	List(ctx context.Context, filter jobs.JobFilter) ([]fleet.Job, error)
	// Facts tells of each job what it is about beside its subject; nil where there is nothing.
	Facts(ctx context.Context, list ...fleet.Job) ([]map[string]string, error)
	// Events reads events after the given number, at most limit (0: all).
	Events(ctx context.Context, id string, after int64, limit int) ([]fleet.JobEvent, error)
	// Watch yields events after the given number as they come, and ends when the job is finished.
	Watch(ctx context.Context, id string, after int64) iter.Seq2[fleet.JobEvent, error]
	// Wait gives the job once it is finished; the context's error where that ends before.
	Wait(ctx context.Context, id string) (fleet.Job, error)
	Cancel(ctx context.Context, id string) (fleet.Job, error)
	Retry(ctx context.Context, id string) (fleet.Job, error)
}

// OpenID is an OpenID provider where people log in; openid.Provider is one.
type OpenID interface {
	Name() string
	// Begin gives the provider's address, and what the browser keeps until Finish.
	Begin(ctx context.Context) (address, kept string, err error)
	Finish(ctx context.Context, kept string, answer url.Values) (fleet.Identity, error)
}

// Accounts is what the API needs of users, sessions, tokens and the audit log; accounts.Service
// is one.
type Accounts interface {
	Login(ctx context.Context, l accounts.Login) (accounts.Opened, error)
	// LoginByOpenID lets in whoever prove tells of.
	LoginByOpenID(ctx context.Context, l accounts.Login, prove func(context.Context) (fleet.Identity, error)) (accounts.Opened, error)
	BySession(ctx context.Context, secret, address string) (fleet.Caller, error)
	ByToken(ctx context.Context, text, address string) (fleet.Caller, error)
	Logout(ctx context.Context, caller fleet.Caller) error
	// Renew gives a session another secret, and ends the user's others.
	Renew(ctx context.Context, caller fleet.Caller, l accounts.Login) (accounts.Opened, error)
	Sessions(ctx context.Context, user string) ([]fleet.Session, error)
	EndSession(ctx context.Context, user, id string) error
	EndSessions(ctx context.Context, user string) error

	ChangePassword(ctx context.Context, caller fleet.Caller, old, password string) error
	PlanTOTP(caller fleet.Caller) (secret, address string, err error)
	SetTOTP(ctx context.Context, caller fleet.Caller, password, secret, code string) error
	DropTOTP(ctx context.Context, caller fleet.Caller, password string) error
	ClearTOTP(ctx context.Context, name string) error

	Users(ctx context.Context) ([]fleet.User, error)
	User(ctx context.Context, name string) (fleet.User, error)
	CreateUser(ctx context.Context, u fleet.User, subject string) (fleet.User, error)
	// EditUser takes 0 for any revision.
	EditUser(ctx context.Context, name string, edit accounts.UserEdit, revision int64) (before, after fleet.User, err error)
	DeleteUser(ctx context.Context, name string) error
	Link(ctx context.Context, name string) (secret string, until time.Time, err error)
	LinkUser(ctx context.Context, secret string) (fleet.User, error)
	UseLink(ctx context.Context, secret, password string) (fleet.User, error)

	CreateToken(ctx context.Context, caller fleet.Caller, req accounts.TokenRequest) (t fleet.Token, text string, err error)
	// Tokens lists everybody's for the empty owner.
	Tokens(ctx context.Context, owner string) ([]fleet.Token, error)
	DeleteToken(ctx context.Context, caller fleet.Caller, id string) error

	Note(ctx context.Context, caller fleet.Caller, e fleet.AuditEntry) error
	Audit(ctx context.Context, caller fleet.Caller, f fleet.AuditFilter) ([]fleet.AuditEntry, error)
	// Check gives the newest entry, and where the log is not as it was written.
	Check(ctx context.Context) (last fleet.AuditEntry, flaws []accounts.Flaw, err error)
}

// Gauges is what the API needs of what tenants and members used lately; gauges.Service is one.
type Gauges interface {
	Tenant(name fleet.Name, after time.Time) ([]gauges.Point, []gauges.Traffic)
	Member(name string, after time.Time) []gauges.MemberPoint
}

// Answers is where the API keeps what requests with an idempotency key were answered; store.Store
// is one.
type Answers interface {
	// BeginAnswer notes a request, or gives the one that was noted with its ID before.
	BeginAnswer(ctx context.Context, a fleet.Answer, keep time.Duration) (was fleet.Answer, begun bool, err error)
	SaveAnswer(ctx context.Context, a fleet.Answer) error
	DropAnswer(ctx context.Context, id string) error
}

// Webhooks is what the API needs of the webhooks; webhooks.Service is one.
type Webhooks interface {
	Webhooks(ctx context.Context) ([]fleet.Webhook, error)
	Webhook(ctx context.Context, id string) (fleet.Webhook, error)
	// Create gives it with its secret.
	Create(ctx context.Context, w fleet.Webhook) (fleet.Webhook, error)
	// Edit takes 0 for any revision. The secret is in the answer where it is new.
	Edit(ctx context.Context, id string, edit webhooks.Edit, revision int64) (before, after fleet.Webhook, err error)
	Delete(ctx context.Context, id string) error
	Test(ctx context.Context, id string) (fleet.Delivery, error)
	// Deliveries gives the newest first.
	Deliveries(ctx context.Context, f fleet.DeliveryFilter) ([]fleet.Delivery, error)
	Replay(ctx context.Context, id string) (fleet.Delivery, error)
}

// Clusters is what the API needs of other clusters; clusters.Service is one.
type Clusters interface {
	List(ctx context.Context) ([]clusters.View, error)
	Get(ctx context.Context, name fleet.Name) (clusters.View, error)
	// Record is Get without asking the cluster.
	Record(ctx context.Context, name fleet.Name) (clusters.View, error)
	Add(ctx context.Context, req clusters.AddRequest) (clusters.View, error)
	Rotate(ctx context.Context, name fleet.Name) (clusters.View, error)
	Remove(ctx context.Context, name fleet.Name, force bool) error
}

// Implemented elsewhere, held here: a change there shows at once.
var (
	_ Tenants   = (*tenants.Service)(nil)
	_ Domains   = (*tenants.Service)(nil)
	_ Jobs      = (*jobs.Engine)(nil)
	_ Snapshots = (*snapshots.Service)(nil)
	_ Policies  = (*snapshots.Service)(nil)
	_ Placement = (*tenants.Service)(nil)
	_ Backups   = (*backups.Service)(nil)
	_ Bulk      = (*bulk.Service)(nil)
	_ Accounts  = (*accounts.Service)(nil)
	_ Webhooks  = (*webhooks.Service)(nil)
	_ Clusters  = (*clusters.Service[clusters.LXD])(nil)
	_ Gauges    = (*gauges.Service)(nil)
)
