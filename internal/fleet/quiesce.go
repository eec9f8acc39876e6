package fleet

import "time"

// Ways to hold an application still for a snapshot.
const (
	QuiesceHook  = "hook"  // the golden image's pre-snapshot hook; the default
	QuiesceMySQL = "mysql" // lxdfleet itself locks a MySQL or MariaDB server
	QuiesceNone  = "none"  // not at all: its snapshots are crash-consistent
)

// Quiesce says how a tenant's application is held still while a snapshot is taken.
type Quiesce struct {
	By string `json:"by,omitempty"` // one of the ways; empty: hook
	// Limit is how long the application's writes may be blocked at most. 0: 5 s.
	Limit time.Duration `json:"limit_ns,omitempty"`
	// Address of the MySQL server, "host:port" or a socket's absolute path on the daemon's host;
	// empty: port 3306 of the tenant's instance.
	Address string `json:"address,omitempty"`
	// Login is the absolute path, in the tenant's instance, of an option file whose section
	// [client] has user and password; empty: DefaultQuiesceLogin. The password is read anew for
	// each snapshot and kept nowhere.
	Login string `json:"login,omitempty"`
}

// DefaultQuiesceLogin is where the login for the MySQL quiesce is looked for.
const DefaultQuiesceLogin = "/etc/lxdfleet/quiesce.cnf"
