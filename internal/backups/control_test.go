package backups

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// furnish gives the fleet a policy, a plan of its own and an image with a recipe.
func (w *world) furnish() {
	w.t.Helper()
	ctx := w.t.Context()
	w.policies = []fleet.Policy{{Name: "gold", Backups: &fleet.Schedule{Cron: "@daily"}}}
	_, err := w.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: "huge", Config: map[string]string{"limits.memory": "64GiB"}})
	do(w.t, err)
	do(w.t, w.store.SaveRecipe(ctx, "abc", []byte("a bundle")))
	do(w.t, w.store.InsertImage(ctx, fleet.GoldenImage{Name: "shop", Version: "1", Fingerprint: "f1", RecipeHash: "abc", Members: []string{"n1"}, Current: true}))
	do(w.t, w.store.InsertImage(ctx, fleet.GoldenImage{Name: "wild", Version: "1", Fingerprint: "f2"})) // LXD has it no more
	w.imports("bare", "the tarball of bare")
}

func TestControlReadBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.furnish()
		now, err := w.deps.gather(t.Context())
		do(t, err)
		now.SavedAt = time.Now().UTC()
		var stream bytes.Buffer
		do(t, now.write(&stream))
		got, err := readControl(&stream)
		do(t, err)
		if diff := cmp.Diff(now, got); diff != "" {
			t.Errorf("read back (-saved +read):\n%s", diff)
		}
		_, err = readControl(strings.NewReader("no tar"))
		if err == nil {
			t.Error("nonsense is read")
		}
	})
}

func TestSaver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		saver := &Saver{Service: w.service}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); saver.Run(ctx) }()
		saves := func(want int) {
			t.Helper()
			if got := len(w.server.ids(KindControl)); got != want {
				t.Errorf("%d saves, want %d", got, want)
			}
		}
		time.Sleep(2 * time.Minute)
		saves(1)
		time.Sleep(time.Hour)
		saves(1)
		w.has("globex")
		time.Sleep(2 * time.Minute)
		saves(2)
		w.has("initech") // too soon after
		time.Sleep(time.Minute)
		saves(2)
		time.Sleep(5 * time.Minute)
		saves(3)
		st, err := w.service.Status(t.Context())
		do(t, err)
		if st.LastControl == nil || time.Since(*st.LastControl) > 5*time.Minute {
			t.Errorf("status %+v", st)
		}
		cancel()
		<-ended
	})
}

// A daemon that was just installed saves what it knows, which is nothing, before anybody recovers:
// the fleet comes back from what the lost one has saved, and the newest that is whole.
func TestRecoverAfterANewDaemonHasSaved(t *testing.T) {
	bubble(t, func(t *testing.T, lost *world) {
		lost.backup("acme")
		lost.has("globex")
		lost.done(lost.service.SaveControl(t.Context(), Once{}))
		w := newWorld(t)
		do(t, w.lxd.EnsureDeleted(t.Context(), "acme"))
		do(t, w.store.DeleteTenant(t.Context(), "id-of-acme"))
		w.vault.opt.Opener, w.server = lost.server, lost.server
		do(t, w.vault.Close(t.Context()))
		w.vault.opt.KeyFile = lost.vault.opt.KeyFile
		w.start()
		for range mostControls + 2 {
			time.Sleep(time.Second)
			w.policies = append(w.policies, fleet.Policy{Name: fleet.NewID(time.Now())})
			w.done(w.service.SaveControl(t.Context(), Once{}))
		}
		saves := w.server.ids(KindControl)
		lost.server.damaged[saves[len(saves)-2]] = "pack p9 is gone" // that with globex
		report, err := w.service.Recover(t.Context(), RecoverRequest{DryRun: true})
		do(t, err)
		if len(report.Tenants) != 1 || report.Tenants[0].Tenant != "acme" || report.Tenants[0].Outcome != RecoverRestoring {
			t.Errorf("report %+v", report)
		}
	})
}

