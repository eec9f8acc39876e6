package tenants

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestMaintenance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.add("acme", "www.acme.test")
		_, err := w.service.ChangeDomain(t.Context(), "www.acme.test", DomainChange{Redirect: new(301)})
		do(t, err)
		v, err := w.service.Maintain(t.Context(), "acme", MaintenanceRequest{Message: "Back soon", Page: "<p>Soon</p>"})
		if err != nil || v.Maintenance == nil || v.Status != fleet.TenantRunning {
			t.Fatalf("%+v, %v", v, err)
		}
		r := w.route("acme")
		if r.State != fleet.RouteMaintenance || r.Maintenance.Message != "Back soon" || r.Maintenance.Page != "<p>Soon</p>" || r.Backend != "" {
			t.Errorf("route %+v", r)
		}
		if w.routes()["www.acme.test"] != fleet.RouteRedirect {
			t.Errorf("routes %v", w.routes())
		}
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{})) // whatever the instance does
		w.wantStatus("acme", fleet.TenantStopped, fleet.RouteMaintenance)
		w.done(w.service.Start(t.Context(), "acme", Once{}))
		time.Sleep(time.Minute)
		inst, _ := w.lxd.Seen("acme")
		if rebuilt, err := tenantOf(inst); err != nil || rebuilt.Maintenance == nil || rebuilt.Maintenance.Message != "Back soon" || rebuilt.Maintenance.Page != "" {
			t.Errorf("keys say %+v, %v", rebuilt.Maintenance, err)
		}
		for range 2 {
			_, err = w.service.Open(t.Context(), "acme")
			do(t, err)
			w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		}
	})
}

func TestHoldThatIsNotSeen(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.service.Gates = slowGates(func(fleet.Name) { w.wantStatus("acme", fleet.TenantRunning, fleet.RouteHold) })
		start := time.Now()
		_, err := w.service.Hold(t.Context(), "acme", "backup", 0)
		if fleet.CodeOf(err) != fleet.Unavailable || !strings.Contains(err.Error(), "stored") || time.Since(start) != followTime {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteHold) // the hold stands
	})
}

func TestHold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		for _, reason := range []string{"", "backup", "backup"} {
			_, err := w.service.Hold(t.Context(), "acme", reason, 0)
			do(t, err)
		}
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteHold)
		// Another daemon finds the reasons in the store.
		fresh := NewObserver(w.lxd, w.store, w.store, w, ObserverOptions{Dial: w.dial})
		do(t, fresh.Resync(t.Context()))
		if routes, err := fresh.Routes(t.Context()); err != nil || routes[0].State != fleet.RouteHold {
			t.Errorf("after a restart: %+v, %v", routes, err)
		}
		v, err := w.service.Resume(t.Context(), "acme", "backup")
		do(t, err)
		if diff := cmp.Diff([]fleet.Hold{{Reason: DefaultReason, Since: v.Holds[0].Since}}, v.Holds); diff != "" {
			t.Errorf("holds:\n%s", diff)
		}
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteHold)
		_, err = w.service.Resume(t.Context(), "acme", "")
		do(t, err)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
	})
}

func TestMaintenanceAndHoldEndByThemselves(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		watching, stop := context.WithCancel(t.Context())
		var watch sync.WaitGroup
		watch.Go(func() { (&Lapses{Service: w.service}).Run(watching) })
		defer watch.Wait()
		defer stop()
		_, err := w.service.Maintain(t.Context(), "acme", MaintenanceRequest{For: 10 * time.Minute})
		do(t, err)
		_, err = w.service.Hold(t.Context(), "acme", "long", 20*time.Minute)
		do(t, err)
		_, err = w.service.Hold(t.Context(), "acme", "short", time.Minute)
		do(t, err)
		time.Sleep(9 * time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteMaintenance)
		time.Sleep(2 * time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteHold)
		if v := w.get("acme"); v.Maintenance != nil || len(v.Holds) != 1 {
			t.Errorf("%+v, %v", v.Maintenance, v.Holds)
		}
		generation, err := w.store.Generation(t.Context())
		do(t, err)
		time.Sleep(10 * time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		if now, _ := w.store.Generation(t.Context()); now <= generation {
			t.Error("other processes are not told that the hold is over")
		}
	})
}

func TestMaintenanceRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		maintain := func(req MaintenanceRequest) error {
			_, err := w.service.Maintain(t.Context(), "acme", req)
			return err
		}
		wantError(t, maintain(MaintenanceRequest{Message: "a\x1b[31m"}), fleet.Invalid, "message")
		wantError(t, maintain(MaintenanceRequest{Message: strings.Repeat("é", 1001)}), fleet.Invalid, "message")
		wantError(t, maintain(MaintenanceRequest{Page: strings.Repeat("a", 64<<10+1)}), fleet.Invalid, "page", "64KiB")
		wantError(t, maintain(MaintenanceRequest{Page: "\xff"}), fleet.Invalid, "page")
		wantError(t, maintain(MaintenanceRequest{For: -1}), fleet.Invalid, "for")
		do(t, maintain(MaintenanceRequest{Message: strings.Repeat("é", 1000), Page: strings.Repeat("a", 64<<10)}))
		hold := func(name fleet.Name, reason string, span time.Duration) error {
			_, err := w.service.Hold(t.Context(), name, reason, span)
			return err
		}
		wantError(t, hold("acme", "No Reason", 0), fleet.Invalid, "reason")
		wantError(t, hold("acme", "x", 366*24*time.Hour), fleet.Invalid, "for")
		wantError(t, hold("nobody", "x", 0), fleet.NotFound, "")
		for i := range mostHolds {
			do(t, hold("acme", "r"+string(rune('a'+i)), 0))
		}
		wantError(t, hold("acme", "x", 0), fleet.Exhausted, "", "resume acme")
		_, err := w.service.Open(t.Context(), "nobody")
		wantError(t, err, fleet.NotFound, "")
		_, err = w.service.Resume(t.Context(), "nobody", "")
		wantError(t, err, fleet.NotFound, "")
		w.done(w.service.Remove(t.Context(), "acme", false, Once{}))
		wantError(t, maintain(MaintenanceRequest{}), fleet.Conflict, "", "trash")
		wantError(t, hold("acme", "x", 0), fleet.Conflict, "", "trash")
	})
}

func TestEdit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		edit := func(req EditRequest) View {
			t.Helper()
			v, err := w.service.Edit(t.Context(), "acme", req)
			do(t, err)
			return v
		}
		v := edit(EditRequest{DisplayName: new("Acme Ltd"), Contact: new("it@acme.test"), Labels: map[string]string{"a": "1", "b": "2"}})
		if v.DisplayName != "Acme Ltd" || v.Contact != "it@acme.test" || len(v.Labels) != 2 {
			t.Errorf("%+v", v.Tenant)
		}
		again := edit(EditRequest{DisplayName: new("Acme Ltd"), Labels: map[string]string{"a": "1", "c": ""}})
		if again.Revision != v.Revision {
			t.Error("an edit that changes nothing was written")
		}
		v = edit(EditRequest{DisplayName: new(""), Labels: map[string]string{"a": "", "b": "3"}})
		if diff := cmp.Diff(map[string]string{"b": "3"}, v.Labels); diff != "" || v.DisplayName != "" || v.Contact == "" {
			t.Errorf("%+v\n%s", v.Tenant, diff)
		}
		time.Sleep(time.Minute)
		inst, _ := w.lxd.Seen("acme")
		if rebuilt, err := tenantOf(inst); err != nil || rebuilt.Labels["b"] != "3" {
			t.Errorf("keys say %v, %v", rebuilt.Labels, err)
		}
		for field, req := range map[string]EditRequest{
			"display_name": {DisplayName: new("\x07")}, "contact": {Contact: new(strings.Repeat("x", 201))}, "labels": {Labels: map[string]string{"A": "b"}},
		} {
			_, err := w.service.Edit(t.Context(), "acme", req)
			wantError(t, err, fleet.Invalid, field)
		}
	})
}
