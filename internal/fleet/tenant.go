package fleet

import "time"

// Desired is what an agency wants of a tenant.
type Desired string

const (
	DesiredRunning Desired = "running"
	DesiredStopped Desired = "stopped"
	// DesiredRemoved: in the trash. The instance is kept, stopped, until PurgeAt.
	DesiredRemoved Desired = "removed"
)

// Tenant is a client's place in the fleet. It owns exactly one instance, which has its name.
type Tenant struct {
	ID          string            `json:"id"`
	Name        Name              `json:"name"`
	DisplayName string            `json:"display_name,omitempty"`
	Contact     string            `json:"contact,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Image       ImageRef          `json:"image"`
	Plan        string            `json:"plan"`
	// Domains are the hosts it is served at; the first is the primary one.
	Domains []Domain `json:"domains"`
	// DomainSettings are of those domains that have any.
	DomainSettings map[Domain]DomainSetting `json:"domain_settings,omitempty"`
	// Maintenance closes it to visitors; nil: it is open.
	Maintenance *Maintenance `json:"maintenance,omitempty"`
	// Holds are the reasons, sorted, for which its requests wait.
	Holds []Hold `json:"holds,omitempty"`
	// Guard is what its visitors may do; nil: the proxy's general rules hold alone. It is not
	// changed once set, but replaced.
	Guard *GuardRules `json:"guard,omitempty"`
	// Wishes say which member it wants to live on; nil: any.
	Wishes *Wishes `json:"wishes,omitempty"`
	// Admin is who administers its application first; nil: whom the image makes up.
	Admin *Admin `json:"admin,omitempty"`
	// Policy is the name of the policy it is snapshotted and backed up by; empty: none.
	Policy string `json:"policy,omitempty"`
	// TimeZone is the IANA name of the zone its policy is read in; empty: the policy's.
	TimeZone string   `json:"time_zone,omitempty"`
	Quiesce  *Quiesce `json:"quiesce,omitempty"` // nil: by the image's hook
	// Window is when it may be worked on, as ParseWindow reads it, in its time zone; empty: never by itself.
	Window  string      `json:"window,omitempty"`
	Health  HealthCheck `json:"health"`
	Desired Desired     `json:"desired"`
	// Ready is false until the create or adopt job has passed its commit point.
	Ready bool `json:"ready"`
	// Member is where the tenant is wanted; Observation.Location is where it is.
	Member string `json:"member"`
	// MovedAt is when it came to its member from another; zero: it was made there.
	MovedAt   time.Time  `json:"moved_at,omitzero"`
	PurgeAt   *time.Time `json:"purge_at,omitempty"` // set while in the trash
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	// Revision grows by one with every change; a writer that read an older one gets Conflict.
	Revision int64 `json:"revision"`
}

// Observation is what LXD said of a tenant's instance when it was last seen.
type Observation struct {
	Exists   bool
	Status   InstanceStatus
	Location string
	Address  string // the instance's own IP address; empty until known
	// Via and Port are as a Backend's: how the proxy reaches the instance other than by Address.
	Via  string
	Port int
	// Healthy is the outcome of the last health check; nil before the first.
	Healthy *bool
	At      time.Time
}

// Backend is where the proxy reaches the instance.
func (o Observation) Backend() Backend {
	return Backend{Address: o.Address, Via: o.Via, Port: o.Port}
}

// TenantStatus is the one word shown for a tenant.
type TenantStatus string

const (
	TenantCreating          TenantStatus = "creating"
	TenantStarting          TenantStatus = "starting"
	TenantRunning           TenantStatus = "running"
	TenantUnhealthy         TenantStatus = "unhealthy"
	TenantStopped           TenantStatus = "stopped"
	TenantStoppedByOperator TenantStatus = "stopped-by-operator"
	TenantMissing           TenantStatus = "missing"
	TenantRemoved           TenantStatus = "removed"
	TenantUnknown           TenantStatus = "unknown"
)

// StatusOf derives the status from what is wanted and what was seen.
func StatusOf(t Tenant, o Observation) TenantStatus {
	switch {
	case t.Desired == DesiredRemoved:
		return TenantRemoved
	case !t.Ready:
		return TenantCreating
	case o.At.IsZero() || o.Status == InstanceError:
		return TenantUnknown
	case !o.Exists:
		return TenantMissing
	case o.Status != InstanceRunning && t.Desired == DesiredStopped:
		return TenantStopped
	case o.Status != InstanceRunning:
		return TenantStoppedByOperator
	case !o.Backend().Known():
		return TenantStarting
	case o.Healthy != nil && !*o.Healthy:
		return TenantUnhealthy
	}
	return TenantRunning
}

// TenantOrder is what a list of tenants is sorted by; among equals, by name.
type TenantOrder string

const (
	TenantsByName    TenantOrder = ""
	TenantsByCreated TenantOrder = "created"
	// TenantsByStatus needs what was last seen of them, which the store does not know.
	TenantsByStatus TenantOrder = "status"
)

// TenantFilter narrows a list of tenants; zero fields do not. Statuses and TenantsByStatus are for
// the tenants' service: the store knows none.
type TenantFilter struct {
	Search  string            // part of the name, display name or a domain
	Labels  map[string]string // all of them
	Image   string            // golden image's name
	Version string            // with Image: this version only
	Plan    string
	Member  string // wanted member
	Desired []Desired
	Names   []Name // only these; nil: all
	// Statuses: only those with one of these.
	Statuses []TenantStatus

	Order TenantOrder
	Down  bool // the greatest first
	// After: only those that follow this one in the list (paging). Where Order is another than by
	// name, AfterCreated or AfterStatus are its, too.
	After        Name
	AfterCreated time.Time
	AfterStatus  TenantStatus
	Limit        int // 0: all
}

// Empty reports whether the filter leaves all tenants, but for paging.
func (f TenantFilter) Empty() bool {
	return f.Search == "" && len(f.Labels) == 0 && f.Image == "" && f.Plan == "" && f.Member == "" && len(f.Desired) == 0 && f.Names == nil && len(f.Statuses) == 0
}
