package tenants

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

// soon is the second within which what an operator does must show.
func soon() { time.Sleep(time.Second) }

func TestFollowStopAndStartByHand(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.lxd.LxcStop("acme"))
		soon()
		w.wantStatus("acme", fleet.TenantStoppedByOperator, fleet.RouteStopped)
		time.Sleep(10 * time.Minute)
		w.wantStatus("acme", fleet.TenantStoppedByOperator, fleet.RouteStopped) // never fought
		do(t, w.lxd.LxcStart("acme"))
		soon()
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		do(t, w.lxd.LxcRestart("acme"))
		soon()
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
	})
}

func TestFollowStartOfStoppedTenant(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{}))
		time.Sleep(2 * time.Minute)
		w.wantStatus("acme", fleet.TenantStopped, fleet.RouteStopped)
		do(t, w.lxd.LxcStart("acme"))
		soon()
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		time.Sleep(2 * keysPause)
		inst, _ := w.lxd.Seen("acme")
		if v := w.get("acme"); v.Desired != fleet.DesiredRunning || inst.Config[fleet.KeyState] != "running" {
			t.Errorf("wanted %s, key %s", v.Desired, inst.Config[fleet.KeyState])
		}
	})
}

func TestFollowStartInTheTrash(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.done(w.service.Remove(t.Context(), "acme", false, Once{}))
		do(t, w.lxd.LxcStart("acme"))
		time.Sleep(time.Minute)
		w.wantStatus("acme", fleet.TenantRemoved, "")
	})
}

func TestFollowDelete(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.lxd.LxcDelete("acme"))
		soon()
		w.wantStatus("acme", fleet.TenantMissing, fleet.RouteStopped)
	})
}

func TestFollowRename(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		before := w.tenant("acme")
		do(t, w.lxd.LxcStop("acme"))
		do(t, w.lxd.LxcRename("acme", "acme-new"))
		do(t, w.lxd.LxcStart("acme-new"))
		soon()
		w.wantStatus("acme-new", fleet.TenantRunning, fleet.RouteServe)
		time.Sleep(2 * keysPause)
		after := w.get("acme-new")
		inst, _ := w.lxd.Seen("acme-new")
		if after.ID != before.ID || inst.Config[fleet.KeyName] != "acme-new" || after.Domains[0] != "acme.example.test" {
			t.Errorf("tenant %+v, keys %v", after, inst.Config)
		}
		if _, err := w.service.Get(t.Context(), "acme"); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("the old name: %v", err)
		}
		if !w.noted("acme") || !w.noted("acme-new") {
			t.Error("nobody was told")
		}
		w.done(w.service.Restart(t.Context(), "acme-new", 0, Once{}))
	})
}

func TestFollowRenameThatCannotBe(t *testing.T) {
	for name, to := range map[string]string{"no tenant name": "lxdfleet-acme", "taken": "globex"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.tenant("acme")
				w.tenant("globex")
				do(t, w.lxd.LxcDelete("globex")) // tenant globex is missing, its name still its own
				do(t, w.lxd.LxcStop("acme"))
				do(t, w.lxd.LxcRename("acme", to))
				soon()
				v := w.get("acme")
				if !strings.Contains(v.Problem, "lxc rename "+to+" acme") || v.Status != fleet.TenantStoppedByOperator {
					t.Errorf("problem %q, status %s", v.Problem, v.Status)
				}
				_, err := w.service.Start(t.Context(), "acme", Once{})
				wantError(t, err, fleet.Conflict, "", "lxc rename")
				do(t, w.lxd.LxcRename(to, "acme"))
				soon()
				if v := w.get("acme"); v.Problem != "" {
					t.Errorf("problem %q after it was put right", v.Problem)
				}
				w.done(w.service.Start(t.Context(), "acme", Once{}))
			})
		})
	}
}

func TestCopyOfTenantIsNoRename(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		inst, _ := w.lxd.Seen("acme")
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "aaa", Config: inst.Config}))
		do(t, w.lxd.LxcStart("aaa"))
		time.Sleep(time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		if r := w.route("acme"); r.Backend != inst.Addresses[0]+":80" {
			t.Errorf("route %+v leads to the copy", r)
		}
		list, err := w.service.Adoptable(t.Context())
		if err != nil || len(list) != 1 || list[0].Name != "aaa" {
			t.Errorf("adoptable: %+v, %v", list, err)
		}
	})
}

func TestFollowMove(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tenant := w.tenant("acme")
		to := map[string]string{"n1": "n2", "n2": "n3", "n3": "n1"}[tenant.Member]
		do(t, w.lxd.LxcStop("acme"))
		do(t, w.lxd.LxcMove("acme", to))
		do(t, w.lxd.LxcStart("acme"))
		soon()
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		if v := w.get("acme"); v.Member != to || v.Observation.Location != to {
			t.Errorf("wanted on %s, seen on %s, moved to %s", v.Member, v.Observation.Location, to)
		}
	})
}

