package backups

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestCreate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		out := w.done(w.service.Create(t.Context(), "acme", CreateRequest{Note: "before the move", Pinned: true}, Once{Key: "k", Hash: "h"}))
		again, err := w.service.Create(t.Context(), "acme", CreateRequest{Note: "before the move", Pinned: true}, Once{Key: "k", Hash: "h"})
		do(t, err)
		list, err := w.service.List(t.Context(), fleet.BackupFilter{})
		do(t, err)
		b := list[0]
		if len(list) != 1 || b.JobID != again.ID || !b.Pinned || b.Note != "before the move" || b.Consistency != fleet.ConsistentApplication ||
			b.Image.String() != "shop/1" || b.TakenAt.IsZero() || b.DoneAt.Before(b.TakenAt) || b.Size == 0 {
			t.Errorf("backups %+v, job %s", list, again.ID)
		}
		if !strings.Contains(out, short(b.ID)) || !w.noted("backup.created") {
			t.Errorf("output %q", out)
		}
		if got, err := w.service.Backup(t.Context(), b.ID[:8]); err != nil || got.ID != b.ID {
			t.Errorf("by the beginning of its id: %v %v", got.ID, err)
		}
		if len(w.server.ids(KindControl)) != 1 {
			t.Error("the control plane was not saved before the backup")
		}
		w.tidy(t)
		k, err := w.deps.recall(t.Context(), b.ID)
		do(t, err)
		if k.Tenant.Name != "acme" || k.Config["limits.cpu"] != "2" || k.Config["volatile.eth0.hwaddr"] == "" || k.Config["volatile.base_image"] != "" ||
			k.Config[fleet.KeyTenant] != "" || k.Devices["data"]["path"] != "/data" || len(k.Profiles) != 2 {
			t.Errorf("kept is %+v", k)
		}
	})
}

func TestCreateBadDays(t *testing.T) {
	for name, c := range map[string]struct {
		day  func(t *testing.T, w *world)
		code fleet.Code
		word string
	}{
		"the server goes down for good": {func(_ *testing.T, w *world) {
			w.atRead = func() { w.server.mu.Lock(); w.server.down = true; w.server.mu.Unlock() }
		}, fleet.Unavailable, "does not answer"},
		"the connection is always cut": {func(_ *testing.T, w *world) { w.server.cut = 100 }, fleet.Unavailable, "was cut"},
		"the bucket is full":           {func(_ *testing.T, w *world) { w.server.full = true }, fleet.Exhausted, "bucket is full"},
		"the reader breaks off":        {func(_ *testing.T, w *world) { w.tarFails = errors.New("tar: input/output error") }, fleet.Internal, "input/output"},
		"the snapshot is deleted by hand": {func(t *testing.T, w *world) {
			w.atRead = func() {
				all, err := w.lxd.Snapshots(t.Context(), "acme")
				do(t, err)
				for _, s := range all {
					do(t, w.lxd.EnsureSnapshotDeleted(t.Context(), "acme", s.Name))
				}
			}
		}, fleet.NotFound, "snapshot of acme was deleted"},
		"the tenant is deleted meanwhile": {func(t *testing.T, w *world) {
			w.atRead = func() {
				_ = w.lxd.EnsureDeleted(t.Context(), "acme")
				_ = w.store.DeleteTenant(t.Context(), "id-of-acme")
			}
		}, fleet.NotFound, "deleted before it was read"},
		"the pool is full": {func(_ *testing.T, w *world) { w.lxd.SetPoolFull("n1", true) }, fleet.Exhausted, "n1"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				c.day(t, w)
				job, err := w.service.Create(t.Context(), "acme", CreateRequest{}, Once{})
				job, _ = w.ends(fleet.JobUndone, job, err)
				if job.ErrorCode != c.code || !strings.Contains(job.Error, c.word) {
					t.Errorf("the job failed with %s: %s", job.ErrorCode, job.Error)
				}
				if s := w.scene(t); len(s.Backups)+len(s.Entries) != 0 {
					t.Errorf("backups %v, entries %v", s.Backups, s.Entries)
				}
				w.tidy(t)
			})
		})
	}
}

// A server that comes back within the time a step is tried costs nothing but time.
func TestCreateServerComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.atRead = func() {
			w.server.mu.Lock()
			defer w.server.mu.Unlock()
			w.server.down = true
			time.AfterFunc(20*time.Second, func() {
				w.server.mu.Lock()
				defer w.server.mu.Unlock()
				w.server.down = false
			})
			w.atRead = nil
		}
		w.backup("acme")
		w.tidy(t)
	})
}

// A tenant that is deleted when its snapshot is being read is backed up all the same.
func TestCreateTenantDeletedWhileRead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		job, err := w.service.Create(t.Context(), "acme", CreateRequest{}, Once{})
		do(t, err)
		w.mu.Lock()
		w.crash = "the hook pre-snapshot ended with exit code 1: no such user"
		w.mu.Unlock()
		w.ends(fleet.JobDone, job, nil)
		b, err := w.service.List(t.Context(), fleet.BackupFilter{})
		do(t, err)
		if b[0].Consistency != fleet.ConsistentCrash || !strings.Contains(b[0].Why, "no such user") {
			t.Errorf("backup %+v", b[0])
		}
		do(t, w.lxd.EnsureDeleted(t.Context(), "acme"))
		do(t, w.store.DeleteTenant(t.Context(), "id-of-acme"))
		_, err = w.service.Restore(t.Context(), b[0].ID, RestoreRequest{}, Once{})
		wantError(t, err, fleet.NotFound, "is no more")
		w.done(w.service.Restore(t.Context(), b[0].ID, RestoreRequest{Into: "acme"}, Once{}))
		tenant, err := w.store.Tenant(t.Context(), "acme")
		do(t, err)
		w.wantRuns(t, "acme", tenant.ID)
	})
}

func TestCreateRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		_, err := w.service.Create(t.Context(), "nobody", CreateRequest{}, Once{})
		wantError(t, err, fleet.NotFound, "nobody")
		_, err = w.service.Create(t.Context(), "acme", CreateRequest{Note: "two\nlines"}, Once{})
		wantError(t, err, fleet.Invalid, "note")
		job, err := w.service.Create(t.Context(), "acme", CreateRequest{}, Once{})
		do(t, err)
		_, err = Backups{w.service}.Due(t.Context(), fleet.Tenant{ID: "id-of-acme", Name: "acme"}, fleet.Policy{Name: "gold"}, time.Now())
		wantError(t, err, fleet.Busy, job.ID)
		w.ends(fleet.JobDone, job, nil)
		do(t, w.vault.Close(t.Context()))
		w.server.key = "another"
		_, err = w.service.Create(t.Context(), "acme", CreateRequest{}, Once{})
		wantError(t, err, fleet.Forbidden, "cannot be opened")
		st, err := w.service.Status(t.Context())
		do(t, err)
		if st.State != StateLocked || st.Backups != 1 || st.LastBackup == nil || st.Problem == "" || st.Hint == "" {
			t.Errorf("status %+v", st)
		}
	})
}
