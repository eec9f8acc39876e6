package proxy

import (
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Table leads hosts to routes. It never changes once built, so any number of goroutines may
// use it without locks.
type Table struct {
	generation int64
	// The map holds pointers into one slice, and the hosts are pieces of one string: with a
	// hundred thousand of them a lookup's time is that of the memory it has to touch.
	routes map[fleet.Domain]*fleet.Route
	// wild has the wildcards among them by their base; nil where there is none.
	wild map[fleet.Domain]*fleet.Route
}

// Conflict is a domain that two tenants claim. The first in the list keeps it.
type Conflict struct {
	Domain  fleet.Domain
	Kept    fleet.Name
	Refused fleet.Name
}

// BuildTable makes the table of these routes. It is a pure function: the same routes give the
// same table. Where a domain appears twice the first route wins; a second one of another tenant
// is reported. A route that cannot be served as it stands (no backend yet, a redirect to
// nowhere, or a state this version does not know) is held, never dropped.
func BuildTable(generation int64, routes []fleet.Route) (*Table, []Conflict) {
	t := &Table{generation: generation, routes: make(map[fleet.Domain]*fleet.Route, len(routes))}
	routes = packed(routes)
	var conflicts []Conflict
	for i := range routes {
		r := &routes[i]
		if first, ok := t.routes[r.Domain]; ok {
			if first.Tenant != r.Tenant {
				conflicts = append(conflicts, Conflict{Domain: r.Domain, Kept: first.Tenant, Refused: r.Tenant})
			}
			continue
		}
		if !complete(*r) {
			r.State = fleet.RouteHold
		}
		t.routes[r.Domain] = r
		if r.Domain.Wildcard() {
			if t.wild == nil {
				t.wild = make(map[fleet.Domain]*fleet.Route)
			}
			t.wild[r.Domain.Base()] = r
		}
	}
	return t, conflicts
}

// complete reports whether a route has all that its state needs.
func complete(r fleet.Route) bool {
	switch r.State {
	case fleet.RouteServe:
		return r.Backend != ""
	case fleet.RouteRedirect:
		return r.Redirect != "" && r.Redirect != r.Domain
	case fleet.RouteStopped, fleet.RouteMaintenance:
		return true
	}
	return false
}

// packed copies routes so that their domains are pieces of one string.
func packed(routes []fleet.Route) []fleet.Route {
	var b strings.Builder
	for _, r := range routes {
		b.WriteString(string(r.Domain))
	}
	all := fleet.Domain(b.String())
	routes = slices.Clone(routes)
	for i := range routes {
		n := len(routes[i].Domain)
		routes[i].Domain, all = all[:n], all[n:]
	}
	return routes
}

// Lookup gives the route of a host in the form of a fleet.Domain: its own or, where it has
// none, that of the wildcard one label above it. It is one map read, two for the hosts of
// wildcards, and allocates nothing.
func (t *Table) Lookup(host string) (fleet.Route, bool) {
	if r, ok := t.routes[fleet.Domain(host)]; ok {
		return *r, true
	}
	if t.wild != nil {
		if dot := strings.IndexByte(host, '.'); dot > 0 {
			if r, ok := t.wild[fleet.Domain(host[dot+1:])]; ok {
				return *r, true
			}
		}
	}
	return fleet.Route{}, false
}

// Generation counts published tables; it grows over restarts too where the table is saved.
func (t *Table) Generation() int64 { return t.generation }

// Len is the number of hosts, wildcards among them.
func (t *Table) Len() int { return len(t.routes) }

// Routes lists the routes sorted by domain.
func (t *Table) Routes() []fleet.Route {
	var all []fleet.Route
	for _, r := range t.routes {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b fleet.Route) int { return strings.Compare(string(a.Domain), string(b.Domain)) })
	return all
}

// same reports whether both tables lead every host the same way.
func (t *Table) same(o *Table) bool {
	return maps.EqualFunc(t.routes, o.routes, func(a, b *fleet.Route) bool { return a.Equal(*b) })
}
