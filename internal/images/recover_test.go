package images

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestRecover(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.has(t, "1", true)
		job, err := w.buildShop(t)
		w.ends(t, job, err, fleet.JobDone)
		job, err = w.service.Import(t.Context(), upload(t, "a unified image"), fleet.ImageRef{Name: "blog", Version: "7"}, "A blog", "", "")
		w.ends(t, job, err, fleet.JobDone)
		// An operator's own image, and one of a build that did not end.
		w.lxd.AddImage(fleet.Image{Aliases: []string{"debian"}})
		w.lxd.AddImage(fleet.Image{Fingerprint: "half", Properties: map[string]string{PropName: "shop", PropVersion: "9"}})
		want, err := w.store.GoldenImages(t.Context())
		do(t, err)
		for i := range want {
			want[i].Members = nil
		}

		empty, err := store.Open(t.Context(), "sqlite::memory:")
		do(t, err)
		defer empty.Close()
		for range 2 {
			found, err := Recover(t.Context(), w.lxd, empty)
			if do(t, err); len(found) != 3 {
				t.Errorf("found %d images, want 3", len(found))
			}
			got, err := empty.GoldenImages(t.Context())
			do(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("recovered (-want +got):\n%s", diff)
			}
		}
		found, err := w.service.Recover(t.Context())
		if do(t, err); len(found) != 3 || !slices.Contains(w.changed, "blog") {
			t.Errorf("found %d, told of %v", len(found), w.changed)
		}
	})
}

func TestDescribedTrustsNothing(t *testing.T) {
	for name, p := range map[string]map[string]string{
		"no JSON":    {PropHealth: "{"},
		"bad port":   {PropHealth: `{"port":70000,"path":"/","timeout":1000000000}`},
		"no path":    {PropHealth: `{"port":80,"path":"x","timeout":1000000000}`},
		"no timeout": {PropHealth: `{"port":80,"path":"/"}`},
		"hooks":      {PropHooks: "../evil, ,rm"},
	} {
		t.Run(name, func(t *testing.T) {
			g := described(fleet.Image{Properties: p})
			if g.Health != fleet.DefaultHealth() || len(g.Hooks) > 0 {
				t.Errorf("health %+v, hooks %v", g.Health, g.Hooks)
			}
		})
	}
}
