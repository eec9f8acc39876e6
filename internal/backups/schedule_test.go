package backups

import (
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// A run that two daemons plan is made once.
func TestDue(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tenant, err := w.store.Tenant(t.Context(), "acme")
		do(t, err)
		at := time.Now()
		runs := []interface {
			Kind() string
		}{Backups{w.service}, Drills{w.service}}
		if runs[0].Kind() != KindCreate || runs[1].Kind() != KindDrill {
			t.Error("kinds are mixed up")
		}
		_, err = Drills{w.service}.Due(t.Context(), tenant, fleet.Policy{}, at)
		wantError(t, err, fleet.NotFound, "no backup")
		for range 2 {
			w.done(Backups{w.service}.Due(t.Context(), tenant, fleet.Policy{Name: "gold"}, at))
		}
		for range 2 {
			w.done(Drills{w.service}.Due(t.Context(), tenant, fleet.Policy{Name: "gold"}, at))
		}
		s := w.scene(t)
		if len(s.Backups) != 1 || s.Backups[0].Policy != "gold" || len(s.Drills) != 1 {
			t.Errorf("backups %+v, drills %+v", s.Backups, s.Drills)
		}
	})
}
