package fleet

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
