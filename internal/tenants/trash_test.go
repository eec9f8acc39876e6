package tenants

import (
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestTrash(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.service.opt.TrashFor = time.Hour
		w.tenant("acme")
		w.tenant("globex")
		trash := &Trash{Service: w.service}
		w.done(w.service.Remove(t.Context(), "acme", false, Once{}))
		w.wantStatus("acme", fleet.TenantRemoved, "")
		v := w.get("acme")
		if v.PurgeAt == nil || time.Until(*v.PurgeAt) < 59*time.Minute {
			t.Errorf("leaves the trash at %v", v.PurgeAt)
		}
		for _, err := range []error{
			second(w.service.Remove(t.Context(), "acme", false, Once{})),
			second(w.service.Start(t.Context(), "acme", Once{})),
			second(w.service.Undelete(t.Context(), "globex", Once{})),
		} {
			wantError(t, err, fleet.Conflict, "", "trash")
		}

		do(t, trash.Once(t.Context()))
		time.Sleep(time.Second)
		w.done(w.service.Undelete(t.Context(), "acme", Once{}))
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)

		w.done(w.service.Remove(t.Context(), "acme", false, Once{}))
		time.Sleep(time.Hour + time.Second)
		do(t, trash.Once(t.Context()))
		time.Sleep(time.Second)
		w.wantNothingLeft("acme")
		w.wantStatus("globex", fleet.TenantRunning, fleet.RouteServe)
		w.tenant("acme") // the name is free
	})
}

func TestRemoveNow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.done(w.service.Remove(t.Context(), "acme", true, Once{}))
		w.wantNothingLeft("acme")
	})
}

// A purge asked for by the timer does nothing to a tenant that was taken back meanwhile.
func TestPurgeThatIsNoLongerDue(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tenant := w.tenant("acme")
		job, err := w.service.submit(t.Context(), KindPurge, "acme", removeState{
			whereabouts: w.service.whereabouts(tenant, 0), PurgeAt: new(time.Now()), Due: true,
		}, Once{})
		w.ends(fleet.JobUndone, job, err)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
	})
}

// The name of a deleted instance was given to another one by hand: it is not ours to delete.
func TestPurgeSparesAnotherInstance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.lxd.LxcDelete("acme"))
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "acme"}))
		time.Sleep(time.Second)
		w.wantStatus("acme", fleet.TenantMissing, fleet.RouteStopped)
		w.done(w.service.Remove(t.Context(), "acme", true, Once{}))
		if _, ok := w.lxd.Seen("acme"); !ok {
			t.Error("the instance made by hand was deleted")
		}
		if list, err := w.service.Adoptable(t.Context()); err != nil || len(list) != 1 || list[0].Obstacle != "" {
			t.Errorf("adoptable: %+v, %v", list, err)
		}
	})
}

func TestRemoveOfMissingInstance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		do(t, w.lxd.LxcDelete("acme"))
		time.Sleep(time.Second)
		w.done(w.service.Remove(t.Context(), "acme", false, Once{}))
		w.wantStatus("acme", fleet.TenantRemoved, "")
		_, err := w.service.Undelete(t.Context(), "acme", Once{})
		wantError(t, err, fleet.Conflict, "", "missing")
		w.done(w.service.Remove(t.Context(), "acme", true, Once{}))
		w.wantNothingLeft("acme")
	})
}
