package images

import (
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// An image that was imported is lost with LXD and the store, and comes back from its tarball.
func TestReadmit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		const tarball = "a tarball of wild"
		fingerprint, err := w.lxd.EnsureImported(ctx, strings.NewReader(tarball), nil, nil)
		do(t, err)
		do(t, w.lxd.EnsureImageDeleted(ctx, fingerprint))
		g := fleet.GoldenImage{Name: "wild", Version: "2", Fingerprint: fingerprint, Description: "by hand", Health: fleet.DefaultHealth(), Current: true, JobID: "lost"}
		err = w.service.Bring(ctx, strings.NewReader("something else"), g, "job", nil)
		if fleet.CodeOf(err) != fleet.Failed {
			t.Fatalf("another image is taken for it: %v", err)
		}
		if all, err := w.lxd.Images(ctx); err != nil || len(all) != 0 {
			t.Errorf("left: %+v %v", all, err)
		}
		for range 2 {
			do(t, w.service.Bring(ctx, strings.NewReader(tarball), g, "job", nil))
			do(t, w.service.Admit(ctx, g, "job"))
		}
		got, err := w.store.GoldenImage(ctx, fleet.ImageRef{Name: "wild"})
		do(t, err)
		if got.Version != "2" || !got.Current || got.Fingerprint != fingerprint || got.JobID != "job" {
			t.Errorf("the record is %+v", got)
		}
		// What LXD says of it is enough to write the record again.
		do(t, w.store.DeleteImage(ctx, g.Ref()))
		if found, err := w.service.Recover(ctx); err != nil || len(found) != 1 || found[0].Description != "by hand" || !found[0].Current {
			t.Errorf("recovered from LXD: %+v %v", found, err)
		}
		do(t, w.service.Dismiss(ctx, g, "another job"))
		if _, err := w.lxd.Image(ctx, "wild"); err != nil {
			t.Errorf("another job has deleted it: %v", err)
		}
		do(t, w.service.Dismiss(ctx, g, "job"))
		if _, err := w.lxd.Image(ctx, fingerprint); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("it is there: %v", err)
		}
	})
}

// A version that was lost is built again from its recipe, under the version it had.
func TestRebuild(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		b := bundleOf(t, shopRecipe)
		ref := fleet.ImageRef{Name: "shop", Version: "2026.11.22-1"}
		_, err := w.service.Rebuild(ctx, ref, b.Hash)
		if fleet.CodeOf(err) != fleet.NotFound {
			t.Fatalf("built without a recipe: %v", err)
		}
		do(t, w.store.SaveRecipe(ctx, b.Hash, b.Tar))
		job, err := w.service.Rebuild(ctx, ref, b.Hash)
		w.ends(t, job, err, fleet.JobDone)
		g, err := w.service.Get(ctx, ref)
		do(t, err)
		if !g.Current || g.RecipeHash != b.Hash {
			t.Errorf("built: %+v", g)
		}
		if _, err := w.service.Rebuild(ctx, ref, b.Hash); fleet.CodeOf(err) != fleet.Taken {
			t.Errorf("built twice: %v", err)
		}
	})
}
