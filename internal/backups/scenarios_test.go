package backups

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

// scenario is a kind tried on a world with one tenant and one backup of it. request gives the
// job's subject and arguments, and check looks at the effect.
func scenario(kind string, request func(t *testing.T, w *world, b fleet.Backup) (string, any), check func(t *testing.T, w *world, b fleet.Backup)) jobstest.Scenario {
	return jobstest.Scenario{Kind: kind, Bubble: true, New: func(t *testing.T) jobstest.World {
		w := newWorld(t)
		b := w.stored("acme", "gold", time.Now().Add(-time.Hour))
		w.pins("acme", "pinned")
		_, err := w.deps.saveControl(t.Context(), "")
		do(t, err)
		subject, args := request(t, w, b)
		before := w.scene(t)
		return jobstest.World{
			Store: w.store, Registry: w.registry,
			Submit: func() jobs.Request { return jobs.Request{Kind: kind, Subject: subject, Args: args} },
			CheckDone: func(t *testing.T) {
				check(t, w, b)
				w.tidy(t)
			},
			CheckUndone: func(t *testing.T) {
				if diff := cmp.Diff(before, w.scene(t)); diff != "" {
					t.Errorf("something is left behind (-before +after):\n%s", diff)
				}
			},
		}
	}}
}

// tidy checks that no job has left anything of its own.
func (w *world) tidy(t *testing.T) {
	t.Helper()
	s := w.scene(t)
	for _, inst := range s.Instances {
		role := inst.Config[fleet.KeyRole]
		if strings.HasPrefix(inst.Name, fleet.ReservedPrefix) && role != fleet.RoleKept && (role != fleet.RoleHistory || len(s.Snapshots[inst.Name]) == 0) {
			t.Errorf("the instance %s is left", inst.Name)
		}
	}
	for name, list := range s.Snapshots {
		for _, snapshot := range list {
			if strings.HasPrefix(snapshot, fleet.ReservedPrefix) {
				t.Errorf("the snapshot %s of %s is left", snapshot, name)
			}
		}
	}
	for _, img := range s.Images {
		if img.Properties[propJob] != "" {
			t.Errorf("the image %s is left", img.Fingerprint)
		}
	}
	for _, tenant := range s.Tenants {
		if len(tenant.Holds) > 0 || !tenant.Ready {
			t.Errorf("tenant %s is held %v or not ready", tenant.Name, tenant.Holds)
		}
	}
}

// wantRuns checks that an instance runs and is the tenant's.
func (w *world) wantRuns(t *testing.T, name, id string) fleet.Instance {
	t.Helper()
	inst, ok := w.lxd.Seen(name)
	if !ok || inst.Status != fleet.InstanceRunning || inst.Config[fleet.KeyTenant] != id || inst.Config[fleet.KeyReady] != "true" ||
		inst.Config[fleet.KeyRole] != fleet.RoleTenant {
		t.Errorf("the instance %s is %+v", name, inst)
	}
	return inst
}

