package migration

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestMove(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e, err := w.service.Estimate(t.Context(), "acme", Request{To: "n3"})
		do(t, err)
		if e.From != "n1" || e.To != "n3" || e.Hold <= 0 || e.Hold > 10*time.Second {
			t.Errorf("estimate %+v", e)
		}
		defer w.lxd.Inject(fault("EnsureStopped", 2*time.Second))()
		job := w.ended(w.service.Move(t.Context(), "acme", Request{}, Once{Key: "k", Hash: "h"}))
		now, err := w.store.Tenant(t.Context(), "acme")
		do(t, err)
		if job.State != fleet.JobDone || now.Member == "n1" || now.MovedAt.IsZero() {
			t.Errorf("job %+v, tenant %+v", job, now)
		}
		w.wantServed(now.Member)
		facts := w.facts(job)
		waited, err := time.ParseDuration(facts["waited"])
		if facts["from"] != "n1" || facts["to"] != now.Member || err != nil || waited < 2*time.Second || waited > time.Minute {
			t.Errorf("facts %v", facts)
		}
		// The request repeated is the same job, also now that the tenant is there already.
		again, err := w.service.Move(t.Context(), "acme", Request{}, Once{Key: "k", Hash: "h"})
		do(t, err)
		if again.ID != job.ID {
			t.Errorf("another job: %+v", again)
		}
	})
}

// What is asked for is checked before anything is done.
func TestMoveRefused(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(w *world)
		req     Request
		code    fleet.Code
		says    string
	}{
		{"to where it is", nil, Request{To: "n1"}, fleet.Conflict, "is on n1 already"},
		{"to nowhere", nil, Request{To: "n9"}, fleet.Invalid, "n9"},
		{"to a cordoned member", func(w *world) { do(w.t, w.Cordon(w.t.Context(), "n2", "new disk")) }, Request{To: "n2"}, fleet.Exhausted, "new disk"},
		{"to an offline member", func(w *world) { w.lxd.SetOnline("n2", false) }, Request{To: "n2"}, fleet.Unavailable, "n2"},
		{"a hold too long", nil, Request{MostHold: time.Hour}, fleet.Invalid, "10m"},
		{"a hold longer than gates allow", func(w *world) { w.service.GateTime = 30 * time.Second }, Request{MostHold: time.Minute}, fleet.Invalid, "30s"},
		{"a limit below nothing", nil, Request{BytesPerSecond: -1}, fleet.Invalid, "limit"},
		{"no instance", func(w *world) { do(w.t, w.lxd.LxcStop("acme")); do(w.t, w.lxd.LxcDelete("acme")) }, Request{}, fleet.Conflict, "missing"},
		{"in the trash", func(w *world) {
			now, err := w.store.Tenant(w.t.Context(), "acme")
			do(w.t, err)
			now.Desired = fleet.DesiredRemoved
			_, err = w.store.UpdateTenant(w.t.Context(), now)
			do(w.t, err)
		}, Request{}, fleet.Conflict, "not in service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				if tt.prepare != nil {
					tt.prepare(w)
				}
				_, err := w.service.Move(t.Context(), "acme", tt.req, Once{})
				if fleet.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %v (%s), want %s with %q", err, fleet.CodeOf(err), tt.code, tt.says)
				}
			})
		})
	}
}

// A tenant has one job at a time; a backup of it is waited for too.
func TestMoveOfBusyTenant(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		defer w.lxd.Inject(fault("EnsureCopy", 10*time.Second))()
		first, err := w.service.Move(t.Context(), "acme", Request{To: "n2"}, Once{})
		do(t, err)
		_, err = w.service.Move(t.Context(), "acme", Request{To: "n3"}, Once{})
		if fleet.CodeOf(err) != fleet.Busy || !strings.Contains(err.Error(), first.ID) {
			t.Errorf("error %v", err)
		}
		if job := w.ended(first, nil); job.State != fleet.JobDone {
			t.Errorf("job %+v", job)
		}
	})
}

