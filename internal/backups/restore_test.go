package backups

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// What the tenant was before is a snapshot of its own, beside those it had.
func TestRestoreKeepsSnapshots(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.pins("acme", "pinned")
		b := w.backup("acme")
		out := w.done(w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{}))
		holders := w.snapshotsOf(t, "id-of-acme")
		delete(holders, "pinned")
		if len(holders) != 1 {
			t.Fatalf("snapshots besides the pinned one: %v", holders)
		}
		for name := range holders {
			n := w.scene(t).Records["id-of-acme"][name]
			if n.Origin != fleet.OriginSafety || n.Consistency != fleet.ConsistentApplication || !strings.Contains(n.Note, short(b.ID)) ||
				!strings.Contains(out, "What acme was before is its snapshot "+name) {
				t.Errorf("the safety snapshot is %+v; output %q", n, out)
			}
		}
		time.Sleep(11 * time.Minute)
		do(t, (&Sweep{Deps: w.deps}).Once(t.Context()))
		if got := len(w.scene(t).Instances); got != 2 {
			t.Errorf("%d instances after a while", got)
		}
		// Once more: nothing is lost.
		time.Sleep(time.Second)
		w.done(w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{}))
		if holders := w.snapshotsOf(t, "id-of-acme"); len(holders) != 3 || holders["pinned"] == "" {
			t.Errorf("snapshots after two restores: %v", holders)
		}
		w.tidy(t)
	})
}

// Where there is no room for a snapshot the tenant is restored all the same, and nothing that it
// had is deleted.
func TestRestoreWithoutRoomForASnapshot(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		w.noRoom = true
		out := w.done(w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{}))
		if !strings.Contains(out, "cannot be kept as a snapshot") || !strings.Contains(out, "is kept, stopped, as the instance lxdfleet-history-") {
			t.Errorf("output %q", out)
		}
		sweep := &Sweep{Deps: w.deps}
		do(t, sweep.Once(t.Context()))
		if got := len(w.scene(t).Instances); got != 2 {
			t.Fatalf("%d instances at once", got)
		}
		time.Sleep(11 * time.Minute)
		do(t, sweep.Once(t.Context()))
		if s := w.scene(t); len(s.Instances) != 1 || s.Instances[0].Name != "acme" {
			t.Errorf("instances after a while: %+v", s.Instances)
		}
		w.pins("acme", "pinned")
		out = w.done(w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{}))
		if !strings.Contains(out, "until its snapshots are deleted") {
			t.Errorf("output %q", out)
		}
		time.Sleep(time.Hour)
		do(t, sweep.Once(t.Context()))
		if holders := w.snapshotsOf(t, "id-of-acme"); holders["pinned"] == "" {
			t.Errorf("snapshots: %v", holders)
		}
	})
}

// A tenant that does not get well is as it was before, with its own instance.
func TestRestoreUnhealthyGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		before := w.scene(t)
		w.unwell = fleet.Errorf(fleet.Unhealthy, "GET / answers 500").WithHint("see its journal")
		job, err := w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{})
		job, _ = w.ends(fleet.JobUndone, job, err)
		if job.ErrorCode != fleet.Unhealthy || w.held == 0 {
			t.Errorf("the job failed with %s: %s; held %d times", job.ErrorCode, job.Error, w.held)
		}
		if diff := cmp.Diff(before, w.scene(t)); diff != "" {
			t.Errorf("something has changed (-before +after):\n%s", diff)
		}
	})
}

func TestRestoreOfAMissingOrStoppedInstance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		do(t, w.lxd.EnsureDeleted(t.Context(), "acme"))
		w.done(w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{}))
		inst := w.wantRuns(t, "acme", "id-of-acme")
		if inst.Config["volatile.eth0.hwaddr"] != "00:16:3e:00:00:0a" || inst.Location != "n2" {
			t.Errorf("it came back as %+v", inst)
		}
		w.tidy(t)

		tenant, err := w.store.Tenant(t.Context(), "acme")
		do(t, err)
		tenant.Desired = fleet.DesiredStopped
		_, err = w.store.UpdateTenant(t.Context(), tenant)
		do(t, err)
		_, err = w.lxd.EnsureStopped(t.Context(), "acme", time.Second)
		do(t, err)
		w.done(w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{}))
		if inst := w.instance("acme"); inst.Status != fleet.InstanceStopped || inst.Config[fleet.KeyTenant] != "id-of-acme" {
			t.Errorf("it is %+v", inst)
		}
	})
}

func TestRestoreDamaged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		before := w.scene(t)
		w.server.damaged[b.ID] = "object Ix12 of /var/lib/mysql/ibdata1 has a flipped bit"
		job, err := w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{})
		job, _ = w.ends(fleet.JobUndone, job, err)
		if !strings.Contains(job.Error, "ibdata1") || !w.noted("backup.damaged") {
			t.Errorf("the job failed with %s", job.Error)
		}
		_, err = w.service.Restore(t.Context(), b.ID, RestoreRequest{Into: "copy"}, Once{})
		wantError(t, err, fleet.Conflict, "is damaged and is not restored", "ibdata1")
		after := w.scene(t)
		after.Backups[0].Damage = ""
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("something is left behind (-before +after):\n%s", diff)
		}
		// Once it is mended and verified, it is restored again.
		delete(w.server.damaged, b.ID)
		w.done(w.service.Verify(t.Context(), VerifyRequest{Backup: b.ID, Deep: true}, Once{}))
		w.done(w.service.Restore(t.Context(), b.ID, RestoreRequest{Into: "copy"}, Once{}))
	})
}

func TestRestoreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		_, err := w.service.Restore(t.Context(), "nothing", RestoreRequest{}, Once{})
		wantError(t, err, fleet.NotFound, "nothing")
		_, err = w.service.Restore(t.Context(), b.ID, RestoreRequest{Into: "Not A Name"}, Once{})
		wantError(t, err, fleet.Invalid, "Not A Name")
		_, err = w.service.Delete(t.Context(), "nothing", false, Once{})
		wantError(t, err, fleet.NotFound, "nothing")

		// A pool without room is found out before anything is fetched.
		do(t, w.store.SaveBackup(t.Context(), func() fleet.Backup { b.Size = 10 * fleet.GiB; return b }()))
		job, err := w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{})
		job, _ = w.ends(fleet.JobUndone, job, err)
		if job.ErrorCode != fleet.Exhausted || !strings.Contains(job.Error, "n1") || w.server.reads != 0 {
			t.Errorf("the job failed with %s: %s, after %d reads", job.ErrorCode, job.Error, w.server.reads)
		}
		tenant, err := w.store.Tenant(t.Context(), "acme")
		do(t, err)
		tenant.Desired = fleet.DesiredRemoved
		_, err = w.store.UpdateTenant(t.Context(), tenant)
		do(t, err)
		_, err = w.service.Restore(t.Context(), b.ID, RestoreRequest{}, Once{})
		wantError(t, err, fleet.Conflict, "trash")
	})
}

func TestPinned(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		after, err := w.service.Edit(t.Context(), b.ID, EditRequest{Pinned: new(true), Note: new("the good one")})
		do(t, err)
		if !after.Pinned || after.Note != "the good one" {
			t.Errorf("edited: %+v", after)
		}
		_, err = w.service.Delete(t.Context(), b.ID, false, Once{})
		wantError(t, err, fleet.Conflict, "pinned")
		w.done(w.service.Delete(t.Context(), b.ID, true, Once{}))
		if s := w.scene(t); len(s.Backups)+len(s.Entries) != 0 {
			t.Errorf("left: %+v %v", s.Backups, s.Entries)
		}
	})
}