func scenarios() []jobstest.Scenario {
	return []jobstest.Scenario{
		scenario(KindCreate, func(*testing.T, *world, fleet.Backup) (string, any) {
			return ofBackup("acme"), createState{Tenant: "acme", TenantID: "id-of-acme", Note: "mine"}
		}, func(t *testing.T, w *world, _ fleet.Backup) {
			s := w.scene(t)
			if len(s.Backups) != 2 || len(s.Entries) != 2 || s.Backups[0].Note != "mine" || s.Backups[0].ID != s.Entries[0] || s.Backups[0].Held != time.Second {
				t.Errorf("backups %+v, entries %v", s.Backups, s.Entries)
			}
		}),
		scenario(KindRestore, func(t *testing.T, w *world, b fleet.Backup) (string, any) {
			k, err := w.deps.recall(t.Context(), b.ID)
			do(t, err)
			tenant, err := w.store.Tenant(t.Context(), "acme")
			do(t, err)
			return ofTenant("acme"), restoreState{Backup: b, Kept: k, Tenant: tenant}
		}, func(t *testing.T, w *world, _ fleet.Backup) {
			inst := w.wantRuns(t, "acme", "id-of-acme")
			if inst.Config[fleet.KeyJob] == "made-acme" || inst.Config["volatile.eth0.hwaddr"] != "00:16:3e:00:00:0a" || inst.Config["limits.cpu"] != "2" ||
				inst.Devices["data"]["path"] != "/data" || inst.Location != "n1" {
				t.Errorf("the restored instance is %+v", inst)
			}
			if w.held == 0 {
				t.Error("requests were not held")
			}
			holders := w.snapshotsOf(t, "id-of-acme")
			history := w.instance(holders["pinned"])
			if len(holders) != 2 || history.Name == "acme" || history.Config[fleet.KeyHistory] != "id-of-acme" || history.Config[fleet.KeyTenant] != "" ||
				history.Status != fleet.InstanceStopped || history.Config["volatile.eth0.hwaddr"] != "" {
				t.Errorf("the snapshots are in %v; the history is %+v", holders, history)
			}
		}),
		scenario(KindClone, func(t *testing.T, w *world, b fleet.Backup) (string, any) {
			k, err := w.deps.recall(t.Context(), b.ID)
			do(t, err)
			tenant, err := (*tenancy)(w).Draft(t.Context(), Draft{Name: "copy", Plan: "large", From: k.Tenant})
			do(t, err)
			return ofTenant("copy"), cloneState{Backup: b, Kept: k, Tenant: tenant, Copy: true}
		}, func(t *testing.T, w *world, _ fleet.Backup) {
			tenant, err := w.store.Tenant(t.Context(), "copy")
			do(t, err)
			inst := w.wantRuns(t, "copy", tenant.ID)
			if tenant.Plan != "large" || tenant.Member != "n2" || inst.Location != "n2" || inst.Config["volatile.eth0.hwaddr"] != "" ||
				!cmp.Equal(inst.Profiles, []string{"default", "large"}) {
				t.Errorf("the copy is %+v, %+v", tenant, inst)
			}
			w.wantRuns(t, "acme", "id-of-acme")
		}),
		scenario(KindDrill, func(t *testing.T, w *world, b fleet.Backup) (string, any) {
			k, err := w.deps.recall(t.Context(), b.ID)
			do(t, err)
			return ofDrill("acme"), drillState{ID: fleet.NewID(time.Now()), Backup: b, Kept: k, Member: "n3", At: time.Now()}
		}, func(t *testing.T, w *world, b fleet.Backup) {
			drills := w.scene(t).Drills
			if len(drills) != 1 || !drills[0].Passed || drills[0].BackupID != b.ID || drills[0].RPO < time.Hour {
				t.Errorf("drills are %+v", drills)
			}
			if !w.noted("drill.passed") {
				t.Error("nobody was told")
			}
		}),
		scenario(KindVerify, func(_ *testing.T, w *world, b fleet.Backup) (string, any) {
			w.server.damaged[b.ID] = "pack p is cut short"
			return ofVerify, verifyState{IDs: []string{b.ID}, Deep: true}
		}, func(t *testing.T, w *world, b fleet.Backup) {
			if got := w.scene(t).Backups[0]; got.Damage != "pack p is cut short" || !w.noted("backup.damaged") {
				t.Errorf("the backup is %+v", got)
			}
		}),
		scenario(KindDelete, func(_ *testing.T, _ *world, b fleet.Backup) (string, any) {
			return ofEntry(b.ID), deleteState{IDs: []string{b.ID}}
		}, func(t *testing.T, w *world, _ fleet.Backup) {
			if s := w.scene(t); len(s.Backups)+len(s.Entries) != 0 {
				t.Errorf("backups %+v, entries %v", s.Backups, s.Entries)
			}
		}),
		scenario(KindPrune, func(_ *testing.T, w *world, _ fleet.Backup) (string, any) {
			w.policies = []fleet.Policy{{Name: "gold", Backups: &fleet.Schedule{Keep: fleet.Keep{Last: 1}}}}
			w.stored("acme", "gold", time.Now().Add(-2*time.Hour))
			return ofPrune, pruneState{}
		}, func(t *testing.T, w *world, b fleet.Backup) {
			if s := w.scene(t); len(s.Backups) != 1 || len(s.Entries) != 1 || s.Backups[0].ID != b.ID || w.server.pruned == 0 {
				t.Errorf("backups %+v, entries %v", s.Backups, s.Entries)
			}
		}),
		scenario(KindControlSave, func(_ *testing.T, w *world, _ fleet.Backup) (string, any) {
			w.has("globex")
			w.imports("wild", "a tarball")
			return ofControl, controlState{}
		}, func(t *testing.T, w *world, _ fleet.Backup) {
			if got := len(w.server.ids(KindImage)); got != 1 {
				t.Errorf("%d images are saved", got)
			}
			if got := len(w.server.ids(KindControl)); got != 2 {
				t.Errorf("%d saves", got)
			}
		}),
	}
}

// imageBack is a scenario of its own: the image is lost.
func imageBack() jobstest.Scenario {
	return scenario(KindImageBack, func(t *testing.T, w *world, _ fleet.Backup) (string, any) {
		g := w.imports("wild", "a tarball")
		c := &crew{w.deps}
		repo, err := w.vault.Open(t.Context())
		do(t, err)
		do(t, c.saveImage(t.Context(), &jobs.Run{JobID: "save"}, repo, g))
		do(t, w.store.DeleteImage(t.Context(), g.Ref()))
		do(t, w.lxd.EnsureImageDeleted(t.Context(), g.Fingerprint))
		return "image/wild", imageState{Entry: w.server.ids(KindImage)[0], Image: g}
	}, func(t *testing.T, w *world, _ fleet.Backup) {
		g, err := w.store.GoldenImage(t.Context(), fleet.ImageRef{Name: "wild"})
		do(t, err)
		img, err := w.lxd.Image(t.Context(), "wild/1")
		do(t, err)
		if !g.Current || g.Fingerprint != img.Fingerprint || g.Description != "from elsewhere" || !slices.Contains(img.Aliases, "wild") {
			t.Errorf("the image is %+v, %+v", g, img)
		}
	})
}

func TestKindsRepeatEachStep(t *testing.T) { eachKind(t, jobstest.RepeatEachStep) }

func TestKindsFailEachStep(t *testing.T) { eachKind(t, jobstest.FailEachStep) }

func TestKindsResumeEachEvent(t *testing.T) { eachKind(t, jobstest.ResumeEachEvent) }

func eachKind(t *testing.T, try func(*testing.T, jobstest.Scenario)) {
	for _, s := range append(scenarios(), imageBack()) {
		t.Run(s.Kind, func(t *testing.T) { try(t, s) })
	}
}

func TestEveryKindHasAScenario(t *testing.T) {
	registry := jobs.NewRegistry()
	do(t, Register(registry, Deps{}))
	jobstest.Cover(t, registry, append(scenarios(), imageBack()))
}
