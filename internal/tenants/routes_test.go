package tenants

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestRouteState(t *testing.T) {
	seen := fleet.Observation{Exists: true, Status: fleet.InstanceRunning, Address: "10.0.0.1", At: time.Now()}
	v6 := seen
	v6.Address = "fd00::1"
	stopped := fleet.Observation{Exists: true, Status: fleet.InstanceStopped, At: time.Now()}
	booting := fleet.Observation{Exists: true, Status: fleet.InstanceRunning, At: time.Now()}
	away := seen
	away.Status = fleet.InstanceError
	tests := []struct {
		name    string
		desired fleet.Desired
		job     fleet.Job
		seen    fleet.Observation
		state   fleet.RouteState
		backend string
	}{
		{"running", fleet.DesiredRunning, fleet.Job{}, seen, fleet.RouteServe, "10.0.0.1:80"},
		{"running on IPv6", fleet.DesiredRunning, fleet.Job{}, v6, fleet.RouteServe, "[fd00::1]:80"},
		{"no address yet", fleet.DesiredRunning, fleet.Job{}, booting, fleet.RouteHold, ""},
		{"not seen yet", fleet.DesiredRunning, fleet.Job{}, fleet.Observation{}, fleet.RouteHold, ""},
		{"stopped", fleet.DesiredStopped, fleet.Job{}, stopped, fleet.RouteStopped, ""},
		{"stopped by hand", fleet.DesiredRunning, fleet.Job{}, stopped, fleet.RouteStopped, ""},
		{"missing", fleet.DesiredRunning, fleet.Job{}, fleet.Observation{At: time.Now()}, fleet.RouteStopped, ""},
		{"its member is away", fleet.DesiredRunning, fleet.Job{}, away, fleet.RouteServe, "10.0.0.1:80"},
		{"starting", fleet.DesiredRunning, fleet.Job{Kind: KindStart, State: fleet.JobRunning}, stopped, fleet.RouteHold, ""},
		{"restarting", fleet.DesiredRunning, fleet.Job{Kind: KindRestart, State: fleet.JobQueued}, seen, fleet.RouteHold, ""},
		{"restart is stuck", fleet.DesiredRunning, fleet.Job{Kind: KindRestart, State: fleet.JobStuck}, stopped, fleet.RouteStopped, ""},
		{"stopping", fleet.DesiredStopped, fleet.Job{Kind: KindStop, State: fleet.JobRunning}, seen, fleet.RouteStopped, ""},
		{"resizing", fleet.DesiredRunning, fleet.Job{Kind: KindResize, State: fleet.JobRunning}, seen, fleet.RouteServe, "10.0.0.1:80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tenant := fleet.Tenant{Desired: tt.desired, Ready: true, Health: fleet.DefaultHealth()}
			state, backend := routeState(tenant, tt.job, tt.seen)
			if state != tt.state || backend != tt.backend {
				t.Errorf("%s %q, want %s %q", state, backend, tt.state, tt.backend)
			}
		})
	}
}

// No domain leads to two tenants, whatever the store says, and the order does not matter.
func TestRoutesGiveADomainOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []fleet.Tenant
		for i := range rapid.IntRange(0, 8).Draw(t, "tenants") {
			all = append(all, fleet.Tenant{
				ID: fmt.Sprintf("id%d", i), Name: fleet.Name(fmt.Sprintf("t%d", i)),
				Domains: rapid.SliceOfN(rapid.SampledFrom([]fleet.Domain{"a.test", "b.test", "c.test", "d.test"}), 0, 3).Draw(t, "domains"),
				Ready:   rapid.Bool().Draw(t, "ready"), Health: fleet.DefaultHealth(),
				Desired:   rapid.SampledFrom([]fleet.Desired{fleet.DesiredRunning, fleet.DesiredStopped, fleet.DesiredRemoved}).Draw(t, "desired"),
				CreatedAt: time.Unix(rapid.Int64Range(0, 3).Draw(t, "created"), 0),
			})
			tenant := &all[i]
			for _, d := range slices.Clone(tenant.Domains) {
				tenant.SetDomain(d, fleet.DomainSetting{
					Pending: rapid.Bool().Draw(t, "pending"), Redirect: rapid.SampledFrom([]int{0, 301}).Draw(t, "redirect"),
				})
			}
			if rapid.Bool().Draw(t, "maintenance") {
				tenant.Maintenance = &fleet.Maintenance{Until: time.Unix(rapid.Int64Range(0, 3).Draw(t, "until"), 0)}
			}
		}
		seen := func(tenant fleet.Tenant) fleet.Observation {
			return fleet.Observation{Exists: true, Status: fleet.InstanceRunning, Address: "10.0.0." + tenant.ID[2:], At: time.Unix(1, 0)}
		}
		routes := routesOf(all, nil, seen, time.Unix(1, 0))
		owners := map[fleet.Domain]fleet.Name{}
		for _, r := range routes {
			if other, twice := owners[r.Domain]; twice {
				t.Fatalf("%s leads to %s and to %s", r.Domain, other, r.Tenant)
			}
			owners[r.Domain] = r.Tenant
			tenant, _ := callRoll(all).name(r.Tenant)
			if !tenant.Ready || tenant.Desired == fleet.DesiredRemoved {
				t.Fatalf("%s leads to %+v", r.Domain, tenant)
			}
			if (r.State == fleet.RouteServe) != (r.Backend != "") || (r.State == fleet.RouteRedirect) != (r.Redirect != "") {
				t.Fatalf("route %+v", r)
			}
			if tenant.DomainSettings[r.Domain].Pending {
				t.Fatalf("%s is served and was never proven", r.Domain)
			}
		}
		for _, r := range routes {
			if r.Redirect == "" {
				continue
			}
			i := slices.IndexFunc(routes, func(o fleet.Route) bool { return o.Domain == r.Redirect })
			if i < 0 || routes[i].Tenant == r.Tenant && routes[i].State == fleet.RouteRedirect {
				t.Fatalf("%s redirects to %s, which is not served: %+v", r.Domain, r.Redirect, routes)
			}
		}
		shuffled := rapid.Permutation(all).Draw(t, "shuffled")
		if diff := cmp.Diff(routes, routesOf(shuffled, nil, seen, time.Unix(1, 0))); diff != "" {
			t.Fatalf("the order of tenants matters:\n%s", diff)
		}
	})
}
