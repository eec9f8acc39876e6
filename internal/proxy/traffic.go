package proxy

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
	"github.com/lxdfleet/lxdfleet/internal/proxy/metrics"
)

func newTraffic() *metrics.Traffic {
	var reasons []string
	for _, r := range guard.Reasons() {
		reasons = append(reasons, string(r))
	}
	return metrics.New(time.Now(), reasons...)
}

// tenantsOf lists whose routes t has.
func tenantsOf(t *Table) map[fleet.Name]bool {
	tenants := make(map[fleet.Name]bool)
	for _, r := range t.routes {
		tenants[r.Tenant] = true
	}
	return tenants
}

// Traffic gives what was answered since the start, by tenant, with the gates and what the table
// says of each tenant. Every tenant in the table is there.
func (s *Server) Traffic() fleet.Traffic {
	table := s.router.Table()
	out := fleet.Traffic{
		At: time.Now(), Since: s.traffic.Since(), Generation: table.Generation(), Hosts: table.Len(),
		Bounds: metrics.Bounds(), Tenants: s.traffic.Tenants(),
	}
	gates := make(map[fleet.Name]GateState)
	for _, g := range s.router.Gates() {
		gates[g.Tenant] = g
	}
	states := statesOf(table)
	for i := range out.Tenants {
		t := &out.Tenants[i]
		g := gates[t.Tenant]
		t.Inflight, t.Waiting, t.Reasons, t.State = g.Inflight, g.Held, g.Reasons, states[t.Tenant]
		if len(g.Reasons) > 0 && t.State == fleet.RouteServe {
			t.State = fleet.RouteHold
		}
	}
	return out
}

// statesOf gives what the table does with each tenant's requests: where its routes differ, the
// best a visitor can have of it.
func statesOf(t *Table) map[fleet.Name]fleet.RouteState {
	best := []fleet.RouteState{
		fleet.RouteServe, fleet.RouteHold, fleet.RouteMaintenance, fleet.RouteStopped, fleet.RouteRedirect,
	}
	states := make(map[fleet.Name]fleet.RouteState)
	for _, r := range t.routes {
		before, ok := states[r.Tenant]
		if !ok || slices.Index(best, r.State) < slices.Index(best, before) {
			states[r.Tenant] = r.State
		}
	}
	return states
}

// Collector shows the server's traffic, connections, routes and certificates to Prometheus.
func (s *Server) Collector() prometheus.Collector {
	return metrics.NewCollector(s.traffic, metrics.Sources{
		Now: s.Traffic,
		Certificates: func() []metrics.Expiry {
			var all []metrics.Expiry
			for host, end := range s.certs.Expiries() {
				all = append(all, metrics.Expiry{Host: host, End: end})
			}
			return all
		},
		Upgraded:   s.upgrades.count,
		LogDropped: s.cfg.Access.Dropped,
	})
}