// A tenant that is not well on the target goes on where it was, with all it has written.
func TestTargetUnhealthy(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		home, err := w.lxd.Addresses(t.Context(), "acme")
		do(t, err)
		w.setSick(func(address string) bool {
			inst, _ := w.lxd.Seen("acme")
			return inst.Location != "n1"
		})
		w.write("acme", "last")
		began := time.Now()
		job := w.ended(w.service.Move(t.Context(), "acme", Request{To: "n2", MostHold: 10 * time.Second}, Once{}))
		if job.State != fleet.JobUndone || job.ErrorCode != fleet.Unhealthy {
			t.Errorf("job %+v", job)
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("visitors may have waited %s", took)
		}
		w.setSick(nil)
		w.wantServed("n1")
		w.wantPage("last")
		if now, err := w.lxd.Addresses(t.Context(), "acme"); err != nil || len(now) != len(home) {
			t.Errorf("addresses %v, %v", now, err)
		}
	})
}

// Cancelled in phase one, nothing has happened to the tenant.
func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		defer w.lxd.Inject(fault("EnsureCopy", time.Minute))()
		job, err := w.service.Move(t.Context(), "acme", Request{To: "n2"}, Once{})
		do(t, err)
		time.Sleep(time.Second)
		_, err = w.engine.Cancel(t.Context(), job.ID)
		do(t, err)
		if job = w.ended(job, nil); job.State != fleet.JobCancelled {
			t.Errorf("job %+v", job)
		}
		w.wantServed("n1")
	})
}

// The source's member goes away once the tenant serves from the target: the original there is
// deleted when it is back, and does not start.
func TestSourceAwayAfterRelease(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		remove := w.lxd.Inject(faultErr("EnsureDeleted", fleet.Errorf(fleet.Unavailable, "the member n1 is offline")))
		job := w.ended(w.service.Move(t.Context(), "acme", Request{To: "n2"}, Once{}))
		if job.State != fleet.JobDone {
			t.Fatalf("job %+v", job)
		}
		list, err := w.lxd.Instances(t.Context(), false)
		do(t, err)
		if len(list) != 2 {
			t.Fatalf("instances %+v", list)
		}
		for _, inst := range list {
			if inst.Name == "acme" {
				continue
			}
			if inst.Status != fleet.InstanceStopped || inst.Config[fleet.KeyRole] != fleet.RoleLeft || inst.Config["boot.autostart"] != "false" {
				t.Errorf("the original: %+v", inst)
			}
		}
		remove()
		do(t, w.sweep().Once(t.Context()))
		w.wantServed("n2")
	})
}

// Whatever LXD refuses, the tenant serves on from where it was, and the error says why.
func TestMoveThatLXDRefuses(t *testing.T) {
	full := fleet.Errorf(fleet.Exhausted, "the pool of n2 is full")
	for name, refuse := range map[string]func(job string) lxdfake.Fault{
		"no room for the copy": func(string) lxdfake.Fault { return faultErr("EnsureCopy", full) },
		"no room for the rest": func(string) lxdfake.Fault { return faultErr("EnsureRefreshed", full) },
		"the name is taken": func(job string) lxdfake.Fault {
			f := faultErr("EnsureRenamed", fleet.Errorf(fleet.Taken, "there is an instance acme: the pool of n2 is full of them"))
			f.Name = copyName(job)
			return f
		},
		"the copy does not start": func(string) lxdfake.Fault {
			f := faultErr("EnsureStarted", fleet.Errorf(fleet.Failed, "LXD: the pool of n2 is full"))
			f.Times = 1
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				job, err := w.service.Move(t.Context(), "acme", Request{To: "n2"}, Once{})
				do(t, err)
				remove := w.lxd.Inject(refuse(job.ID))
				job = w.ended(job, nil)
				remove()
				if job.State != fleet.JobUndone || !strings.Contains(job.Error, "the pool of n2 is full") {
					t.Errorf("job %+v", job)
				}
				w.wantServed("n1")
			})
		})
	}
}

