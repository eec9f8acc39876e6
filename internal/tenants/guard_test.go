package tenants

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestGuard(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.add("acme", "www.acme.test")
		_, err := w.service.ChangeDomain(t.Context(), "www.acme.test", DomainChange{Redirect: new(301)})
		do(t, err)
		revision := w.get("acme").Revision
		ten := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		var none []netip.Prefix
		hsts := &fleet.HSTS{MaxAge: 60}
		for _, step := range []struct {
			name    string
			edit    GuardEdit
			want    *fleet.GuardRules
			changes int64
		}{
			{"nothing", GuardEdit{}, nil, 0},
			{"some", GuardEdit{Allow: &ten, RequestsPerSecond: new(5.0), Burst: new(9), HSTS: &hsts}, &fleet.GuardRules{Allow: ten, RequestsPerSecond: 5, Burst: 9, HSTS: hsts}, 1},
			{"the same again", GuardEdit{Allow: &ten, Burst: new(9)}, &fleet.GuardRules{Allow: ten, RequestsPerSecond: 5, Burst: 9, HSTS: hsts}, 0},
			{"others too", GuardEdit{Allow: &none, MaxBody: new(fleet.Size(7))}, &fleet.GuardRules{RequestsPerSecond: 5, Burst: 9, HSTS: hsts, MaxBody: 7}, 1},
			{"a burst goes with its rate", GuardEdit{RequestsPerSecond: new(0.0), HSTS: new((*fleet.HSTS)(nil))}, &fleet.GuardRules{MaxBody: 7}, 1},
		} {
			v, err := w.service.EditGuard(t.Context(), "acme", step.edit)
			if err != nil || v.Revision != revision+step.changes {
				t.Fatalf("%s: %v, revision %d after %d", step.name, err, v.Revision, revision)
			}
			revision = v.Revision
			compare := func(where string, got *fleet.GuardRules) {
				t.Helper()
				if diff := cmp.Diff(step.want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
					t.Errorf("%s, %s:\n%s", step.name, where, diff)
				}
			}
			compare("tenant", v.Guard)
			routes, err := w.observer.Routes(t.Context())
			do(t, err)
			for _, r := range routes {
				compare("route of "+r.Domain.String(), r.Guard)
			}
		}
		_, err = w.service.EditGuard(t.Context(), "acme", GuardEdit{Burst: new(5)})
		wantError(t, err, fleet.Invalid, "burst")
		if v, err := w.service.DropGuard(t.Context(), "acme"); err != nil || v.Guard != nil {
			t.Errorf("%+v, %v", v.Guard, err)
		}
	})
}
