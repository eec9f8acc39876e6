package proxy

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// holdForRoute is the reason a gate is held for while a route of its tenant says hold.
const holdForRoute = "route"

// Router knows where each host leads now, and holds the gates. All its methods may be called
// at any time from any goroutine.
type Router struct {
	table atomic.Pointer[Table]
	gates gates
	log   *slog.Logger

	mu        sync.Mutex // one Publish at a time
	conflicts []Conflict
	swapped   []func(*Table)
	forget    func(backend string)
}

func newRouter(first *Table, limits Limits, stop <-chan struct{}, log *slog.Logger) *Router {
	r := &Router{gates: gates{limits: limits, stop: stop}, log: log, forget: func(string) {}}
	r.prepare(first)
	r.table.Store(first)
	return r
}

// onSwap has f called after each new table, in order. f must not block.
func (r *Router) onSwap(f func(*Table)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swapped = append(r.swapped, f)
}

// onTurn has f called with a backend that requests went to, and with one that they will go to, before
// they do. f must not block.
func (r *Router) onTurn(f func(backend string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget = f
}

// Table gives the table in use.
func (r *Router) Table() *Table { return r.table.Load() }

// Conflicts lists the domains that two tenants claim in the table in use.
func (r *Router) Conflicts() []Conflict {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.conflicts)
}

// Publish makes these routes the ones in use and returns the generation that has them. Routes
// that lead every host as before change nothing, the generation included. When it returns, new
// requests see the new routes, and requests held for routes that serve again are released.
func (r *Router) Publish(routes []fleet.Route) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	next, conflicts := BuildTable(old.generation+1, routes)
	r.report(conflicts)
	if next.same(old) {
		r.sweep(next)
		return old.generation
	}
	// The order matters: gates are held before the table says so and resumed after it says
	// otherwise, so a request that is let in never spins on a route that still says hold.
	r.prepare(next)
	r.table.Store(next)
	r.release(old, next)
	r.sweep(next)
	for _, f := range r.swapped {
		f(next)
	}
	return next.generation
}

// prepare makes the gates of t's tenants and holds those that t holds.
func (r *Router) prepare(t *Table) {
	for _, route := range t.routes {
		if route.State == fleet.RouteHold {
			r.gates.hold(route.Tenant, holdForRoute)
		} else {
			r.gates.ensure(route.Tenant)
		}
	}
}

// release resumes the gates that next does not hold and wakes those whose routes changed.
func (r *Router) release(old, next *Table) {
	held := make(map[fleet.Name]bool)
	for _, route := range next.routes {
		if route.State == fleet.RouteHold {
			held[route.Tenant] = true
		}
	}
	for domain, before := range old.routes {
		now, ok := next.routes[domain]
		if ok && now.Equal(*before) {
			continue
		}
		if !ok || now.State != before.State || now.Backend != before.Backend {
			// Behind the same address there may be another instance than before, as after a move.
			r.forget(before.Backend)
			if ok {
				r.forget(now.Backend)
			}
		}
		g := r.gates.find(before.Tenant)
		if g == nil {
			continue
		}
		if !held[before.Tenant] {
			g.Resume(holdForRoute)
		}
		g.wake()
	}
}

func (r *Router) sweep(t *Table) {
	wanted := make(map[fleet.Name]bool)
	for _, route := range t.routes {
		wanted[route.Tenant] = true
	}
	r.gates.sweep(func(n fleet.Name) bool { return wanted[n] })
}

// report logs conflicts that were not there before.
func (r *Router) report(conflicts []Conflict) {
	for _, c := range conflicts {
		if !slices.Contains(r.conflicts, c) {
			r.log.Warn("two tenants claim one domain; the first keeps it",
				"domain", c.Domain, "kept", c.Kept, "refused", c.Refused)
		}
	}
	r.conflicts = conflicts
}

// Hold makes the tenant's requests wait until Resume with the same reason, whatever its routes
// say. The tenant need not have a route yet.
func (r *Router) Hold(tenant fleet.Name, reason string) { r.gates.hold(tenant, reason) }

// Resume takes a reason to hold away; with the last one held requests go on, the first to come first.
func (r *Router) Resume(tenant fleet.Name, reason string) {
	if g := r.gates.find(tenant); g != nil {
		g.Resume(reason)
	}
}

// Drain waits until none of the tenant's requests is with its backend. Hold first. The error is
// of code Unavailable when ctx ends sooner.
func (r *Router) Drain(ctx context.Context, tenant fleet.Name) error {
	if g := r.gates.find(tenant); g != nil {
		return g.Drain(ctx)
	}
	return nil
}

// Gates lists the gates sorted by tenant.
func (r *Router) Gates() []GateState { return r.gates.states() }
