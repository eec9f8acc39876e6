package images

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

// scenario is a kind tried on a world with two versions of the shop, of which 1 is current.
// args gives the job's arguments and check looks at the effect.
func scenario(kind string, args func(t *testing.T, w *world) any, check func(t *testing.T, w *world)) jobstest.Scenario {
	return jobstest.Scenario{Kind: kind, Bubble: true, New: func(t *testing.T) jobstest.World {
		w := newWorld(t)
		w.has(t, "0", false)
		w.has(t, "1", true)
		before := w.snap(t)
		return jobstest.World{
			Store: w.store, Registry: w.registry,
			Submit: func() jobs.Request {
				return jobs.Request{Kind: kind, Subject: Subject("shop"), Args: args(t, w)}
			},
			CheckDone: func(t *testing.T) {
				check(t, w)
				after := w.snap(t)
				if len(after.Instances) > 0 || len(after.Work) > 0 {
					t.Errorf("left behind: instances %v, files %v", after.Instances, after.Work)
				}
			},
			CheckUndone: func(t *testing.T) {
				if diff := cmp.Diff(before, w.snap(t)); diff != "" {
					t.Errorf("something is left behind (-before +after):\n%s", diff)
				}
			},
		}
	}}
}

// wantCurrent checks that a version is current, in the store and in LXD, and unpacked everywhere.
func (w *world) wantCurrent(t *testing.T, version string) {
	t.Helper()
	g, err := w.store.GoldenImage(t.Context(), fleet.ImageRef{Name: "shop"})
	do(t, err)
	members := slices.Sorted(slices.Values(g.Members))
	if g.Version != version || !slices.Equal(members, []string{"n1", "n2", "n3"}) {
		t.Errorf("current is %s, unpacked on %v; want %s on all", g.Ref(), members, version)
	}
	for _, alias := range []string{"shop", g.Ref().String()} {
		img, err := w.lxd.Image(t.Context(), alias)
		do(t, err)
		if img.Fingerprint != g.Fingerprint {
			t.Errorf("the alias %s is another image", alias)
		}
	}
	for _, m := range members {
		if !w.lxd.Unpacked(g.Fingerprint, m) {
			t.Errorf("%s is not unpacked on %s", g.Ref(), m)
		}
	}
}

func scenarios() []jobstest.Scenario {
	return []jobstest.Scenario{
		scenario(KindBuild, func(t *testing.T, w *world) any {
			b := bundleOf(t, shopRecipe)
			do(t, w.store.SaveRecipe(t.Context(), b.Hash, b.Tar))
			return edition{Image: fleet.GoldenImage{Name: "shop", Version: "2", RecipeHash: b.Hash}}
		}, func(t *testing.T, w *world) { w.wantCurrent(t, "2") }),
		scenario(KindImport, func(t *testing.T, w *world) any {
			file := filepath.Join(filepath.Dir(w.deps.WorkDir), "upload", "image.tar")
			do(t, os.MkdirAll(filepath.Dir(file), 0o700))
			do(t, os.WriteFile(file, []byte("a unified image"), 0o600))
			return edition{Image: fleet.GoldenImage{Name: "shop", Version: "2"}, Path: file}
		}, func(t *testing.T, w *world) { w.wantCurrent(t, "2") }),
		scenario(KindDelete, func(t *testing.T, w *world) any {
			g, err := w.store.GoldenImage(t.Context(), fleet.ImageRef{Name: "shop", Version: "0"})
			do(t, err)
			return removal{Image: g}
		}, func(t *testing.T, w *world) {
			w.wantCurrent(t, "1")
			if after := w.snap(t); len(after.Records) != 1 || len(after.LXD) != 1 {
				t.Errorf("left are %+v and %+v", after.Records, after.LXD)
			}
		}),
	}
}

func TestKindsRepeatEachStep(t *testing.T) { eachKind(t, jobstest.RepeatEachStep) }

func TestKindsFailEachStep(t *testing.T) { eachKind(t, jobstest.FailEachStep) }

func TestKindsResumeEachEvent(t *testing.T) { eachKind(t, jobstest.ResumeEachEvent) }

func eachKind(t *testing.T, try func(*testing.T, jobstest.Scenario)) {
	for _, s := range scenarios() {
		t.Run(s.Kind, func(t *testing.T) { try(t, s) })
	}
}

func TestEveryKindHasAScenario(t *testing.T) {
	registry := jobs.NewRegistry()
	do(t, Register(registry, Deps{}))
	jobstest.Cover(t, registry, scenarios())
}
