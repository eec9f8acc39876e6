package lxdcontract

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// copyOf is a copy for the job of the test, deleted after it.
func (s *suite) copyOf(t *testing.T, source, name string) fleet.CopySpec {
	t.Helper()
	s.deleteAfter(t, name)
	return fleet.CopySpec{
		Source: source, Name: name, Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: "job-" + t.Name(), "user.new": "yes"},
	}
}

func (s *suite) testCopy(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 1)
	ok(t, s.lxd.SetConfig(ctx, "acme", map[string]string{fleet.KeyPlan: "small", "user.old": "yes"}))
	s.write(t, "acme", "/root/note", "then")
	ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "first"))
	ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "second"))
	s.write(t, "acme", "/root/note", "now")
	ok(t, s.lxd.EnsureStarted(ctx, "acme"))
	for n, c := range []struct {
		edit      func(*fleet.CopySpec)
		member    string
		note      string
		snapshots []string
	}{
		{func(c *fleet.CopySpec) { c.Snapshot = "first" }, s.member(1), "then", nil},
		{func(*fleet.CopySpec) {}, s.member(1), "now", nil},
		{func(c *fleet.CopySpec) { c.Profiles = nil }, s.member(1), "now", nil},
		{func(c *fleet.CopySpec) { c.Snapshots = true }, s.member(1), "now", []string{"first", "second"}},
		{func(c *fleet.CopySpec) { c.Member, c.Snapshot = s.member(2), "first" }, s.member(2), "then", nil},
		{func(c *fleet.CopySpec) { c.Member, c.Snapshots = s.member(2), true }, s.member(2), "now", []string{"first", "second"}},
	} {
		spec := s.copyOf(t, "acme", fmt.Sprintf("copy%d", n))
		c.edit(&spec)
		for range 2 {
			ok(t, s.lxd.EnsureCopy(ctx, spec, func(fleet.Progress) {}))
		}
		i := s.instance(t, spec.Name)
		if i.Status != fleet.InstanceStopped || i.Location != c.member || i.Image != s.fingerprint ||
			!slices.Equal(i.Profiles, []string{"default"}) || i.Config[fleet.KeyJob] != spec.Config[fleet.KeyJob] ||
			i.Config["user.new"] != "yes" || i.Config["user.old"] != "" || i.Config[fleet.KeyPlan] != "" {
			t.Errorf("%+v: instance is %+v", spec, i)
		}
		if got := s.read(t, spec.Name, "/root/note"); got != c.note {
			t.Errorf("%+v: the note is %q, want %q", spec, got, c.note)
		}
		if names := s.snapshotNames(t, spec.Name); !slices.Equal(names, c.snapshots) && len(c.snapshots)+len(names) > 0 {
			t.Errorf("%+v: snapshots are %v", spec, names)
		}
		ok(t, s.lxd.EnsureStarted(ctx, spec.Name))
		ok(t, s.lxd.EnsureCopy(ctx, spec, nil))
		s.status(t, spec.Name, fleet.InstanceRunning)
	}
	s.status(t, "acme", fleet.InstanceRunning)
	s.testBareCopy(t)
	ok(t, s.lxd.EnsureDeleted(ctx, "acme"))
	spec := s.copyOf(t, "acme", "copy0")
	ok(t, s.lxd.EnsureCopy(ctx, spec, nil)) // it is there, though its source is gone
}

// testBareCopy: it starts, and has no network.
func (s *suite) testBareCopy(t *testing.T) {
	t.Helper()
	for n, member := range []string{s.member(1), s.member(2)} {
		spec := s.copyOf(t, "acme", fmt.Sprintf("bare%d", n))
		spec.Member, spec.Bare, spec.Profiles = member, true, nil
		ok(t, s.lxd.EnsureCopy(t.Context(), spec, nil))
		ok(t, s.lxd.EnsureStarted(t.Context(), spec.Name))
		if i := s.instance(t, spec.Name); len(i.Profiles) != 0 || i.Location != member {
			t.Errorf("instance is %+v", i)
		}
	}
}

// member names the n-th member, or one before where there are fewer.
func (s *suite) member(n int) string { return s.members[n%len(s.members)] }

func (s *suite) testCopyErrors(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 0)
	s.clone(t, "other", 0)
	for _, c := range []struct {
		name string
		edit func(*fleet.CopySpec)
		want fleet.Code
	}{
		{"no such source", func(c *fleet.CopySpec) { c.Source = "nobody" }, fleet.NotFound},
		{"no such snapshot", func(c *fleet.CopySpec) { c.Snapshot = "nothing" }, fleet.NotFound},
		{"no such profile", func(c *fleet.CopySpec) { c.Profiles = []string{"default", "nothing"} }, fleet.NotFound},
		{"no such member", func(c *fleet.CopySpec) { c.Member = "nowhere" }, fleet.NotFound},
		{"no job", func(c *fleet.CopySpec) { c.Config = nil }, fleet.Internal},
	} {
		spec := s.copyOf(t, "acme", "copy")
		c.edit(&spec)
		err := s.lxd.EnsureCopy(ctx, spec, nil)
		if got := fleet.CodeOf(err); got != c.want {
			t.Errorf("%s: error is %q: %v, want %q", c.name, got, err, c.want)
		}
		_, err = s.lxd.Instance(ctx, "copy")
		code(t, err, fleet.NotFound)
	}
	spec := s.copyOf(t, "acme", "other")
	spec.Config[fleet.KeyJob] = "another"
	code(t, s.lxd.EnsureCopy(ctx, spec, nil), fleet.Taken)
}

// testCopyConcurrently makes copies of a running instance, each asked for twice at once, and
// starts them.
func (s *suite) testCopyConcurrently(t *testing.T) {
	const count = 4
	s.started(t, "acme", 0)
	ok(t, s.lxd.EnsureSnapshot(t.Context(), "acme", "first"))
	var all sync.WaitGroup
	errs := make([]error, 2*count)
	for i := range 2 * count {
		spec := s.copyOf(t, "acme", fmt.Sprintf("copy%d", i/2))
		spec.Snapshot = "first"
		all.Go(func() { errs[i] = s.lxd.EnsureCopy(t.Context(), spec, nil) })
	}
	all.Wait()
	ok(t, errors.Join(errs...))
	for i := range count {
		all.Go(func() { errs[i] = s.lxd.EnsureStarted(t.Context(), fmt.Sprintf("copy%d", i)) })
	}
	all.Wait()
	ok(t, errors.Join(errs[:count]...))
}
