package lxdcontract

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/pace"
)

// listen gives the events from now on; it has seen the first EventsResumed.
func (s *suite) listen(t *testing.T) <-chan fleet.LXDEvent {
	t.Helper()
	events := s.lxd.Events(t.Context())
	want(t, events, fleet.LXDEvent{Action: fleet.EventsResumed})
	return events
}

// want waits for an event with the action, and the names where they are given, and drops
// others.
func want(t *testing.T, events <-chan fleet.LXDEvent, e fleet.LXDEvent) fleet.LXDEvent {
	t.Helper()
	timeout := time.NewTimer(pace.Of(20 * time.Second))
	defer timeout.Stop()
	for {
		select {
		case got, open := <-events:
			if !open {
				t.Fatalf("the events ended before %s", e.Action)
			}
			if got.Action == e.Action && (e.Name == "" || e.Name == got.Name) && (e.OldName == "" || e.OldName == got.OldName) {
				return got
			}
		case <-timeout.C:
			t.Fatalf("no event %s of %s", e.Action, e.Name)
		}
	}
}

// testEvents looks at an instance on each member: events come from all of them, and in order.
func (s *suite) testEvents(t *testing.T) {
	for n, member := range s.members {
		events := s.listen(t)
		name, next := "acme-"+member, "beta-"+member
		s.deleteAfter(t, next)
		s.clone(t, name, n)
		ok(t, s.lxd.EnsureStarted(t.Context(), name))
		s.booted(t, name)
		_, err := s.lxd.EnsureStopped(t.Context(), name, pace.Of(20*time.Second))
		ok(t, err)
		ok(t, s.lxd.SetConfig(t.Context(), name, map[string]string{"user.x": "1"}))
		ok(t, s.lxd.EnsureRenamed(t.Context(), name, next))
		ok(t, s.lxd.EnsureDeleted(t.Context(), next))
		for _, e := range []fleet.LXDEvent{
			{Action: "instance-created", Name: name},
			{Action: "instance-started", Name: name},
			{Action: "instance-shutdown", Name: name},
			{Action: "instance-updated", Name: name},
			{Action: "instance-renamed", Name: next, OldName: name},
			{Action: "instance-deleted", Name: next},
		} {
			got := want(t, events, e)
			if got.Member != member || got.At.IsZero() || got.OldName != e.OldName {
				t.Errorf("%s: event is %+v, want member %s", e.Action, got, member)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	events := s.lxd.Events(ctx)
	want(t, events, fleet.LXDEvent{Action: fleet.EventsResumed})
	cancel()
	for range events { // ends
	}
}

func (s *suite) testEventsOfOperator(t *testing.T) {
	events := s.listen(t)
	s.deleteAfter(t, "hand", "hand2")
	for _, c := range []struct {
		do   func() error
		want fleet.LXDEvent
	}{
		{func() error { return s.Operator.Create("hand", s.fingerprint) }, fleet.LXDEvent{Action: "instance-created", Name: "hand"}},
		{func() error { return s.Operator.SetConfig("hand", "user.hand", "1") }, fleet.LXDEvent{Action: "instance-updated", Name: "hand"}},
		{func() error { return s.Operator.Start("hand") }, fleet.LXDEvent{Action: "instance-started", Name: "hand"}},
		{func() error { s.booted(t, "hand"); return s.Operator.Restart("hand") }, fleet.LXDEvent{Action: "instance-restarted", Name: "hand"}},
		{func() error { s.booted(t, "hand"); return s.Operator.Stop("hand") }, fleet.LXDEvent{Action: "instance-shutdown", Name: "hand"}},
		{func() error { return s.Operator.Rename("hand", "hand2") }, fleet.LXDEvent{Action: "instance-renamed", Name: "hand2", OldName: "hand"}},
		{func() error { return s.Operator.Delete("hand2") }, fleet.LXDEvent{Action: "instance-deleted", Name: "hand2"}},
	} {
		ok(t, c.do())
		done := time.Now()
		want(t, events, c.want)
		if late := time.Since(done); late > pace.Of(time.Second) {
			t.Errorf("%s came %s after it", c.want.Action, late)
		}
	}
}

// testOperator: what somebody did by hand does not disturb the ensure verbs.
func (s *suite) testOperator(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 0)
	s.deleteAfter(t, "moved")
	ok(t, s.Operator.Start("acme"))
	ok(t, s.lxd.EnsureStarted(ctx, "acme"))
	s.booted(t, "acme")
	ok(t, s.Operator.Stop("acme"))
	_, err := s.lxd.EnsureStopped(ctx, "acme", time.Second)
	ok(t, err)
	ok(t, s.Operator.SetConfig("acme", "user.hand", "kept"))
	ok(t, s.lxd.SetConfig(ctx, "acme", map[string]string{"user.ours": "set"}))
	if config := s.instance(t, "acme").Config; config["user.hand"] != "kept" || config["user.ours"] != "set" {
		t.Errorf("configuration is %v", config)
	}
	ok(t, s.Operator.Rename("acme", "moved"))
	ok(t, s.lxd.EnsureRenamed(ctx, "acme", "moved"))
	ok(t, s.Operator.Delete("moved"))
	ok(t, s.lxd.EnsureDeleted(ctx, "moved"))
	ok(t, s.Operator.Create("acme", s.fingerprint))
	code(t, s.lxd.EnsureClone(ctx, s.spec(t, "acme", 0), nil), fleet.Taken)
}

// testContextEnded: no method does anything with a context that has ended.
func (s *suite) testContextEnded(t *testing.T) {
	s.clone(t, "acme", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Server":                func() error { _, err := s.lxd.Server(ctx); return err },
		"Members":               func() error { _, err := s.lxd.Members(ctx); return err },
		"Pools":                 func() error { _, err := s.lxd.Pools(ctx); return err },
		"Networks":              func() error { _, err := s.lxd.Networks(ctx); return err },
		"EnsureProject":         func() error { _, err := s.lxd.EnsureProject(ctx, s.projectSpec()); return err },
		"DeleteProject":         func() error { return s.lxd.DeleteProject(ctx) },
		"EnsureProfile":         func() error { _, err := s.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: "x"}); return err },
		"Profiles":              func() error { _, err := s.lxd.Profiles(ctx); return err },
		"Instances":             func() error { _, err := s.lxd.Instances(ctx, true); return err },
		"Instance":              func() error { _, err := s.lxd.Instance(ctx, "acme"); return err },
		"Addresses":             func() error { _, err := s.lxd.Addresses(ctx, "acme"); return err },
		"SetConfig":             func() error { return s.lxd.SetConfig(ctx, "acme", map[string]string{"user.y": "1"}) },
		"SetProfiles":           func() error { return s.lxd.SetProfiles(ctx, "acme", nil) },
		"EnsureStarted":         func() error { return s.lxd.EnsureStarted(ctx, "acme") },
		"EnsureStopped":         func() error { _, err := s.lxd.EnsureStopped(ctx, "acme", 0); return err },
		"EnsureDeleted":         func() error { return s.lxd.EnsureDeleted(ctx, "acme") },
		"EnsureRenamed":         func() error { return s.lxd.EnsureRenamed(ctx, "acme", "beta") },
		"Exec":                  func() error { _, err := s.lxd.Exec(ctx, "acme", fleet.ExecSpec{}); return err },
		"PushFile":              func() error { return s.lxd.PushFile(ctx, "acme", fleet.File{Path: "/x", Dir: true}) },
		"ReadFile":              func() error { _, err := s.lxd.ReadFile(ctx, "acme", "/x"); return err },
		"ConsoleLog":            func() error { _, err := s.lxd.ConsoleLog(ctx, "acme"); return err },
		"Snapshots":             func() error { _, err := s.lxd.Snapshots(ctx, "acme"); return err },
		"AllSnapshots":          func() error { _, err := s.lxd.AllSnapshots(ctx); return err },
		"EnsureSnapshot":        func() error { return s.lxd.EnsureSnapshot(ctx, "acme", "x") },
		"EnsureRestored":        func() error { return s.lxd.EnsureRestored(ctx, "acme", "x") },
		"EnsureCopy":            func() error { return s.lxd.EnsureCopy(ctx, s.copyOf(t, "acme", "copy"), nil) },
		"Files":                 func() error { _, err := s.lxd.Files(ctx, "acme", "/"); return err },
		"PoolDriver":            func() error { _, err := s.lxd.PoolDriver(ctx); return err },
		"DiskUsed":              func() error { _, err := s.lxd.DiskUsed(ctx, "acme"); return err },
		"Use":                   func() error { _, err := s.lxd.Use(ctx, "acme"); return err },
		"Images":                func() error { _, err := s.lxd.Images(ctx); return err },
		"Image":                 func() error { _, err := s.lxd.Image(ctx, "x"); return err },
		"EnsureAlias":           func() error { return s.lxd.EnsureAlias(ctx, "x", s.fingerprint) },
		"AliasDeleted":          func() error { return s.lxd.EnsureAliasDeleted(ctx, "x") },
		"ImageDeleted":          func() error { return s.lxd.EnsureImageDeleted(ctx, s.fingerprint) },
		"EnsureUnpacked":        func() error { return s.lxd.EnsureUnpacked(ctx, s.fingerprint, s.members[0]) },
		"EnsureRefreshed":       func() error { return s.lxd.EnsureRefreshed(ctx, s.copyOf(t, "acme", "copy"), nil) },
		"EnsureSnapshotDeleted": func() error { return s.lxd.EnsureSnapshotDeleted(ctx, "acme", "x") },
		"EnsurePublished": func() error {
			_, err := s.lxd.EnsurePublished(ctx, "acme", nil, nil)
			return err
		},
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	s.status(t, "acme", fleet.InstanceStopped)
	if _, err := s.lxd.Image(t.Context(), s.fingerprint); err != nil {
		t.Error(err)
	}
}
