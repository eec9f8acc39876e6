package lxdcontract

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/pace"
)

// Faults does harm to an LXD cluster of at least two members. The client must not be connected
// to the last one.
type Faults interface {
	// Kill ends LXD on a member at once, and returns when the cluster knows.
	Kill(t *testing.T, member string)
	// Revive starts it again and returns when the cluster knows.
	Revive(t *testing.T, member string)
	// Restart ends LXD on the member the client is connected to and starts it again: down is
	// called in between.
	Restart(t *testing.T, down func())
	// Fill leaves no room in a member's pool; it is undone at the test's end.
	Fill(t *testing.T, member string)
}

// RunFaults runs the part of the contract that takes members away. Nobody else should use the
// cluster meanwhile.
func RunFaults(t *testing.T, subject func(t *testing.T) Subject, faults Faults) {
	s := prepare(t, subject(t))
	if len(s.members) < 2 {
		t.Fatal("this needs at least two members")
	}
	t.Run("MemberOffline", func(t *testing.T) { s.testMemberOffline(t, faults) })
	t.Run("Restart", func(t *testing.T) { s.testRestart(t, faults) })
	t.Run("PoolFull", func(t *testing.T) { s.testPoolFull(t, faults) })
}

func (s *suite) testMemberOffline(t *testing.T, faults Faults) {
	ctx := t.Context()
	last := len(s.members) - 1
	member := s.members[last]
	spec := s.clone(t, "there", last)
	s.clone(t, "here", 0)
	ok(t, s.lxd.EnsureSnapshot(ctx, "there", "before"))
	lost := s.copyOf(t, "there", "lost")
	toMember := s.copyOf(t, "here", "followed")
	toMember.Member = member
	ok(t, s.lxd.EnsureCopy(ctx, toMember, nil))
	faults.Kill(t, member)
	t.Cleanup(func() { faults.Revive(t, member) })

	members, err := within(t, pace.Of(5*time.Second), func() ([]fleet.Member, error) { return s.lxd.Members(ctx) })
	ok(t, err)
	for _, m := range members {
		if m.Online != (m.Name != member) || m.Online != (m.PoolTotal > 0) {
			t.Errorf("member is %+v", m)
		}
	}
	for _, addresses := range []bool{false, true} {
		list, err := s.lxd.Instances(ctx, addresses)
		ok(t, err)
		there, err := find(list, "there")
		ok(t, err)
		here, err := find(list, "here")
		ok(t, err)
		if there.Status != fleet.InstanceError || there.Location != member || here.Status != fleet.InstanceStopped ||
			len(there.Config) != 0 || here.Config[fleet.KeyJob] == "" {
			t.Errorf("instances are %+v and %+v", there, here)
		}
	}
	fresh := spec
	fresh.Name = "fresh"
	s.deleteAfter(t, "fresh")
	var calls sync.WaitGroup
	for name, call := range map[string]func() error{
		"Instance":      func() error { _, err := s.lxd.Instance(ctx, "there"); return err },
		"Addresses":     func() error { _, err := s.lxd.Addresses(ctx, "there"); return err },
		"SetConfig":     func() error { return s.lxd.SetConfig(ctx, "there", map[string]string{"user.z": "1"}) },
		"EnsureStarted": func() error { return s.lxd.EnsureStarted(ctx, "there") },
		"EnsureStopped": func() error { _, err := s.lxd.EnsureStopped(ctx, "there", 0); return err },
		"EnsureDeleted": func() error { return s.lxd.EnsureDeleted(ctx, "there") },
		"EnsureRenamed": func() error { return s.lxd.EnsureRenamed(ctx, "there", "elsewhere") },
		"Exec": func() error {
			_, err := s.lxd.Exec(ctx, "there", fleet.ExecSpec{Command: []string{"true"}})
			return err
		},
		"Snapshots":             func() error { _, err := s.lxd.Snapshots(ctx, "there"); return err },
		"EnsureSnapshot":        func() error { return s.lxd.EnsureSnapshot(ctx, "there", "now") },
		"EnsureSnapshotDeleted": func() error { return s.lxd.EnsureSnapshotDeleted(ctx, "there", "before") },
		"EnsureRestored":        func() error { return s.lxd.EnsureRestored(ctx, "there", "before") },
		"EnsureCopy":            func() error { return s.lxd.EnsureCopy(ctx, lost, nil) },
		"Files":                 func() error { _, err := s.lxd.Files(ctx, "there", "/"); return err },
		"DiskUsed":              func() error { _, err := s.lxd.DiskUsed(ctx, "there"); return err },
		"Use":                   func() error { _, err := s.lxd.Use(ctx, "there"); return err },
		"PushFile":              func() error { return s.lxd.PushFile(ctx, "there", fleet.File{Path: "/x", Dir: true}) },
		"ReadFile":              func() error { _, err := s.lxd.ReadFile(ctx, "there", "/x"); return err },
		"EnsureClone":           func() error { return s.lxd.EnsureClone(ctx, fresh, nil) },
		"EnsureUnpacked":        func() error { return s.lxd.EnsureUnpacked(ctx, s.fingerprint, member) },
	} {
		calls.Go(func() { // together, because LXD itself waits 10 s for the member
			start := time.Now()
			if err := call(); !errors.Is(err, fleet.Unavailable) || time.Since(start) > pace.Of(20*time.Second) {
				t.Errorf("%s: after %s error is %q: %v", name, time.Since(start), fleet.CodeOf(err), err)
			}
		})
	}
	calls.Wait()
	all, err := s.lxd.AllSnapshots(ctx)
	ok(t, err)
	if len(all["there"]) != 1 || all["there"][0].Name != "before" {
		t.Errorf("all snapshots are %v", all)
	}
	ok(t, s.lxd.EnsureStarted(ctx, "here"))
	faults.Revive(t, member)
	ok(t, s.lxd.EnsureStarted(ctx, "there"))
	ok(t, s.lxd.EnsureClone(ctx, fresh, nil))
}

