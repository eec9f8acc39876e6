package tenants

import (
	"fmt"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestAdopt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "handmade", Member: "n3", Fingerprint: w.image.Fingerprint, Profiles: []string{"default"}}))
		do(t, w.lxd.LxcStart("handmade"))
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "Odd"}))
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "lxdfleet-build", Config: map[string]string{fleet.KeyRole: fleet.RoleBuilder}}))
		soon()
		if !w.noted("handmade") {
			t.Error("nobody was told of the new instance")
		}
		list, err := w.service.Adoptable(t.Context())
		if err != nil || len(list) != 2 || list[0].Name != "Odd" || list[0].Obstacle == "" ||
			list[1].Name != "handmade" || list[1].Obstacle != "" || list[1].Location != "n3" {
			t.Fatalf("adoptable: %+v, %v", list, err)
		}
		w.done(w.service.Adopt(t.Context(), AdoptRequest{Name: "handmade", Plan: "large", Domains: []string{"hand.test"}}, Once{}))
		soon()
		w.wantStatus("handmade", fleet.TenantRunning, fleet.RouteServe)
		v := w.get("handmade")
		inst, _ := w.lxd.Seen("handmade")
		if v.Image != w.image.Ref() || v.Health != w.image.Health || v.Member != "n3" || fmt.Sprint(inst.Profiles) != "[default large]" {
			t.Errorf("tenant %+v, profiles %v", v.Tenant, inst.Profiles)
		}
		if list, _ := w.service.Adoptable(t.Context()); len(list) != 1 {
			t.Errorf("adoptable after: %+v", list)
		}
		do(t, (&Sweep{LXD: w.lxd, Store: w.store, Jobs: w.store}).Once(t.Context()))
		time.Sleep(time.Minute)
		w.wantStatus("handmade", fleet.TenantRunning, fleet.RouteServe)
	})
}

func TestAdoptStopped(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "handmade"}))
		w.done(w.service.Adopt(t.Context(), AdoptRequest{Name: "handmade"}, Once{}))
		w.wantStatus("handmade", fleet.TenantStopped, fleet.RouteStopped)
		w.done(w.service.Start(t.Context(), "handmade", Once{}))
		w.wantStatus("handmade", fleet.TenantRunning, fleet.RouteServe)
	})
}

// A copy of a tenant carries the tenant's keys; adopted, it is a tenant of its own.
func TestAdoptCopy(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		acme := w.tenant("acme")
		inst, _ := w.lxd.Seen("acme")
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "acme2", Config: inst.Config, Profiles: inst.Profiles}))
		soon()
		w.done(w.service.Adopt(t.Context(), AdoptRequest{Name: "acme2"}, Once{}))
		soon()
		twin, _ := w.lxd.Seen("acme2")
		if v := w.get("acme2"); v.ID == acme.ID || twin.Config[fleet.KeyTenant] != v.ID || twin.Config[fleet.KeyJob] != "" {
			t.Errorf("tenant %s, keys %v", v.ID, twin.Config)
		}
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		w.wantStatus("acme2", fleet.TenantStopped, fleet.RouteStopped)
	})
}

func TestAdoptRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "handmade"}))
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "builder", Config: map[string]string{fleet.KeyRole: fleet.RoleBuilder}}))
		tests := []struct {
			name  string
			req   AdoptRequest
			code  fleet.Code
			field string
		}{
			{"bad name", AdoptRequest{Name: "Odd"}, fleet.Invalid, "name"},
			{"nothing there", AdoptRequest{Name: "nobody"}, fleet.NotFound, "name"},
			{"a tenant's", AdoptRequest{Name: "acme"}, fleet.Taken, "name"},
			{"our own", AdoptRequest{Name: "builder"}, fleet.Conflict, "name"},
			{"taken domain", AdoptRequest{Name: "handmade", Domains: []string{"acme.example.test"}}, fleet.Taken, "domain"},
			{"unknown plan", AdoptRequest{Name: "handmade", Plan: "huge"}, fleet.Invalid, "plan"},
			{"bad health", AdoptRequest{Name: "handmade", Health: &fleet.HealthCheck{}}, fleet.Invalid, "health"},
			{"bad label", AdoptRequest{Name: "handmade", Labels: map[string]string{"": ""}}, fleet.Invalid, "labels"},
		}
		for _, tt := range tests {
			t.Log(tt.name)
			_, err := w.service.Adopt(t.Context(), tt.req, Once{})
			wantError(t, err, tt.code, tt.field)
		}
	})
}
