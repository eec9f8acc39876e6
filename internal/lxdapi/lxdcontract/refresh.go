package lxdcontract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// testRefresh follows a running instance with a copy on another member.
func (s *suite) testRefresh(t *testing.T) {
	ctx := t.Context()
	s.started(t, "acme", 1)
	s.write(t, "acme", "/root/note", "s1")
	ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "s1"))
	spec := s.copyOf(t, "acme", "copy")
	spec.Member, spec.Snapshots, spec.KeepIDs = s.member(2), true, true
	ok(t, s.lxd.EnsureCopy(ctx, spec, nil))
	for _, c := range []struct {
		name string
		edit func()
		want []string // snapshots; the note is the newest
	}{
		{"a snapshot more", func() { ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "s2")) }, []string{"s1", "s2"}},
		{"one less, one more", func() {
			ok(t, s.lxd.EnsureSnapshotDeleted(ctx, "acme", "s1"))
			ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "s3"))
		}, []string{"s2", "s3"}},
		{"stopped, with a limit", func() {
			_, err := s.lxd.EnsureStopped(ctx, "acme", 30*time.Second)
			ok(t, err)
			s.write(t, "acme", "/root/note", "s4")
			ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "s4"))
			spec.BytesPerSecond = 50 * fleet.MiB
		}, []string{"s2", "s3", "s4"}},
		{"stopped, and written after its newest snapshot", func() {
			spec.BytesPerSecond = 0
			ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "s5"))
			s.write(t, "acme", "/root/note", "s5 and more")
		}, []string{"s2", "s3", "s4", "s5"}},
	} {
		s.write(t, "acme", "/root/note", c.want[len(c.want)-1])
		c.edit()
		newest := s.read(t, "acme", "/root/note")
		ok(t, s.lxd.EnsureRefreshed(ctx, spec, func(fleet.Progress) {}))
		if got := s.read(t, "copy", "/root/note"); got != newest {
			t.Errorf("%s: the note is %q, want %q", c.name, got, newest)
		}
		if names := s.snapshotNames(t, "copy"); !slices.Equal(names, c.want) {
			t.Errorf("%s: snapshots are %v", c.name, names)
		}
	}
	if i := s.instance(t, "copy"); i.Config["user.new"] != "yes" || i.Location != spec.Member || i.Status != fleet.InstanceStopped {
		t.Errorf("instance is %+v", i)
	}
	ok(t, s.lxd.EnsureRefreshed(ctx, spec, nil)) // once more, as after a crash
	ok(t, s.lxd.EnsureCopy(ctx, spec, nil))
	s.testRefreshErrors(t, spec)
	ok(t, s.lxd.EnsureStarted(ctx, "copy"))
	code(t, s.lxd.EnsureRefreshed(ctx, spec, nil), fleet.Conflict)
	if got := s.read(t, "copy", "/root/note"); got != "s5 and more" {
		t.Errorf("started, the note is %q", got)
	}
}

func (s *suite) testRefreshErrors(t *testing.T, spec fleet.CopySpec) {
	t.Helper()
	for _, c := range []struct {
		name string
		edit func(*fleet.CopySpec)
		want fleet.Code
	}{
		{"no such copy", func(c *fleet.CopySpec) { c.Name = "nobody" }, fleet.NotFound},
		{"no such source", func(c *fleet.CopySpec) { c.Source = "nobody" }, fleet.NotFound},
		{"another's", func(c *fleet.CopySpec) { c.Config = map[string]string{fleet.KeyJob: "another"} }, fleet.Taken},
		{"no job", func(c *fleet.CopySpec) { c.Config = nil }, fleet.Internal},
		{"of a snapshot", func(c *fleet.CopySpec) { c.Snapshot = "s4" }, fleet.Internal},
	} {
		bad := spec
		c.edit(&bad)
		err := s.lxd.EnsureRefreshed(t.Context(), bad, nil)
		if got := fleet.CodeOf(err); got != c.want {
			t.Errorf("%s: error is %q: %v, want %q", c.name, got, err, c.want)
		}
	}
}

// testCopyAway copies to another member with a limit, and ends the context at different moments
// of a copy; a repeat always ends with a whole instance.
func (s *suite) testCopyAway(t *testing.T) {
	s.clone(t, "acme", 1)
	s.write(t, "acme", "/root/note", "note")
	for i, after := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second} {
		spec := s.copyOf(t, "acme", fmt.Sprintf("copy%d", i))
		spec.Member = s.member(2)
		if i%2 == 1 {
			spec.BytesPerSecond = 100 * fleet.MiB
		}
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := s.lxd.EnsureCopy(ctx, spec, nil)
		deadline, _ := ctx.Deadline()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", after, err)
		}
		if err != nil {
			soon(t, deadline)
		}
		cancel()
		ok(t, s.lxd.EnsureCopy(t.Context(), spec, nil))
		if got := s.read(t, spec.Name, "/root/note"); got != "note" {
			t.Errorf("%s: the note is %q", spec.Name, got)
		}
		ok(t, s.lxd.EnsureStarted(t.Context(), spec.Name))
	}
}

// Link copies from one LXD to another: lxdapi.Link and lxdfake.Link.
type Link interface {
	EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
}

// RunLink runs the part of the contract that is about two LXDs with a link from the one to the
// other.
func RunLink(t *testing.T, from, to Subject, link Link) {
	source, target := prepare(t, from), prepare(t, to)
	ctx := t.Context()
	source.started(t, "acme", 0)
	source.write(t, "acme", "/root/note", "s1")
	ok(t, source.lxd.EnsureSnapshot(ctx, "acme", "s1"))
	for n, limit := range []fleet.Size{0, 50 * fleet.MiB} {
		spec := target.copyOf(t, "acme", fmt.Sprintf("moved%d", n))
		spec.Member, spec.Snapshots, spec.BytesPerSecond = target.member(2), true, limit
		for range 2 {
			ok(t, link.EnsureCopy(ctx, spec, func(fleet.Progress) {}))
		}
		newest := fmt.Sprintf("new%d", n)
		source.write(t, "acme", "/root/note", newest)
		ok(t, source.lxd.EnsureSnapshot(ctx, "acme", newest))
		ok(t, link.EnsureRefreshed(ctx, spec, nil))
		if got := target.read(t, spec.Name, "/root/note"); got != newest {
			t.Errorf("the note is %q", got)
		}
		if names, want := target.snapshotNames(t, spec.Name), source.snapshotNames(t, "acme"); !slices.Equal(names, want) {
			t.Errorf("snapshots are %v, want %v", names, want)
		}
		if i := target.instance(t, spec.Name); i.Location != spec.Member || i.Image != source.fingerprint || i.Config["user.new"] != "yes" {
			t.Errorf("instance is %+v", i)
		}
		ok(t, target.lxd.EnsureStarted(ctx, spec.Name))
	}
	spec := target.copyOf(t, "nobody", "other")
	code(t, link.EnsureCopy(ctx, spec, nil), fleet.NotFound)
	spec = target.copyOf(t, "acme", "other")
	spec.Profiles = []string{"nothing"}
	code(t, link.EnsureCopy(ctx, spec, nil), fleet.NotFound)
	anywhere := target.copyOf(t, "acme", "anywhere")
	ok(t, link.EnsureCopy(ctx, anywhere, nil))
	if _, err := source.lxd.Instance(ctx, "anywhere"); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the source has the copy: %v", err)
	}
}
