package lxdcontract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const noFingerprint = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func (s *suite) testImages(t *testing.T) {
	ctx := t.Context()
	r := s.Image(t)
	sum := sha256.New()
	_, err := io.Copy(sum, r)
	ok(t, err)
	ok(t, r.Close())
	if want := hex.EncodeToString(sum.Sum(nil)); s.fingerprint != want {
		t.Errorf("fingerprint is %s, want the SHA-256 %s", s.fingerprint, want)
	}
	for _, c := range []struct {
		name string
		wrap func(io.Reader) io.Reader
	}{
		{"as it is", func(r io.Reader) io.Reader { return r }},
		{"only a reader", func(r io.Reader) io.Reader { return io.MultiReader(r) }},
	} {
		r := s.Image(t)
		again, err := s.lxd.EnsureImported(ctx, c.wrap(r), map[string]string{"os": "other"}, nil)
		_ = r.Close()
		ok(t, err)
		if again != s.fingerprint {
			t.Errorf("%s: imported again it is %s", c.name, again)
		}
	}
	content, size, err := s.lxd.ReadImage(ctx, s.fingerprint)
	ok(t, err)
	sum.Reset()
	n, err := io.Copy(sum, content)
	ok(t, err)
	ok(t, content.Close())
	if got := hex.EncodeToString(sum.Sum(nil)); got != s.fingerprint || n != size {
		t.Errorf("%d bytes of %d with the SHA-256 %s", n, size, got)
	}
	_, _, err = s.lxd.ReadImage(ctx, noFingerprint)
	code(t, err, fleet.NotFound)
	images, err := s.lxd.Images(ctx)
	ok(t, err)
	if len(images) != 1 || images[0].Fingerprint != s.fingerprint || images[0].Size <= 0 || images[0].CreatedAt.IsZero() {
		t.Errorf("images are %+v", images)
	}
	image, err := s.lxd.Image(ctx, s.fingerprint)
	ok(t, err)
	if image.Properties["os"] != "contract" {
		t.Errorf("properties are %v", image.Properties)
	}
	for _, missing := range []string{"nothing", "nothing/1", noFingerprint} {
		_, err := s.lxd.Image(ctx, missing)
		code(t, err, fleet.NotFound)
	}
	ok(t, s.lxd.EnsureImageDeleted(ctx, noFingerprint))
}

func (s *suite) testAliases(t *testing.T) {
	ctx := t.Context()
	code(t, s.lxd.EnsureAlias(ctx, "wordpress", noFingerprint), fleet.NotFound)
	for _, alias := range []string{"wordpress", "wordpress/6.1-1", "wordpress"} {
		ok(t, s.lxd.EnsureAlias(ctx, alias, s.fingerprint))
		image, err := s.lxd.Image(ctx, alias)
		ok(t, err)
		if image.Fingerprint != s.fingerprint || !slices.Contains(image.Aliases, alias) {
			t.Errorf("%s is %+v", alias, image)
		}
	}
	s.clone(t, "source", 0)
	other, err := s.lxd.EnsurePublished(ctx, "source", map[string]string{"lxdfleet.job": t.Name()}, nil)
	ok(t, err)
	ok(t, s.lxd.EnsureAlias(ctx, "wordpress", other))
	image, err := s.lxd.Image(ctx, "wordpress")
	ok(t, err)
	if image.Fingerprint != other || slices.Contains(image.Aliases, "wordpress/6.1-1") {
		t.Errorf("after the move wordpress is %+v", image)
	}
	ok(t, s.lxd.EnsureImageDeleted(ctx, other))
	ok(t, s.lxd.EnsureImageDeleted(ctx, other))
	_, err = s.lxd.Image(ctx, "wordpress")
	code(t, err, fleet.NotFound)
	for range 2 {
		ok(t, s.lxd.EnsureAliasDeleted(ctx, "wordpress/6.1-1"))
	}
	image, err = s.lxd.Image(ctx, s.fingerprint)
	ok(t, err)
	if len(image.Aliases) != 0 {
		t.Errorf("aliases left: %v", image.Aliases)
	}
}

func (s *suite) testUnpacked(t *testing.T) {
	ctx := t.Context()
	for _, m := range s.members {
		ok(t, s.lxd.EnsureUnpacked(ctx, s.fingerprint, m))
	}
	code(t, s.lxd.EnsureUnpacked(ctx, noFingerprint, s.members[0]), fleet.NotFound)
	code(t, s.lxd.EnsureUnpacked(ctx, s.fingerprint, "nowhere"), fleet.NotFound)
	instances, err := s.lxd.Instances(ctx, false)
	ok(t, err)
	if len(instances) != 0 {
		t.Errorf("left behind: %v", names(instances))
	}
}

func (s *suite) testPublished(t *testing.T) {
	ctx := t.Context()
	s.started(t, "source", 1)
	properties := map[string]string{"lxdfleet.job": t.Name(), "os": "published"}
	_, err := s.lxd.EnsurePublished(ctx, "source", properties, nil)
	code(t, err, fleet.Conflict)
	_, err = s.lxd.EnsureStopped(ctx, "source", 0)
	ok(t, err)
	told := 0
	fingerprint, err := s.lxd.EnsurePublished(ctx, "source", properties, func(fleet.Progress) { told++ })
	ok(t, err)
	t.Cleanup(func() {
		if err := s.lxd.EnsureImageDeleted(context.Background(), fingerprint); err != nil {
			t.Error(err)
		}
	})
	ok(t, s.lxd.EnsureDeleted(ctx, "source"))
	again, err := s.lxd.EnsurePublished(ctx, "source", properties, nil)
	ok(t, err)
	if again != fingerprint {
		t.Errorf("published again it is %s, was %s", again, fingerprint)
	}
	image, err := s.lxd.Image(ctx, fingerprint)
	ok(t, err)
	if image.Properties["os"] != "published" || image.Properties["lxdfleet.job"] != t.Name() {
		t.Errorf("properties are %v", image.Properties)
	}
	_, err = s.lxd.EnsurePublished(ctx, "source", map[string]string{"lxdfleet.job": "another"}, nil)
	code(t, err, fleet.NotFound)
	for i, m := range s.members { // from any member
		spec := s.spec(t, "from-"+m, i)
		spec.Fingerprint = fingerprint
		s.deleteAfter(t, spec.Name)
		ok(t, s.lxd.EnsureClone(ctx, spec, nil))
	}
}
