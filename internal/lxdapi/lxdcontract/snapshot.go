package lxdcontract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// write puts a file with the text into an instance.
func (s *suite) write(t *testing.T, name, path, text string) {
	t.Helper()
	ok(t, s.lxd.PushFile(t.Context(), name, fleet.File{Path: path, Content: strings.NewReader(text)}))
}

func (s *suite) snapshotNames(t *testing.T, name string) []string {
	t.Helper()
	list, err := s.lxd.Snapshots(t.Context(), name)
	ok(t, err)
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names
}

func (s *suite) testSnapshots(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 1)
	s.clone(t, "beta", 2)
	if names := s.snapshotNames(t, "acme"); len(names) != 0 {
		t.Errorf("a new instance has the snapshots %v", names)
	}
	for _, running := range []bool{false, true} {
		if running {
			ok(t, s.lxd.EnsureStarted(ctx, "acme"))
		}
		for range 2 {
			ok(t, s.lxd.EnsureSnapshot(ctx, "acme", fmt.Sprintf("z-running-%v", running)))
		}
	}
	ok(t, s.lxd.EnsureSnapshot(ctx, "acme", "a-third"))
	s.status(t, "acme", fleet.InstanceRunning)
	list, err := s.lxd.Snapshots(ctx, "acme")
	ok(t, err)
	for i, want := range []string{"z-running-false", "z-running-true", "a-third"} {
		if len(list) != 3 || list[i].Name != want || list[i].CreatedAt.IsZero() || list[i].Size < 0 || list[i].Config[fleet.KeyJob] == "" {
			t.Fatalf("snapshots are %+v", list)
		}
	}
	s.testAllSnapshots(t)
	for range 2 {
		ok(t, s.lxd.EnsureSnapshotDeleted(ctx, "acme", "z-running-true"))
	}
	if names := s.snapshotNames(t, "acme"); !slices.Equal(names, []string{"z-running-false", "a-third"}) {
		t.Errorf("snapshots are %v", names)
	}
	_, err = s.lxd.Snapshots(ctx, "nobody")
	code(t, err, fleet.NotFound)
	code(t, s.lxd.EnsureSnapshot(ctx, "nobody", "x"), fleet.NotFound)
	code(t, s.lxd.EnsureSnapshot(ctx, "acme", "x/y"), fleet.Invalid)
	ok(t, s.lxd.EnsureSnapshotDeleted(ctx, "nobody", "x"))
	ok(t, s.lxd.EnsureDeleted(ctx, "acme"))
	ok(t, s.lxd.EnsureSnapshotDeleted(ctx, "acme", "a-third"))
}

func (s *suite) testAllSnapshots(t *testing.T) {
	t.Helper()
	all, err := s.lxd.AllSnapshots(t.Context())
	ok(t, err)
	var names []string
	for _, snapshot := range all["acme"] {
		names = append(names, snapshot.Name)
	}
	if len(all) != 1 || !slices.Equal(names, []string{"a-third", "z-running-false", "z-running-true"}) {
		t.Errorf("all snapshots are %v", all)
	}
}

func (s *suite) testSnapshotsConcurrently(t *testing.T) {
	s.clone(t, "acme", 0)
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() { errs[i] = s.lxd.EnsureSnapshot(t.Context(), "acme", fmt.Sprintf("s%d", i/2)) })
	}
	all.Wait()
	ok(t, errors.Join(errs...))
	if names := s.snapshotNames(t, "acme"); len(names) != len(errs)/2 {
		t.Errorf("snapshots are %v", names)
	}
	for i := range errs {
		all.Go(func() { errs[i] = s.lxd.EnsureSnapshotDeleted(t.Context(), "acme", fmt.Sprintf("s%d", i/2)) })
	}
	all.Wait()
	ok(t, errors.Join(errs...))
	if names := s.snapshotNames(t, "acme"); len(names) != 0 {
		t.Errorf("snapshots are %v", names)
	}
}

func (s *suite) testRestore(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 1)
	for _, text := range []string{"one", "two"} {
		s.write(t, "acme", "/root/note", text)
		ok(t, s.lxd.SetConfig(ctx, "acme", map[string]string{fleet.KeyPlan: text}))
		ok(t, s.lxd.EnsureSnapshot(ctx, "acme", text))
	}
	s.write(t, "acme", "/root/note", "now")
	s.write(t, "acme", "/root/more", "more")
	driver, err := s.lxd.PoolDriver(ctx)
	ok(t, err)
	for _, name := range []string{"two", "two", "one"} {
		err := s.lxd.EnsureRestored(ctx, "acme", name)
		if name == "one" && driver == "zfs" {
			code(t, err, fleet.Unsupported)
			continue
		}
		ok(t, err)
		if got := s.read(t, "acme", "/root/note"); got != name {
			t.Errorf("restored from %s the note is %q", name, got)
		}
		if got := s.instance(t, "acme").Config[fleet.KeyPlan]; got != name {
			t.Errorf("restored from %s the plan is %q", name, got)
		}
		_, err = s.lxd.ReadFile(ctx, "acme", "/root/more")
		code(t, err, fleet.NotFound)
	}
	if names := s.snapshotNames(t, "acme"); !slices.Equal(names, []string{"one", "two"}) {
		t.Errorf("snapshots are %v", names)
	}
	code(t, s.lxd.EnsureRestored(ctx, "acme", "none"), fleet.NotFound)
	code(t, s.lxd.EnsureRestored(ctx, "nobody", "one"), fleet.NotFound)
	ok(t, s.lxd.EnsureStarted(ctx, "acme"))
	code(t, s.lxd.EnsureRestored(ctx, "acme", "two"), fleet.Conflict)
	s.status(t, "acme", fleet.InstanceRunning)
}
