package fleet

import "time"

// Traffic is what a proxy has done since it counts, and what it does now. The numbers only
// grow, but for a tenant that was away: its counts begin anew.
type Traffic struct {
	At         time.Time // when the numbers were taken
	Since      time.Time // when counting began
	Generation int64     // of the table in use
	Hosts      int       // in it
	// Bounds are the upper ends of the first buckets of each tenant's durations, ascending.
	Bounds  []time.Duration
	Tenants []TenantTraffic // sorted by tenant
}

// TenantTraffic is one tenant's part of Traffic. Tenant is empty for hosts that lead nowhere.
type TenantTraffic struct {
	Tenant Name
	// State is what the proxy does with the tenant's requests; empty for hosts that lead nowhere.
	State RouteState
	// Reasons say why requests are held, sorted; empty while they are not.
	Reasons  []string
	Inflight int // requests at the backend
	Waiting  int // requests held

	Codes []CodeCount // sorted by class and code
	// Buckets count requests by how long they took to the end of the answer: Buckets[i] those
	// longer than Bounds[i-1] and at most Bounds[i], the last one those longer than any bound.
	// Connections taken over by an upgrade are not among them.
	Buckets []uint64
	Took    time.Duration // of those in Buckets, added up
	// Answered counts the answers that began, FirstByte is how long that took, added up.
	Answered          uint64
	FirstByte         time.Duration
	BytesIn, BytesOut uint64        // of bodies, and of upgraded connections
	Held              uint64        // requests that had to wait
	HeldFor           time.Duration // added up
	Retries           uint64        // attempts at a backend after a request's first
}

// CodeCount is how many requests were answered with a status code. 499 is a client that left
// before an answer. Code is 0 for codes that HTTP does not have; Class is the first digit, 0
// for what is in no class.
type CodeCount struct {
	Class, Code int
	Requests    uint64
}

// Requests is how many requests were answered, upgrades among them.
func (t TenantTraffic) Requests() (n uint64) {
	for _, c := range t.Codes {
		n += c.Requests
	}
	return n
}