// An empty LXD and an empty store become the fleet of before, from the repository and its key.
func TestRecover(t *testing.T) {
	bubble(t, func(t *testing.T, lost *world) {
		lost.furnish()
		lost.has("globex")
		lost.has("initech")
		first := lost.backup("acme")
		lost.backup("globex")
		newest := lost.backup("acme")
		stopped, err := lost.store.Tenant(t.Context(), "globex")
		do(t, err)
		stopped.Desired = fleet.DesiredStopped
		_, err = lost.store.UpdateTenant(t.Context(), stopped)
		do(t, err)
		lost.done(lost.service.SaveControl(t.Context(), Once{}))

		w := newWorld(t)
		do(t, w.lxd.EnsureDeleted(t.Context(), "acme"))
		do(t, w.store.DeleteTenant(t.Context(), "id-of-acme"))
		w.vault.opt.Opener = lost.server
		w.vault.opt.KeyFile = filepath.Join(w.dir, "recovered.key")
		do(t, w.vault.Close(t.Context()))
		do(t, writeKeyFile(w.vault.opt.KeyFile, strings.ToLower(lost.server.key)))
		w.start()
		dry, err := w.service.Recover(t.Context(), RecoverRequest{DryRun: true})
		do(t, err)
		if s := w.scene(t); len(s.Tenants)+len(s.Backups)+len(w.policies) != 0 {
			t.Errorf("a dry run wrote: %+v", s)
		}
		report, err := w.service.Recover(t.Context(), RecoverRequest{From: "s3://bucket/fleet"})
		do(t, err)
		for i, image := range report.Images {
			if image.JobID != "" {
				w.ends(fleet.JobDone, fleet.Job{ID: image.JobID}, nil)
			}
			report.Images[i].JobID, report.Images[i].Reason = "", ""
		}
		if !cmp.Equal(w.rebuilt, []string{"shop/1"}) {
			t.Errorf("built again: %v", w.rebuilt)
		}
		for i := range report.Tenants {
			if id := report.Tenants[i].JobID; id != "" {
				w.ends(fleet.JobDone, fleet.Job{ID: id}, nil)
			}
			report.Tenants[i].JobID = ""
		}
		if diff := cmp.Diff(dry, report); diff != "" {
			t.Errorf("the dry run told something else (-dry +real):\n%s", diff)
		}
		outcomes := map[fleet.Name]RecoverOutcome{}
		for _, r := range report.Tenants {
			outcomes[r.Tenant] = r.Outcome
			if r.Tenant == "acme" && r.Backup.ID != newest.ID {
				t.Errorf("acme comes from %s, neither %s nor the newest", r.Backup.ID, first.ID)
			}
		}
		wantImages := []RecoveredImage{
			{Image: fleet.ImageRef{Name: "bare", Version: "1"}, Saved: true},
			{Image: fleet.ImageRef{Name: "shop", Version: "1"}, Recipe: "abc"},
			{Image: fleet.ImageRef{Name: "wild", Version: "1"}},
		}
		want := map[fleet.Name]RecoverOutcome{"acme": RecoverRestoring, "globex": RecoverRestoring, "initech": RecoverNothing}
		if diff := cmp.Diff(want, outcomes); diff != "" || report.Backups != 3 || !cmp.Equal(report.Plans, []string{"huge"}) ||
			!cmp.Equal(report.Policies, []string{"gold"}) || !cmp.Equal(report.Images, wantImages) {
			t.Errorf("report %+v\n%s", report, diff)
		}
		back := w.wantRuns(t, "acme", "id-of-acme")
		if back.Config["volatile.eth0.hwaddr"] != "00:16:3e:00:00:0a" || back.Config["limits.cpu"] != "2" {
			t.Errorf("acme is %+v", back)
		}
		if inst := w.instance("globex"); inst.Status != fleet.InstanceStopped || inst.Config[fleet.KeyReady] != "true" {
			t.Errorf("globex is %+v", inst)
		}
		for _, tenant := range w.scene(t).Tenants {
			before, err := lost.store.TenantByID(t.Context(), tenant.ID)
			do(t, err)
			before.Revision, before.UpdatedAt, before.Member = 0, time.Time{}, tenant.Member
			if diff := cmp.Diff(before, tenant); diff != "" {
				t.Errorf("%s (-lost +back):\n%s", tenant.Name, diff)
			}
		}
		if bundle, err := w.store.Recipe(t.Context(), "abc"); err != nil || string(bundle) != "a bundle" {
			t.Errorf("recipe %q: %v", bundle, err)
		}
		if g, err := w.store.GoldenImage(t.Context(), fleet.ImageRef{Name: "bare"}); err != nil || g.Version != "1" || g.Description != "from elsewhere" {
			t.Errorf("the imported image is %+v: %v", g, err)
		}
		again, err := w.service.Recover(t.Context(), RecoverRequest{})
		do(t, err)
		if again.Tenants[0].Outcome != RecoverThere || again.Backups != 0 || len(again.Plans)+len(again.Policies) != 0 {
			t.Errorf("again: %+v", again)
		}
		_, err = w.service.Recover(t.Context(), RecoverRequest{Tenants: []fleet.Name{"nobody"}})
		wantError(t, err, fleet.NotFound, "nobody")
	})
}
