package tenants

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// openGates follow at once, and note it.
type openGates struct{ followed func() }

func (g openGates) Follow(context.Context) error { g.followed(); return nil }

func (openGates) Clear(context.Context, fleet.Name) error { return nil }

// The job of a new tenant is done when the proxies know the tenant: whoever asks for its page
// then gets it.
func TestNewTenantsAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.registry = jobs.NewRegistry()
		var subject string
		var states []fleet.RouteState
		gates := openGates{func() { states = append(states, w.route(subject).State) }}
		do(t, Register(w.registry, KindDeps{LXD: w.lxd, Store: w.store, Observer: w.observer, Prober: w, Gates: gates}))
		w.start()
		subject = "acme"
		w.tenant("acme")
		subject = "handmade"
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "handmade", Member: "n1", Fingerprint: w.image.Fingerprint, Profiles: []string{"default"}}))
		do(t, w.lxd.LxcStart("handmade"))
		soon()
		w.done(w.service.Adopt(t.Context(), AdoptRequest{Name: "handmade", Domains: []string{"hand.test"}}, Once{}))
		if len(states) != 2 || states[0] != fleet.RouteServe || states[1] == "" {
			t.Errorf("the routes when the proxies were asked: %q", states)
		}
	})
}

// A proxy that cannot be reached does not hold up a new tenant for long.
func TestNewTenantWithAProxyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.registry = jobs.NewRegistry()
		do(t, Register(w.registry, KindDeps{
			LXD: w.lxd, Store: w.store, Observer: w.observer, Prober: w, Gates: slowGates(func(fleet.Name) {}),
		}))
		w.start()
		out := w.output(w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})))
		if !strings.Contains(out, "not served by every proxy yet") {
			t.Errorf("the job says %q", out)
		}
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
	})
}
