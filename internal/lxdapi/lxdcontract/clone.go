package lxdcontract

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (s *suite) testClone(t *testing.T) {
	ctx := t.Context()
	for n, member := range s.members {
		name := "acme-" + member
		spec := s.clone(t, name, n)
		ok(t, s.lxd.EnsureClone(ctx, spec, nil))
		i := s.instance(t, name)
		if i.Name != name || i.Status != fleet.InstanceStopped || i.Location != member || i.Image != s.fingerprint ||
			i.Config[fleet.KeyJob] != spec.Config[fleet.KeyJob] || len(i.Profiles) != 1 || i.CreatedAt.IsZero() {
			t.Errorf("instance is %+v", i)
		}
		ok(t, s.lxd.EnsureStarted(ctx, name))
		ok(t, s.lxd.EnsureClone(ctx, spec, nil))
		s.status(t, name, fleet.InstanceRunning)
		spec.Config = map[string]string{fleet.KeyJob: "another"}
		err := s.lxd.EnsureClone(ctx, spec, nil)
		code(t, err, fleet.Taken)
		if e, isFleet := errors.AsType[*fleet.Error](err); !isFleet || e.Field != "name" {
			t.Errorf("field of %v is not name", err)
		}
	}
	anywhere := s.spec(t, "anywhere", 0)
	anywhere.Member, anywhere.Devices = "", map[string]map[string]string{"eth9": {"type": "none"}}
	s.deleteAfter(t, "anywhere")
	ok(t, s.lxd.EnsureClone(ctx, anywhere, nil))
	if got := s.instance(t, "anywhere").Devices; len(got) != 1 || got["eth9"]["type"] != "none" {
		t.Errorf("devices are %v", got)
	}
	list, err := s.lxd.Instances(ctx, false)
	ok(t, err)
	if len(list) != len(s.members)+1 || list[0].Name != "acme-"+s.members[0] {
		t.Errorf("instances are %v", names(list))
	}
}

func (s *suite) testCloneErrors(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		name string
		edit func(*fleet.CloneSpec)
		want fleet.Code
	}{
		{"no such image", func(c *fleet.CloneSpec) { c.Fingerprint = noFingerprint }, fleet.NotFound},
		{"no such profile", func(c *fleet.CloneSpec) { c.Profiles = []string{"default", "nothing"} }, fleet.NotFound},
		{"no such member", func(c *fleet.CloneSpec) { c.Member = "nowhere" }, fleet.NotFound},
		{"no job", func(c *fleet.CloneSpec) { c.Config = nil }, fleet.Internal},
	} {
		spec := s.spec(t, "acme", 0)
		c.edit(&spec)
		err := s.lxd.EnsureClone(ctx, spec, nil)
		if got := fleet.CodeOf(err); got != c.want {
			t.Errorf("%s: error is %q: %v, want %q", c.name, got, err, c.want)
		}
		_, err = s.lxd.Instance(ctx, "acme")
		code(t, err, fleet.NotFound)
	}
}

// testCloneConcurrently makes ten clones, each asked for twice at once.
func (s *suite) testCloneConcurrently(t *testing.T) {
	const count = 10
	var all sync.WaitGroup
	errs := make([]error, 2*count)
	for i := range 2 * count {
		spec := s.spec(t, fmt.Sprintf("tenant%d", i/2), i/2)
		s.deleteAfter(t, spec.Name)
		all.Go(func() { errs[i] = s.lxd.EnsureClone(t.Context(), spec, nil) })
	}
	all.Wait()
	ok(t, errors.Join(errs...))
	list, err := s.lxd.Instances(t.Context(), false)
	ok(t, err)
	if len(list) != count {
		t.Errorf("instances are %v", names(list))
	}
	for i := range count {
		all.Go(func() { errs[i] = s.lxd.EnsureStarted(t.Context(), fmt.Sprintf("tenant%d", i)) })
	}
	all.Wait()
	ok(t, errors.Join(errs[:count]...))
	for i := range 2 * count {
		all.Go(func() { errs[i] = s.lxd.EnsureDeleted(t.Context(), fmt.Sprintf("tenant%d", i/2)) })
	}
	all.Wait()
	ok(t, errors.Join(errs...))
}

// testCloneCancelled ends the context at different moments of a clone; a repeat always ends
// with a whole instance.
func (s *suite) testCloneCancelled(t *testing.T) {
	for i, after := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
		spec := s.spec(t, fmt.Sprintf("acme%d", i), i)
		s.deleteAfter(t, spec.Name)
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := s.lxd.EnsureClone(ctx, spec, nil)
		deadline, _ := ctx.Deadline()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", after, err)
		}
		if err != nil {
			soon(t, deadline)
		}
		cancel()
		ok(t, s.lxd.EnsureClone(t.Context(), spec, nil))
		ok(t, s.lxd.EnsureStarted(t.Context(), spec.Name))
	}
}
