package proxy

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// gates keeps one gate per tenant.
type gates struct {
	limits Limits
	stop   <-chan struct{}
	byName sync.Map // fleet.Name → *Gate
}

// find gives the tenant's gate, or nil where it has none.
func (gs *gates) find(tenant fleet.Name) *Gate {
	g, ok := gs.byName.Load(tenant)
	if !ok {
		return nil
	}
	return g.(*Gate)
}

// ensure gives the tenant's gate and makes it where there is none.
func (gs *gates) ensure(tenant fleet.Name) *Gate {
	if g := gs.find(tenant); g != nil {
		return g
	}
	g, _ := gs.byName.LoadOrStore(tenant, newGate(gs.limits, gs.stop))
	return g.(*Gate)
}

// hold holds the tenant's gate, making it where there is none.
func (gs *gates) hold(tenant fleet.Name, reason string) {
	for !gs.ensure(tenant).hold(reason) {
		// Dropped between the two steps; the next ensure makes a new one.
	}
}

// dismiss ends every upgraded connection politely.
func (gs *gates) dismiss() {
	for _, g := range gs.byName.Range {
		g.(*Gate).dismiss()
	}
}

// sweep drops the idle gates of tenants that keep does not want.
func (gs *gates) sweep(keep func(fleet.Name) bool) {
	for name, g := range gs.byName.Range {
		if !keep(name.(fleet.Name)) && g.(*Gate).drop() {
			gs.byName.Delete(name)
		}
	}
}

// states lists the gates sorted by tenant.
func (gs *gates) states() []GateState {
	var all []GateState
	for name, value := range gs.byName.Range {
		g := value.(*Gate)
		g.mu.Lock()
		all = append(all, GateState{
			Tenant: name.(fleet.Name), Inflight: g.inflight, Held: g.waiters,
			Reasons: slices.Sorted(maps.Keys(g.reasons)),
		})
		g.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b GateState) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return all
}
