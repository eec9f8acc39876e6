package tenants

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

func TestStopAndStart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{}))
		w.wantStatus("acme", fleet.TenantStopped, fleet.RouteStopped)
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{})) // again: nothing to do
		_, err := w.service.Restart(t.Context(), "acme", 0, Once{})
		wantError(t, err, fleet.Conflict, "", "tenant start acme")
		w.done(w.service.Start(t.Context(), "acme", Once{}))
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		time.Sleep(time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		_, err = w.service.Stop(t.Context(), "acme", -time.Second, Once{})
		wantError(t, err, fleet.Invalid, "timeout")
		_, err = w.service.Stop(t.Context(), "nobody", 0, Once{})
		wantError(t, err, fleet.NotFound, "", "nobody")
	})
}

// forcing is an LXD that has to use force.
type forcing struct{ *lxdfake.LXD }

func (f forcing) EnsureStopped(ctx context.Context, name string, timeout time.Duration) (bool, error) {
	_, err := f.LXD.EnsureStopped(ctx, name, timeout)
	return timeout == 7*time.Second, err
}

func TestStopSaysWhenForced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.registry = newRegistryOn(t, w, forcing{w.lxd})
		w.start()
		w.tenant("acme")
		job, err := w.service.Stop(t.Context(), "acme", 7*time.Second, Once{})
		if out := w.output(w.done(job, err)); !strings.Contains(out, "within 7s and was stopped by force") {
			t.Errorf("the job says %q", out)
		}
	})
}

func TestRestartHoldsRequests(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		was := w.route("acme").Backend
		w.lxd.Inject(lxdfake.Fault{Method: "EnsureStopped", Delay: 2 * time.Second})
		job, err := w.service.Restart(t.Context(), "acme", 0, Once{})
		do(t, err)
		held := 0
		for {
			synctest.Wait()
			if j, _ := w.store.Job(t.Context(), job.ID); j.State.Finished() {
				break
			}
			if r := w.route("acme"); r.State != fleet.RouteHold {
				t.Fatalf("route %+v while the tenant restarts", r)
			}
			held++
			time.Sleep(20 * time.Millisecond)
		}
		w.done(job, nil)
		if r := w.route("acme"); r.State != fleet.RouteServe || r.Backend != was || held < 100 {
			t.Errorf("route %+v after %d looks, want %s", r, held, was)
		}
	})
}

// slowGates never see the end of a tenant's requests.
type slowGates func(tenant fleet.Name)

func (g slowGates) Follow(ctx context.Context) error { return g.Clear(ctx, "") }

func (g slowGates) Clear(ctx context.Context, tenant fleet.Name) error {
	g(tenant)
	<-ctx.Done()
	return fleet.Errorf(fleet.Unavailable, "2 requests are still being answered")
}

func TestRestartWaitsForRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.registry = jobs.NewRegistry()
		asked := 0
		gates := slowGates(func(tenant fleet.Name) {
			if tenant == "" { // a new tenant asks whether it is known
				return
			}
			asked++
			inst, err := w.lxd.Instance(t.Context(), "acme")
			if r := w.route("acme"); tenant != "acme" || r.State != fleet.RouteHold || err != nil || inst.Status != fleet.InstanceRunning {
				t.Errorf("%s is cleared with route %+v, instance %+v, %v", tenant, r, inst, err)
			}
		})
		do(t, Register(w.registry, KindDeps{LXD: w.lxd, Store: w.store, Observer: w.observer, Prober: w, Gates: gates}))
		w.start()
		w.tenant("acme")
		start := time.Now()
		out := w.output(w.done(w.service.Restart(t.Context(), "acme", 0, Once{})))
		if asked != 1 || time.Since(start) < clearTime || !strings.Contains(out, "2 requests are still being answered") {
			t.Errorf("asked %d times in %s; the job says %q", asked, time.Since(start), out)
		}
	})
}

func TestStartedButNotWell(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{}))
		w.setProbes(func(string, string, fleet.HealthCheck) error { return fleet.Errorf(fleet.Failed, "answers 500") })
		job, err := w.service.Start(t.Context(), "acme", Once{})
		if out := w.output(w.done(job, err)); !strings.Contains(out, "answers 500") || !strings.Contains(out, "journalctl") {
			t.Errorf("the job says %q", out)
		}
		time.Sleep(time.Minute)
		w.wantStatus("acme", fleet.TenantUnhealthy, fleet.RouteServe)
		w.setProbes(nil)
		time.Sleep(20 * time.Second)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
	})
}

func TestStartOfMissingInstance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.lxd.LxcDelete("acme"))
		time.Sleep(time.Second)
		for _, err := range []error{
			second(w.service.Start(t.Context(), "acme", Once{})),
			second(w.service.Stop(t.Context(), "acme", 0, Once{})),
			second(w.service.Resize(t.Context(), "acme", "large", Once{})),
		} {
			wantError(t, err, fleet.Conflict, "", "missing", "delete --now acme")
		}
	})
}

func second(_ fleet.Job, err error) error { return err }

func TestResize(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.done(w.service.Resize(t.Context(), "acme", "large", Once{}))
		if v := w.get("acme"); v.Plan != "large" || v.Status != fleet.TenantRunning {
			t.Errorf("tenant %+v", v)
		}
		_, err := w.service.Resize(t.Context(), "acme", "large", Once{})
		wantError(t, err, fleet.Conflict, "plan", "already")
		_, err = w.service.Resize(t.Context(), "acme", "huge", Once{})
		wantError(t, err, fleet.Invalid, "plan", "plans: large, medium, small")
	})
}

func TestWithPlan(t *testing.T) {
	tests := []struct{ have, from, to, want string }{
		{"default small", "small", "large", "default large"},
		{"default large", "small", "large", "default large"}, // done before
		{"default small backup", "small", "large", "default large backup"},
		{"default", "", "small", "default small"},
		{"default small", "", "small", "default small"},
		{"", "small", "large", "large"},
		{"default small large", "small", "large", "default large"},
	}
	for _, tt := range tests {
		if got := strings.Join(withPlan(strings.Fields(tt.have), tt.from, tt.to), " "); got != tt.want {
			t.Errorf("%q from %q to %q: %q, want %q", tt.have, tt.from, tt.to, got, tt.want)
		}
	}
}
