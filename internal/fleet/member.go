package fleet

import "time"

// Member is an LXD server of the cluster; a stand-alone server is a fleet of one member,
// named "none" as LXD's location.
type Member struct {
	Name    string `json:"name"`
	Online  bool   `json:"online"`
	Message string `json:"message,omitempty"` // what LXD says of its state
	Address string `json:"address,omitempty"`
	// Of the pool tenants live in, on this member, in bytes; 0 where it could not be read.
	PoolTotal Size `json:"pool_total"`
	PoolUsed  Size `json:"pool_used"`
	// Memory in bytes and number of logical CPUs; 0 where it could not be read.
	MemoryTotal Size `json:"memory_total"`
	MemoryUsed  Size `json:"memory_used"`
	CPUs        int  `json:"cpus"`
	// Load is the average number of processes that ran or waited for a processor in the last
	// minute; nil where LXD does not tell (before 5.5, and without a cluster).
	Load *float64 `json:"load,omitempty"`
	// Status is LXD's word for its state. Online is true for the first alone.
	Status        MemberStatus `json:"status"`
	Groups        []string     `json:"groups,omitempty"` // LXD's cluster groups it is in
	FailureDomain string       `json:"failure_domain,omitempty"`
	Roles         []string     `json:"roles,omitempty"` // in LXD's database
	// Scheduler is LXD's own scheduler.instance: all, group or manual (LXD puts nothing there by
	// itself). Empty without a cluster.
	Scheduler string `json:"scheduler,omitempty"`
}

// MemberStatus is LXD's word for the state of a member.
type MemberStatus string

const (
	MemberOnline    MemberStatus = "Online"
	MemberOffline   MemberStatus = "Offline"
	MemberEvacuated MemberStatus = "Evacuated" // an operator emptied it: lxc cluster evacuate
	MemberBlocked   MemberStatus = "Blocked"   // it waits for others to be upgraded
)

// MemberRecord is what operators have said of a member. One without a record is not cordoned
// and has no labels.
type MemberRecord struct {
	Name string `json:"name"`
	// Cordoned: no tenant is placed on it or moved to it. What is there stays.
	Cordoned bool              `json:"cordoned"`
	Reason   string            `json:"reason,omitempty"` // of the cordon, for people
	Labels   map[string]string `json:"labels,omitempty"`
	// UpdatedAt and Revision are as a tenant's.
	UpdatedAt time.Time `json:"updated_at"`
	Revision  int64     `json:"revision"`
}

// Server is what the LXD server says of itself.
type Server struct {
	Version    string
	Clustered  bool
	Member     string // the member that answered
	Extensions []string
	Kernel     string
	Address    string
}

// Pool is a storage pool.
type Pool struct {
	Name   string
	Driver string
	Status string
	Config map[string]string
}

// Network is a network instances can be attached to.
type Network struct {
	Name    string
	Type    string
	Managed bool
	Config  map[string]string
}

// Lease is an address that a network's DHCP server gave to a network device, or keeps for it.
type Lease struct {
	Address         string
	HardwareAddress string
}

// ProjectSpec says what the LXD project must be.
type ProjectSpec struct {
	Name        string
	Description string
	Config      map[string]string
}

// ProfileSpec says what an LXD profile must be.
type ProfileSpec struct {
	Name        string
	Description string
	Config      map[string]string
	Devices     map[string]map[string]string
}
