package backups

import (
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestPrune(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.policies = []fleet.Policy{{Name: "gold", Backups: &fleet.Schedule{Keep: fleet.Keep{Last: 2}}}}
		now := time.Now()
		var all []fleet.Backup
		for day := range 5 {
			all = append(all, w.stored("acme", "gold", now.Add(-time.Duration(day)*24*time.Hour)))
		}
		byHand := w.stored("acme", "", now.Add(-100*24*time.Hour))
		_, err := w.service.Edit(t.Context(), all[4].ID, EditRequest{Pinned: new(true)})
		do(t, err)
		_, err = w.store.EditBackup(t.Context(), all[3].ID, func(b *fleet.Backup) { b.Damage = "broken" })
		do(t, err)
		kept, err := w.service.Kept(t.Context(), "acme")
		do(t, err)
		for i, want := range []string{"last: 1 of 2", "last: 2 of 2", "!no rule", "damaged", "pinned", "on demand"} {
			if word, goes := strings.CutPrefix(want, "!"); kept[i].Keep == goes || !strings.Contains(kept[i].Why, word) {
				t.Errorf("%d: keep %v, %s; want %s", i, kept[i].Keep, kept[i].Why, want)
			}
		}
		w.done(w.service.Prune(t.Context(), Once{}))
		s := w.scene(t)
		if len(s.Backups) != 5 || len(s.Entries) != 5 || s.Backups[4].ID != byHand.ID {
			t.Errorf("left are %+v", s.Backups)
		}
		// A tenant that is no more keeps what it has.
		do(t, w.store.DeleteTenant(t.Context(), "id-of-acme"))
		w.done(w.service.Prune(t.Context(), Once{}))
		if got := len(w.scene(t).Backups); got != 5 {
			t.Errorf("%d are left", got)
		}
	})
}

// The newest good backup stays, whatever the rules say.
func TestPruneKeepsTheNewest(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.policies = []fleet.Policy{{Name: "gold", Backups: &fleet.Schedule{Keep: fleet.Keep{MinAge: time.Hour, Hourly: 1}}}}
		old := w.stored("acme", "gold", time.Now().Add(-1000*time.Hour))
		w.done(w.service.Prune(t.Context(), Once{}))
		if s := w.scene(t); len(s.Backups) != 1 || s.Backups[0].ID != old.ID {
			t.Errorf("left are %+v", s.Backups)
		}
	})
}

// What is in the repository without a record is recorded again.
func TestPruneAdopts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.stored("acme", "gold", time.Now())
		do(t, w.store.DeleteBackup(t.Context(), b.ID))
		time.Sleep(61 * time.Minute)
		out := w.done(w.service.Prune(t.Context(), Once{}))
		got, err := w.store.Backup(t.Context(), b.ID)
		do(t, err)
		if got.Tenant != "acme" || got.Size != b.Size || !got.TakenAt.Equal(b.TakenAt) || !strings.Contains(out, "recorded again") {
			t.Errorf("adopted %+v: %s", got, out)
		}
	})
}

func TestVerify(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		_, err := w.service.Verify(t.Context(), VerifyRequest{}, Once{})
		wantError(t, err, fleet.NotFound, "no backup")
		good := w.backup("acme")
		time.Sleep(time.Minute)
		lost := w.backup("acme")
		repo, err := w.vault.Open(t.Context())
		do(t, err)
		do(t, repo.Delete(t.Context(), lost.ID)) // somebody, by the repository's own tool
		out := w.done(w.service.Verify(t.Context(), VerifyRequest{Deep: true}, Once{}))
		got, err := w.store.Backup(t.Context(), good.ID)
		do(t, err)
		if got.Damage != "" || got.VerifiedAt == nil {
			t.Errorf("the good one is %+v", got)
		}
		got, err = w.store.Backup(t.Context(), lost.ID)
		do(t, err)
		if !strings.Contains(got.Damage, "not in the repository") || !strings.Contains(out, "1 damaged") {
			t.Errorf("the lost one is %+v: %s", got, out)
		}
	})
}
