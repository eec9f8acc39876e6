package tenants

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Routes gives every route there is now, by domain: from the store, the jobs and what was
// last seen, without a call to LXD. No domain is in it twice. Where the store does not answer
// the error is fleet.Unavailable, and whoever has the routes of before should keep them.
func (o *Observer) Routes(ctx context.Context) ([]fleet.Route, error) {
	now, err := o.roster.read(ctx)
	if err != nil {
		return nil, err
	}
	working, err := unfinished(ctx, o.jobs)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return routesOf(now.all, working, o.observation, time.Now()), nil
}

// routesOf builds the routes. Should two tenants have one domain, which the store does not
// allow, the one that was first keeps it.
func routesOf(all []fleet.Tenant, working map[fleet.Name]fleet.Job, seen func(fleet.Tenant) fleet.Observation, now time.Time) []fleet.Route {
	byAge := slices.SortedFunc(slices.Values(all), func(a, b fleet.Tenant) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	routes, given := make([]fleet.Route, 0, len(all)), make(map[fleet.Domain]bool, len(all))
	for _, t := range byAge {
		if !t.Ready || t.Desired == fleet.DesiredRemoved {
			continue
		}
		route := routeOf(t, working[t.Name], seen(t), now)
		for _, d := range t.Domains {
			if set := t.DomainSettings[d]; !given[d] && !set.Pending {
				given[d] = true
				routes = append(routes, domainRoute(route, t, d, set))
			}
		}
	}
	slices.SortFunc(routes, func(a, b fleet.Route) int { return strings.Compare(string(a.Domain), string(b.Domain)) })
	return routes
}

// domainRoute makes a tenant's route that of one of its domains. A redirect holds whatever the
// tenant does, but never leads to a domain that is not served.
func domainRoute(route fleet.Route, t fleet.Tenant, d fleet.Domain, set fleet.DomainSetting) fleet.Route {
	primary := t.Primary()
	if set.Redirect != 0 && d != primary && !primary.Wildcard() && !t.DomainSettings[primary].Pending {
		return fleet.Route{Domain: d, Tenant: t.Name, State: fleet.RouteRedirect, Redirect: primary, Code: set.Redirect, Guard: t.Guard}
	}
	route.Domain = d
	return route
}

// routeOf decides what happens to the requests of a tenant that is in service. What an operator
// asked for goes before what the tenant does.
func routeOf(t fleet.Tenant, job fleet.Job, o fleet.Observation, now time.Time) fleet.Route {
	route := fleet.Route{Tenant: t.Name, Guard: t.Guard}
	switch {
	case t.Maintenance != nil && !t.Maintenance.Over(now):
		route.State, route.Maintenance = fleet.RouteMaintenance, t.Maintenance
	case slices.ContainsFunc(t.Holds, func(h fleet.Hold) bool { return !h.Over(now) }):
		route.State = fleet.RouteHold
	default:
		route.State, route.Backend = routeState(t, job, o)
	}
	return route
}

// routeState decides what happens to the requests of a tenant by what it does and what is done to it.
func routeState(t fleet.Tenant, job fleet.Job, o fleet.Observation) (fleet.RouteState, string) {
	if job.State != fleet.JobStuck { // a stuck job holds nothing up: what is, shows
		switch job.Kind {
		case KindStart, KindRestart, KindUndelete, fleet.KindRestore:
			return fleet.RouteHold, ""
		case KindStop, KindRemove, KindPurge:
			return fleet.RouteStopped, ""
		}
	}
	// An instance whose member does not answer LXD most likely runs on.
	running := o.Status == fleet.InstanceRunning || o.Status == fleet.InstanceError
	switch {
	case o.At.IsZero():
		return fleet.RouteHold, ""
	case !o.Exists || !running:
		return fleet.RouteStopped, ""
	case !o.Backend().Known():
		return fleet.RouteHold, ""
	}
	return fleet.RouteServe, o.Backend().Dial(t.Health.Port)
}
