package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func TestServiceRefuses(t *testing.T) {
	shop := func(old, replacement string) func(t *testing.T, w *world) error {
		return func(t *testing.T, w *world) error {
			_, err := w.service.Build(t.Context(), bundleOf(t, strings.Replace(shopRecipe, old, replacement, 1)).Tar, "", "")
			return err
		}
	}
	base := `{debootstrap: {suite: bookworm}}`
	remove := func(version string) func(t *testing.T, w *world) error {
		return func(t *testing.T, w *world) error {
			_, err := w.service.Delete(t.Context(), fleet.ImageRef{Name: "shop", Version: version}, "", "")
			return err
		}
	}
	imported := func(path string, ref fleet.ImageRef) func(t *testing.T, w *world) error {
		return func(t *testing.T, w *world) error {
			_, err := w.service.Import(t.Context(), path, ref, "", "", "")
			return err
		}
	}
	tests := []struct {
		name  string
		try   func(t *testing.T, w *world) error
		code  fleet.Code
		field string
		says  []string
	}{
		{"no bundle", func(t *testing.T, w *world) error {
			_, err := w.service.Build(t.Context(), []byte("hello"), "", "")
			return err
		}, fleet.Invalid, "recipe", []string{"bad recipe bundle"}},
		{"version taken", shop(`"2"`, `"1"`), fleet.Taken, "version", []string{"shop/1", "raise the version"}},
		{"no such alias", shop(base, "{alias: debian}"), fleet.NotFound, "base.alias", []string{"debian", "lxc image list"}},
		{"no such image", shop(base, "{image: blog/7}"), fleet.NotFound, "base.image", []string{"blog/7", "lxdfleet image list"}},
		{"no such tarball", shop(base, "{tarball: "+os.TempDir()+"/no/such.tar}"), fleet.NotFound, "base.tarball", []string{"no/such.tar"}},
		{"a file of the daemon's host", shop(base, "{tarball: /etc/shadow}"), fleet.Forbidden, "base.tarball", []string{"/etc/shadow", "put it into"}},
		{"a server nobody trusts", shop(base, `{remote: {server: "https://169.254.169.254", alias: x}}`), fleet.Forbidden, "base.remote.server", []string{"169.254.169.254", "images.sources"}},
		{"a mirror nobody trusts", shop(base, `{debootstrap: {suite: bookworm, mirror: "http://localhost:8445/metrics"}}`), fleet.Forbidden, "base.debootstrap.mirror", []string{"localhost:8445", "images.sources"}},
		{"import without version", imported("/etc/hostname", fleet.ImageRef{Name: "shop"}), fleet.Invalid, "image", []string{"NAME/VERSION"}},
		{"import under a bad name", imported("/etc/hostname", fleet.ImageRef{Name: "Shop", Version: "1"}), fleet.Invalid, "image", []string{"Shop"}},
		{"import of nothing", imported("/no/such.tar", fleet.ImageRef{Name: "shop", Version: "2"}), fleet.NotFound, "path", []string{"/no/such.tar"}},
		{"import of a taken version", imported("/etc/hostname", fleet.ImageRef{Name: "shop", Version: "1"}), fleet.Taken, "version", []string{"shop/1"}},
		{"delete of nothing", remove("9"), fleet.NotFound, "image", []string{"shop/9"}},
		{"delete without version", remove(""), fleet.Invalid, "image", []string{"NAME/VERSION"}},
		{"delete of one in use", remove("0"), fleet.Conflict, "image", []string{"a1, a2, a3, a4, a5 and others"}},
		{"delete of the current one", remove("1"), fleet.Conflict, "image", []string{"is the current version of shop"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				old := w.has(t, "0", false)
				w.has(t, "1", true)
				for _, name := range []string{"a1", "a2", "a3", "a4", "a5", "a6"} {
					w.uses(t, name, old.Ref())
				}
				wantError(t, test.try(t, w), test.code, test.field, test.says...)
				list, err := w.engine.List(t.Context(), jobs.JobFilter{})
				if do(t, err); len(list) > 0 {
					t.Errorf("a job was made: %+v", list)
				}
			})
		})
	}
}

func TestSameRecipeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		job, err := w.buildShop(t)
		w.ends(t, job, err, fleet.JobDone)
		_, err = w.buildShop(t)
		wantError(t, err, fleet.Taken, "version", "built from exactly this recipe")
	})
}

func TestSameKeySameJob(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tar := bundleOf(t, shopRecipe).Tar
		first, err := w.service.Build(t.Context(), tar, "k", "h")
		do(t, err)
		w.ends(t, first, nil, fleet.JobDone)
		second, err := w.service.Build(t.Context(), tar, "k", "h")
		if err != nil || second.ID != first.ID {
			t.Errorf("the second request: job %s, %v; want job %s", second.ID, err, first.ID)
		}
	})
}

func TestOneJobAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		first, err := w.buildShop(t)
		do(t, err)
		_, err = w.buildShop(t)
		if fleet.CodeOf(err) != fleet.Busy {
			t.Errorf("the second build: %v, want busy", err)
		}
		w.ends(t, first, nil, fleet.JobDone)
	})
}

func TestVersionOfTheDay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tar := bundleOf(t, strings.Replace(shopRecipe, "version: \"2\"\n", "", 1)).Tar
		day := time.Now().UTC().Format("2006.01.02")
		for _, want := range []string{day + "-1", day + "-2"} {
			job, err := w.service.Build(t.Context(), tar, "", "")
			w.ends(t, job, err, fleet.JobDone)
			w.wantCurrent(t, want)
		}
	})
}

func TestBases(t *testing.T) {
	file := filepath.Join(t.TempDir(), "base.tar")
	do(t, os.WriteFile(file, []byte("a base"), 0o600))
	for name, base := range map[string]string{
		"golden image": "{image: shop/1}",
		"alias":        "{alias: shop}",
		"remote":       `{remote: {server: "https://images.example", alias: debian/12}}`,
		"tarball":      "{tarball: " + file + "}",
		"in bundle":    "{tarball: health.sh}",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.has(t, "1", true)
				recipe := strings.Replace(shopRecipe, "{debootstrap: {suite: bookworm}}", base, 1)
				job, err := w.service.Build(t.Context(), bundleOf(t, recipe).Tar, "", "")
				w.ends(t, job, err, fleet.JobDone)
				w.wantCurrent(t, "2")
				if w.based != 0 {
					t.Error("debootstrap was called")
				}
			})
		})
	}
}

// upload gives a tarball as the API would put it there.
func upload(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "upload.tar")
	do(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func TestImport(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.has(t, "1", true)
		file := upload(t, "a unified image")
		job, err := w.service.Import(t.Context(), file, fleet.ImageRef{Name: "shop", Version: "2"}, "Theirs", "", "")
		w.ends(t, job, err, fleet.JobDone)
		w.wantCurrent(t, "2")
		g, err := w.service.Get(t.Context(), fleet.ImageRef{Name: "shop"})
		if do(t, err); g.Description != "Theirs" || g.Health != fleet.DefaultHealth() {
			t.Errorf("the record: %+v", g)
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("the tarball is still there")
		}

		again := upload(t, "a unified image")
		before := w.snap(t)
		job, err = w.service.Import(t.Context(), again, fleet.ImageRef{Name: "shop", Version: "3"}, "", "", "")
		job, _ = w.ends(t, job, err, fleet.JobUndone)
		if job.ErrorCode != fleet.Taken || !strings.Contains(job.Error, "this tarball is image shop/2 already") {
			t.Errorf("the same tarball again: %s (%s)", job.Error, job.ErrorCode)
		}
		w.wantSame(t, before)
		if _, err := os.Stat(again); err == nil {
			t.Error("the tarball of the failed import is still there")
		}
	})
}

func TestImportUnhealthy(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.has(t, "1", true)
		before := w.snap(t)
		w.page = ""
		job, err := w.service.Import(t.Context(), upload(t, "a broken image"), fleet.ImageRef{Name: "shop", Version: "2"}, "", "", "")
		job, _ = w.ends(t, job, err, fleet.JobUndone)
		if job.ErrorCode != fleet.Unhealthy {
			t.Errorf("code %s: %s", job.ErrorCode, job.Error)
		}
		w.wantSame(t, before)
	})
}

func TestDeleteTheLast(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		g := w.has(t, "1", true)
		job, err := w.service.Delete(t.Context(), g.Ref(), "", "")
		w.ends(t, job, err, fleet.JobDone)
		w.wantSame(t, snapshot{LXD: []fleet.Image{}, Records: []fleet.GoldenImage{}})
	})
}

func TestDeleteFails(t *testing.T) {
	t.Run("a member is offline", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			g := w.has(t, "1", true)
			before := w.snap(t)
			w.lxd.SetOnline("n2", false)
			job, err := w.service.Delete(t.Context(), g.Ref(), "", "")
			job, _ = w.ends(t, job, err, fleet.JobUndone)
			if job.ErrorCode != fleet.Unavailable || !strings.Contains(job.Error, "member n2 is offline") {
				t.Errorf("%s (%s)", job.Error, job.ErrorCode)
			}
			w.wantSame(t, before)
		})
	})
	t.Run("a tenant came in between", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			g := w.has(t, "1", true)
			before := w.snap(t)
			w.uses(t, "acme", g.Ref())
			job, err := w.service.submit(t.Context(), KindDelete, "shop", removal{Image: g}, "", "")
			job, _ = w.ends(t, job, err, fleet.JobUndone)
			if job.ErrorCode != fleet.Conflict || !strings.Contains(job.Error, "used by acme") {
				t.Errorf("%s (%s)", job.Error, job.ErrorCode)
			}
			w.wantSame(t, before)
		})
	})
}
