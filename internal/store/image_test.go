package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func anImage(name, version string, n int) fleet.GoldenImage {
	return fleet.GoldenImage{
		Name: name, Version: version, Fingerprint: strings.Repeat("a", 60) + fmt.Sprintf("%04d", n),
		Description: "Ein Bild für " + name, Health: fleet.HealthCheck{Port: 80, Path: "/", Timeout: time.Minute},
		Hooks: []string{"personalize", "health"}, RecipeHash: strings.Repeat("b", 64),
		BaseFingerprint: strings.Repeat("c", 64), Size: 3 * fleet.GiB, JobID: "job", CreatedAt: at(n),
	}
}

func testImage(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	one, two, other := anImage("wordpress", "1", 1), anImage("wordpress", "2", 2), anImage("static", "1", 3)
	bare := fleet.GoldenImage{Name: "bare", Version: "1", Fingerprint: "f"}
	for _, image := range []fleet.GoldenImage{one, two, other, bare, one} {
		ok(t, s.InsertImage(ctx, image))
	}
	same(t, "list", must(s.GoldenImages(ctx))(t), []fleet.GoldenImage{bare, other, two, one})
	same(t, "one", must(s.GoldenImage(ctx, one.Ref()))(t), one)
	changed := one
	changed.Fingerprint = two.Fingerprint
	fails(t, s.InsertImage(ctx, changed), fleet.Taken, "image", "wordpress/1")
	_, err := s.GoldenImage(ctx, fleet.ImageRef{Name: "wordpress", Version: "3"})
	fails(t, err, fleet.NotFound, "image", "wordpress/3")
	_, err = s.GoldenImage(ctx, fleet.ImageRef{Name: "wordpress"})
	fails(t, err, fleet.NotFound, "image")

	fails(t, s.DeleteImage(ctx, fleet.ImageRef{Name: "wordpress"}), fleet.Invalid, "image")
	for range 2 {
		ok(t, s.DeleteImage(ctx, one.Ref()))
	}
	same(t, "list", must(s.GoldenImages(ctx))(t), []fleet.GoldenImage{bare, other, two})
	wins := race(t, 8, fleet.Taken, func(i int) error { return s.InsertImage(ctx, anImage("raced", "1", 10+i)) })
	if wins != 1 {
		t.Errorf("%d inserts of different images under one name won", wins)
	}
}

func testImageCurrent(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	for i, version := range []string{"1", "2"} {
		ok(t, s.InsertImage(ctx, anImage("wordpress", version, i)))
	}
	ok(t, s.InsertImage(ctx, anImage("static", "1", 5)))
	current := func() string {
		t.Helper()
		return must(s.GoldenImage(ctx, fleet.ImageRef{Name: "wordpress"}))(t).Version
	}
	for _, version := range []string{"1", "2", "2", "1"} {
		ok(t, s.SetCurrentImage(ctx, fleet.ImageRef{Name: "wordpress", Version: version}))
		same(t, "current", current(), version)
	}
	fails(t, s.SetCurrentImage(ctx, fleet.ImageRef{Name: "wordpress", Version: "9"}), fleet.NotFound, "image")
	same(t, "current after a refused change", current(), "1")
	third := anImage("wordpress", "3", 9)
	third.Current = true
	ok(t, s.InsertImage(ctx, third))
	same(t, "current by insert", current(), "3")
	n := 0
	for _, image := range must(s.GoldenImages(ctx))(t) {
		if image.Current {
			n++
		}
	}
	same(t, "number of current images", n, 1)
}

func testImageConcurrentCurrent(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	for i := range 8 {
		ok(t, s.InsertImage(ctx, anImage("wordpress", fmt.Sprint(i), i)))
	}
	race(t, 16, "", func(i int) error {
		return s.SetCurrentImage(ctx, fleet.ImageRef{Name: "wordpress", Version: fmt.Sprint(i % 8)})
	})
	n := 0
	for _, image := range must(s.GoldenImages(ctx))(t) {
		if image.Current {
			n++
		}
	}
	same(t, "number of current versions", n, 1)
}

func testImageUnpacked(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	one, twin := anImage("wordpress", "1", 1), anImage("wordpress", "1-again", 2)
	twin.Fingerprint = one.Fingerprint
	one.Members = []string{"n9"}
	ok(t, s.InsertImage(ctx, one))
	ok(t, s.InsertImage(ctx, twin))
	members := func(image fleet.GoldenImage, want ...string) {
		t.Helper()
		same(t, "members", must(s.GoldenImage(ctx, image.Ref()))(t).Members, want)
	}
	members(one, "n9")
	for _, set := range []struct {
		member   string
		unpacked bool
	}{{"n2", true}, {"n1", true}, {"n1", true}, {"n9", false}, {"n9", false}} {
		ok(t, s.SetUnpacked(ctx, one.Fingerprint, set.member, set.unpacked))
	}
	members(one, "n1", "n2")
	members(twin, "n1", "n2")
	ok(t, s.DeleteImage(ctx, one.Ref()))
	members(twin, "n1", "n2")
	ok(t, s.DeleteImage(ctx, twin.Ref()))
	one.Members = nil
	ok(t, s.InsertImage(ctx, one))
	members(one)
	if n := race(t, 8, "", func(int) error { return s.SetUnpacked(ctx, one.Fingerprint, "n1", true) }); n != 8 {
		t.Errorf("%d of 8 concurrent notes succeeded", n)
	}
	members(one, "n1")
}