func within[T any](t *testing.T, limit time.Duration, do func() (T, error)) (T, error) {
	t.Helper()
	start := time.Now()
	v, err := do()
	if took := time.Since(start); took > limit {
		t.Errorf("it took %s", took)
	}
	return v, err
}

// testRestart restarts LXD while a client listens and commands run; the client goes on.
func (s *suite) testRestart(t *testing.T, faults Faults) {
	ctx := t.Context()
	events := s.listen(t)
	s.started(t, "acme", 0)
	running := make(chan error, 1)
	var out screen
	go func() {
		_, err := s.lxd.Exec(ctx, "acme", fleet.ExecSpec{
			Command: []string{"sh", "-c", "echo begun; exec sleep 300"}, Stdout: &out,
		})
		running <- err
	}()
	out.waitFor(t, "begun")
	faults.Restart(t, func() {
		_, err := s.lxd.Instances(ctx, false)
		code(t, err, fleet.Unavailable)
		code(t, s.lxd.EnsureStarted(ctx, "acme"), fleet.Unavailable)
		code(t, s.lxd.EnsureClone(ctx, s.spec(t, "beta", 0), nil), fleet.Unavailable)
		image := s.Image(t)
		_, err = s.lxd.EnsureImported(ctx, image, nil, nil)
		_ = image.Close()
		code(t, err, fleet.Unavailable)
	})
	want(t, events, fleet.LXDEvent{Action: fleet.EventsResumed})
	select {
	case err := <-running:
		code(t, err, fleet.Unavailable)
	case <-time.After(pace.Of(20 * time.Second)):
		t.Error("the command's Exec does not end")
	}
	s.deleteAfter(t, "beta")
	eventually(t, func() error { return s.lxd.EnsureClone(ctx, s.spec(t, "beta", 0), nil) })
	ok(t, s.lxd.EnsureStarted(ctx, "acme"))
	ok(t, s.lxd.EnsureStarted(ctx, "beta"))
	want(t, events, fleet.LXDEvent{Action: "instance-created", Name: "beta"})
	s.testRestartWhileCloning(t, faults)
}

// testRestartWhileCloning ends LXD in the middle of clones; repeats end with whole instances.
func (s *suite) testRestartWhileCloning(t *testing.T, faults Faults) {
	const count = 4
	specs := make([]fleet.CloneSpec, count)
	done := make(chan error, count)
	for i := range specs {
		specs[i] = s.spec(t, fmt.Sprintf("cut%d", i), 0)
		s.deleteAfter(t, specs[i].Name)
	}
	faults.Restart(t, func() {})
	for i := range specs {
		go func() { done <- s.lxd.EnsureClone(t.Context(), specs[i], nil) }()
	}
	faults.Restart(t, func() {})
	for range specs {
		if err := <-done; err != nil && !errors.Is(err, fleet.Unavailable) {
			t.Errorf("a clone cut off: %v", err)
		}
	}
	for _, spec := range specs {
		eventually(t, func() error { return s.lxd.EnsureClone(t.Context(), spec, nil) })
		ok(t, s.lxd.EnsureStarted(t.Context(), spec.Name))
	}
}

func (s *suite) testPoolFull(t *testing.T, faults Faults) {
	ctx := t.Context()
	s.clone(t, "source", 0)
	other, err := s.lxd.EnsurePublished(ctx, "source", map[string]string{"lxdfleet.job": t.Name()}, nil)
	ok(t, err)
	t.Cleanup(func() {
		if err := s.lxd.EnsureImageDeleted(context.Background(), other); err != nil {
			t.Error(err)
		}
	})
	spec := s.spec(t, "acme", 1)
	spec.Fingerprint = other
	s.deleteAfter(t, "acme")
	faults.Fill(t, spec.Member)
	code(t, s.lxd.EnsureClone(ctx, spec, nil), fleet.Exhausted)
	_, err = s.lxd.Instance(ctx, "acme")
	code(t, err, fleet.NotFound)
}