// A tenant that was stopped is moved, and stays stopped.
func TestMoveOfStoppedTenant(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		globex := w.placed("globex", "00:16:3e:00:00:02", false)
		time.Sleep(time.Second)
		synctest.Wait()
		job := w.ended(w.service.Move(t.Context(), "globex", Request{To: "n3"}, Once{}))
		inst, _ := w.lxd.Seen("globex")
		now, err := w.store.TenantByID(t.Context(), globex.ID)
		do(t, err)
		if job.State != fleet.JobDone || inst.Location != "n3" || inst.Status != fleet.InstanceStopped || now.Member != "n3" || len(now.Holds) > 0 {
			t.Errorf("job %+v, instance %+v, tenant %+v", job, inst, now)
		}
	})
}

// An operator who ends all holds does not end that of a move.
func TestHoldIsTheJobs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		defer w.lxd.Inject(fault("EnsureStopped", time.Minute))()
		job, err := w.service.Move(t.Context(), "acme", Request{To: "n2"}, Once{})
		do(t, err)
		time.Sleep(20 * time.Second)
		view, err := w.tenants.Resume(context.Background(), "acme", "")
		do(t, err)
		if len(view.Tenant.Holds) != 1 || !strings.Contains(view.Tenant.Holds[0].Reason, "move to n2") {
			t.Errorf("holds %+v", view.Tenant.Holds)
		}
		w.ended(job, nil)
		w.wantServed("n2")
	})
}

// A planned move waits for its time, and the tenant can be worked on until then.
func TestMoveLater(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		at := time.Now().Add(10 * time.Minute)
		job, err := w.service.MoveAt(t.Context(), "acme", Request{To: "n2"}, at, Once{})
		do(t, err)
		if _, err := w.service.MoveAt(t.Context(), "acme", Request{To: "n3"}, at, Once{}); fleet.CodeOf(err) != fleet.Busy {
			t.Errorf("a second plan: %v", err)
		}
		time.Sleep(5 * time.Minute)
		w.wantServed("n1")
		w.ended(w.tenants.Restart(t.Context(), "acme", 0, tenants.Once{}))
		time.Sleep(time.Until(at) + 2*time.Minute)
		if job = w.ended(job, nil); job.State != fleet.JobDone {
			t.Errorf("job %+v", job)
		}
		w.wantOn("n2")
	})
}

func TestMoveLaterCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		job, err := w.service.MoveAt(t.Context(), "acme", Request{To: "n2"}, time.Now().Add(5*time.Minute), Once{})
		do(t, err)
		_, err = w.engine.Cancel(t.Context(), job.ID)
		do(t, err)
		time.Sleep(7 * time.Minute)
		w.wantServed("n1")
	})
}

func TestMoveInWindow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if _, err := w.service.MoveInWindow(t.Context(), "acme", Request{To: "n2"}, Once{}); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("without a window: %v", err)
		}
		for _, at := range []time.Time{time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)} {
			if _, err := w.service.MoveAt(t.Context(), "acme", Request{To: "n2"}, at, Once{}); fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("at %s: %v", at, err)
			}
		}
		soon := time.Now().UTC().Add(10 * time.Minute)
		_, err := w.tenants.Edit(t.Context(), "acme", tenants.EditRequest{
			Window: new(soon.Format("15:04") + "-" + soon.Add(time.Hour).Format("15:04")), TimeZone: new("UTC"),
		})
		do(t, err)
		job, err := w.service.MoveInWindow(t.Context(), "acme", Request{To: "n2"}, Once{})
		do(t, err)
		time.Sleep(8 * time.Minute)
		w.wantServed("n1")
		time.Sleep(4 * time.Minute)
		if job = w.ended(job, nil); job.State != fleet.JobDone {
			t.Errorf("job %+v", job)
		}
	})
}
