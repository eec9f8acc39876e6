package migration

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// A drain whose one move fails moves the others, and says which it was.
func TestDrainWithFailure(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.placed("globex", "00:16:3e:00:00:02", true)
		w.placed("initech", "00:16:3e:00:00:03", true)
		w.book.fail = "globex"
		time.Sleep(time.Second)
		synctest.Wait()
		job := w.ended(w.service.Drain(t.Context(), "n1", false, Options{}, Once{}))
		if job.State != fleet.JobUndone || !strings.Contains(job.Error, "globex") || !strings.Contains(job.Error, "the link is cut") || !strings.Contains(job.Error, "2 moved, 1 not") {
			t.Errorf("job %+v", job)
		}
		for name, stays := range map[string]bool{"acme": false, "globex": true, "initech": false} {
			now, err := w.store.Tenant(t.Context(), fleet.Name(name))
			do(t, err)
			if (now.Member == "n1") != stays {
				t.Errorf("%s is on %s", name, now.Member)
			}
		}
	})
}

// Without room for all nothing is begun, unless it is said that some will do.
func TestDrainWithoutRoom(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		do(t, w.Cordon(t.Context(), "n2", "new disk"))
		do(t, w.Cordon(t.Context(), "n3", "new disk"))
		_, err := w.service.Drain(t.Context(), "n1", false, Options{}, Once{})
		if fleet.CodeOf(err) != fleet.Exhausted || !strings.Contains(err.Error(), "acme") || !strings.Contains(err.Error(), "new disk") {
			t.Errorf("error %v", err)
		}
		if record, err := w.store.MemberRecord(t.Context(), "n1"); err != nil || record.Cordoned {
			t.Errorf("record %+v, %v", record, err)
		}
		job := w.ended(w.service.Drain(t.Context(), "n1", true, Options{}, Once{}))
		if job.State != fleet.JobUndone || !strings.Contains(job.Error, "0 moved, 1 not") {
			t.Errorf("job %+v", job)
		}
	})
}

func TestShiftRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if _, err := w.service.Drain(t.Context(), "n9", false, Options{}, Once{}); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("error %v", err)
		}
		if _, err := w.service.Restore(t.Context(), "n9", Options{}, Once{}); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("error %v", err)
		}
		if _, err := w.service.Rebalance(t.Context(), false, Options{AtOnce: 99}, Once{}); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("error %v", err)
		}
	})
}
