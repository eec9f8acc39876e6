package metrics

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Traffic counts what a proxy does. Its methods may be called from any goroutine.
type Traffic struct {
	since   time.Time
	unknown Tenant // hosts that lead nowhere
	// The map never changes once it is stored: a request's way is one read of it.
	tenants atomic.Pointer[map[fleet.Name]*Tenant]
	mu      sync.Mutex // one change of it at a time

	refused map[string]*atomic.Uint64 // never changes
	others  atomic.Uint64             // refused for what is not in the list

	connections atomic.Int64
	handshakes  atomic.Uint64 // that failed
}

// New begins to count. reasons are all that Refused is to tell apart.
func New(now time.Time, reasons ...string) *Traffic {
	t := &Traffic{since: now, refused: make(map[string]*atomic.Uint64, len(reasons))}
	for _, r := range reasons {
		t.refused[r] = new(atomic.Uint64)
	}
	t.tenants.Store(&map[fleet.Name]*Tenant{})
	return t
}

// Follow makes tenants the ones that are counted by name. The counts of those that are not
// among them any longer are dropped.
func (t *Traffic) Follow(tenants map[fleet.Name]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.tenants.Load()
	next := make(map[fleet.Name]*Tenant, len(tenants))
	same := len(old) == len(tenants)
	for name := range tenants {
		counts, ok := old[name]
		if !ok {
			counts, same = &Tenant{}, false
		}
		next[name] = counts
	}
	if !same {
		t.tenants.Store(&next)
	}
}

// Tenant gives the counts of a tenant, or those of hosts that lead nowhere where it is not
// followed. It allocates nothing.
func (t *Traffic) Tenant(name fleet.Name) *Tenant {
	if counts, ok := (*t.tenants.Load())[name]; ok {
		return counts
	}
	return &t.unknown
}

// Refused counts a connection or request that the guard refused.
func (t *Traffic) Refused(reason string) {
	if n, ok := t.refused[reason]; ok {
		n.Add(1)
	} else {
		t.others.Add(1)
	}
}

// Refusals gives how many were refused for each reason; those of reasons that New was not given
// are together as "other".
func (t *Traffic) Refusals() map[string]uint64 {
	all := map[string]uint64{"other": t.others.Load()}
	for reason, n := range t.refused {
		all[reason] = n.Load()
	}
	return all
}

// HandshakeFailed counts a connection that ended before TLS was agreed on.
func (t *Traffic) HandshakeFailed() { t.handshakes.Add(1) }

// ConnState is that of an http.Server: it counts open connections.
func (t *Traffic) ConnState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		t.connections.Add(1)
	case http.StateHijacked, http.StateClosed:
		t.connections.Add(-1)
	}
}

// Connections is how many are open now, without upgraded ones.
func (t *Traffic) Connections() int64 { return t.connections.Load() }

// Tenants gives the counts of all tenants sorted by name, first those of hosts that lead
// nowhere. Bounds are those of their buckets.
func (t *Traffic) Tenants() []fleet.TenantTraffic {
	tenants := *t.tenants.Load()
	all := append(make([]fleet.TenantTraffic, 0, len(tenants)+1), t.unknown.counts())
	for _, name := range slices.Sorted(maps.Keys(tenants)) {
		counts := tenants[name].counts()
		counts.Tenant = name
		all = append(all, counts)
	}
	return all
}

// Since is when counting began.
func (t *Traffic) Since() time.Time { return t.since }