func TestFollowAddressChangedInside(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		time.Sleep(time.Minute)
		do(t, w.lxd.LxcSetAddress("acme", "10.99.0.99"))
		soon()
		if r := w.route("acme"); r.Backend != "10.99.0.99:80" {
			t.Errorf("route %+v", r)
		}
		do(t, w.lxd.LxcSetAddress("acme", "172.17.0.1", "10.99.0.100"))
		soon()
		if r := w.route("acme"); r.Backend != "172.17.0.1:80" && r.Backend != "10.99.0.100:80" {
			t.Errorf("route %+v", r)
		}
	})
}

// A backend that is silent while its address stays makes few calls to LXD.
func TestSilentBackendIsCheap(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.lxd.LxcSetAddress("acme", "10.99.0.99"))
		w.mute("10.99.0.99")
		before := w.lxd.Calls("Addresses")
		time.Sleep(10 * time.Minute)
		if n := w.lxd.Calls("Addresses") - before; n < 20 || n > 80 {
			t.Errorf("%d reads of addresses in ten minutes", n)
		}
	})
}

func TestObserveReadsAddressesAnew(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		before := w.lxd.Calls("Addresses")
		for range 100 {
			w.observer.Observe("acme")
		}
		w.observer.Observe("nobody")
		time.Sleep(100 * time.Millisecond)
		if n := w.lxd.Calls("Addresses") - before; n != 1 {
			t.Errorf("%d reads of addresses for 100 nudges, want 1", n)
		}
	})
}

func TestLXDAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.tenant("globex")
		w.lxd.SetDown(true)
		time.Sleep(5 * time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe) // instances run on
		w.lxd.SetDown(false)
		do(t, w.lxd.LxcStop("globex"))
		soon()
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
		w.wantStatus("globex", fleet.TenantStoppedByOperator, fleet.RouteStopped)
	})
}

func TestMemberAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tenant := w.tenant("acme")
		w.lxd.SetOnline(tenant.Member, false)
		time.Sleep(time.Minute)
		w.wantStatus("acme", fleet.TenantUnknown, fleet.RouteServe)
		w.lxd.SetOnline(tenant.Member, true)
		time.Sleep(time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
	})
}

// Events can be lost: the full list finds what they would have told.
func TestLostEvents(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.tenant("globex")
		remove := w.lxd.Inject(lxdfake.Fault{Method: "Instance", Err: fleet.Errorf(fleet.Unavailable, "slow")})
		do(t, w.lxd.LxcDelete("acme"))
		do(t, w.lxd.LxcStop("globex"))
		soon()
		w.wantStatus("globex", fleet.TenantRunning, fleet.RouteServe) // could not be read
		time.Sleep(30 * time.Second)
		w.wantStatus("acme", fleet.TenantMissing, fleet.RouteStopped)
		w.wantStatus("globex", fleet.TenantStoppedByOperator, fleet.RouteStopped)
		remove()
	})
}

// A daemon that starts finds tenants as they are.
func TestObserverStartsOnAFleet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.tenant("globex")
		do(t, w.lxd.LxcStop("globex"))
		fresh := NewObserver(w.lxd, w.store, w.store, w, ObserverOptions{Dial: w.dial})
		routes, err := fresh.Routes(t.Context())
		if err != nil || len(routes) != 2 || routes[0].State != fleet.RouteHold || fresh.Synced() {
			t.Errorf("before the first list: %+v, %v", routes, err)
		}
		do(t, fresh.Resync(t.Context()))
		routes, err = fresh.Routes(t.Context())
		if err != nil || routes[0].State != fleet.RouteServe || routes[1].State != fleet.RouteStopped || !fresh.Synced() {
			t.Errorf("after the first list: %+v, %v", routes, err)
		}
	})
}

func TestDatabaseAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.store.Close())
		do(t, w.lxd.LxcStop("acme"))
		time.Sleep(time.Minute)
		if _, err := w.observer.Routes(t.Context()); fleet.CodeOf(err) != fleet.Unavailable {
			t.Errorf("routes: %v", err)
		}
		if o := w.observer.Observation(w.observer.roster.last().all[0]); o.Status != fleet.InstanceStopped {
			t.Errorf("the observation stands still: %+v", o)
		}
	})
}

// A following that read the instance just before a stop job stopped it does not undo the stop.
func TestStopWinsOverFollowing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tenant := w.tenant("acme")
		w.done(w.service.Stop(t.Context(), "acme", 0, Once{}))
		for range 3 {
			do(t, w.lxd.LxcStart("acme"))
			late := &lateLXD{LXD: w.lxd, reads: func() {
				// Between the read of the instance and the write to the store a whole job runs.
				w.done(w.service.Stop(t.Context(), "acme", 0, Once{}))
			}}
			slow := NewObserver(late, w.store, w.store, w, ObserverOptions{Dial: w.dial})
			if err := slow.follow(t.Context(), tenant.ID, "acme"); err != nil && fleet.CodeOf(err) != fleet.Conflict {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if v := w.get("acme"); v.Desired != fleet.DesiredStopped || v.Status != fleet.TenantStopped {
				t.Fatalf("wanted %s, is %s", v.Desired, v.Status)
			}
		}
	})
}

// lateLXD runs reads after each read of an instance, before the reader has it.
type lateLXD struct {
	LXD
	reads func()
}

func (l *lateLXD) Instance(ctx context.Context, name string) (fleet.Instance, error) {
	inst, err := l.LXD.Instance(ctx, name)
	l.reads()
	return inst, err
}
