package fleet

// RouteState says what the proxy does with a request for a route's host.
type RouteState string

const (
	// RouteServe: pass it to the backend.
	RouteServe RouteState = "serve"
	// RouteHold: the tenant is starting or away for a moment; hold the request at the gate.
	RouteHold RouteState = "hold"
	// RouteStopped: the tenant is stopped; answer 503 with the stopped page.
	RouteStopped RouteState = "stopped"
	// RouteMaintenance: answer 503 with the page that Maintenance holds, whatever the tenant does.
	RouteMaintenance RouteState = "maintenance"
	// RouteRedirect: send the visitor to the same path at the host Redirect, with status Code.
	RouteRedirect RouteState = "redirect"
)

// Route leads an HTTP host to a tenant.
type Route struct {
	// Domain is the host, or a wildcard. A host's own route goes before a wildcard's.
	Domain  Domain     `json:"domain"`
	Tenant  Name       `json:"tenant"`
	State   RouteState `json:"state"`
	Backend string     `json:"backend"` // address:port the proxy dials; empty unless serving
	// Redirect and Code (301 or 308) are set with RouteRedirect.
	Redirect Domain `json:"redirect,omitempty"`
	Code     int    `json:"code,omitempty"`
	// Maintenance is set with RouteMaintenance. It is shared, and not to be changed.
	Maintenance *Maintenance `json:"maintenance,omitempty"`
	// Guard is what the tenant's visitors may do; nil: nothing is said. It is shared, and not to
	// be changed.
	Guard *GuardRules `json:"guard,omitempty"`
}

// Equal reports whether both routes say the same.
func (r Route) Equal(o Route) bool {
	return r.Maintenance.same(o.Maintenance) && r.Guard.same(o.Guard) && r.bare() == o.bare()
}

// bare is the route without what is compared by its content.
func (r Route) bare() Route { r.Maintenance, r.Guard = nil, nil; return r }
