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
)

// Route leads an HTTP host to a tenant.
type Route struct {
	Domain  Domain     `json:"domain"`
	Tenant  Name       `json:"tenant"`
	State   RouteState `json:"state"`
	Backend string     `json:"backend"` // address:port the proxy dials; empty unless serving
}
