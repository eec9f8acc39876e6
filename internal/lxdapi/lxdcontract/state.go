package lxdcontract

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/pace"
)

func (s *suite) testConfig(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 1)
	for _, c := range []struct {
		name string
		set  map[string]string
		want map[string]string
	}{
		{"two keys", map[string]string{fleet.KeyPlan: "small", fleet.KeyName: "acme"}, map[string]string{fleet.KeyPlan: "small", fleet.KeyName: "acme"}},
		{"again", map[string]string{fleet.KeyPlan: "small"}, map[string]string{fleet.KeyPlan: "small", fleet.KeyName: "acme"}},
		{"change one", map[string]string{fleet.KeyPlan: "large"}, map[string]string{fleet.KeyPlan: "large", fleet.KeyName: "acme"}},
		{"remove one", map[string]string{fleet.KeyPlan: ""}, map[string]string{fleet.KeyName: "acme"}},
		{"remove it again", map[string]string{fleet.KeyPlan: ""}, map[string]string{fleet.KeyName: "acme"}},
		{"a limit", map[string]string{"limits.memory": "1GiB"}, map[string]string{"limits.memory": "1GiB", fleet.KeyName: "acme"}},
	} {
		ok(t, s.lxd.SetConfig(ctx, "acme", c.set))
		got := s.instance(t, "acme").Config
		for _, key := range []string{fleet.KeyPlan, fleet.KeyName, "limits.memory"} {
			if got[key] != c.want[key] {
				t.Errorf("%s: %s is %q, want %q", c.name, key, got[key], c.want[key])
			}
		}
	}
	code(t, s.lxd.SetConfig(ctx, "nobody", map[string]string{fleet.KeyPlan: "small"}), fleet.NotFound)

	_, err := s.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: "large", Config: map[string]string{"limits.cpu": "2"}})
	ok(t, err)
	for range 2 {
		ok(t, s.lxd.SetProfiles(ctx, "acme", []string{"default", "large"}))
	}
	if got := s.instance(t, "acme").Profiles; !slices.Equal(got, []string{"default", "large"}) {
		t.Errorf("profiles are %v", got)
	}
	code(t, s.lxd.SetProfiles(ctx, "acme", []string{"nothing"}), fleet.NotFound)
	code(t, s.lxd.SetProfiles(ctx, "nobody", []string{"default"}), fleet.NotFound)
}

// testConfigConcurrently: nobody's key is lost when many write at once.
func (s *suite) testConfigConcurrently(t *testing.T) {
	const count = 8
	s.clone(t, "acme", 0)
	var all sync.WaitGroup
	errs := make([]error, count)
	for i := range count {
		all.Go(func() {
			errs[i] = s.lxd.SetConfig(t.Context(), "acme", map[string]string{fmt.Sprintf("user.key%d", i): "set"})
		})
	}
	all.Wait()
	ok(t, errors.Join(errs...))
	config := s.instance(t, "acme").Config
	for i := range count {
		if config[fmt.Sprintf("user.key%d", i)] != "set" {
			t.Errorf("key %d is lost: %v", i, config)
		}
	}
}

func (s *suite) testState(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 2)
	for range 2 {
		ok(t, s.lxd.EnsureStarted(ctx, "acme"))
		s.status(t, "acme", fleet.InstanceRunning)
	}
	s.booted(t, "acme")
	use, err := s.lxd.Use(ctx, "acme")
	ok(t, err)
	if use.Memory <= 0 || use.Memory > fleet.GiB || use.Disk < 0 || use.CPU <= 0 || use.Processes <= 0 {
		t.Errorf("running, it uses %+v", use)
	}
	for range 2 {
		forced, err := s.lxd.EnsureStopped(ctx, "acme", pace.Of(30*time.Second))
		ok(t, err)
		if forced {
			t.Error("a clean stop was not enough")
		}
		s.status(t, "acme", fleet.InstanceStopped)
	}
	code(t, s.lxd.EnsureStarted(ctx, "nobody"), fleet.NotFound)
	_, err = s.lxd.EnsureStopped(ctx, "nobody", time.Second)
	code(t, err, fleet.NotFound)
	use, err = s.lxd.Use(ctx, "acme")
	ok(t, err)
	if use.Memory != 0 {
		t.Errorf("stopped, it uses %+v", use)
	}
	_, err = s.lxd.Use(ctx, "nobody")
	code(t, err, fleet.NotFound)
}

// booted waits until the instance's init takes orders.
func (s *suite) booted(t *testing.T, name string) {
	t.Helper()
	eventually(t, func() error {
		addresses, err := s.lxd.Addresses(t.Context(), name)
		if err == nil && len(addresses) == 0 {
			err = fmt.Errorf("%s has no address", name)
		}
		return err
	})
}

func (s *suite) testStateConcurrently(t *testing.T) {
	s.clone(t, "acme", 0)
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		all.Go(func() { errs[i] = s.lxd.EnsureStarted(t.Context(), "acme") })
	}
	all.Wait()
	ok(t, errors.Join(errs...))
	s.status(t, "acme", fleet.InstanceRunning)
	for i := range errs {
		all.Go(func() { _, errs[i] = s.lxd.EnsureStopped(t.Context(), "acme", pace.Of(20*time.Second)) })
	}
	all.Wait()
	ok(t, errors.Join(errs...))
	s.status(t, "acme", fleet.InstanceStopped)
}

func (s *suite) testRename(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "first", 1)
	s.clone(t, "other", 2)
	s.deleteAfter(t, "second")
	code(t, s.lxd.EnsureRenamed(ctx, "first", "other"), fleet.Taken)
	code(t, s.lxd.EnsureRenamed(ctx, "nobody", "nobody2"), fleet.NotFound)
	ok(t, s.lxd.EnsureRenamed(ctx, "first", "first"))
	for range 2 {
		ok(t, s.lxd.EnsureRenamed(ctx, "first", "second"))
	}
	s.status(t, "second", fleet.InstanceStopped)
	_, err := s.lxd.Instance(ctx, "first")
	code(t, err, fleet.NotFound)
	ok(t, s.lxd.EnsureStarted(ctx, "second"))
	code(t, s.lxd.EnsureRenamed(ctx, "second", "third"), fleet.Conflict)
}

func (s *suite) testDelete(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "stopped", 0)
	s.started(t, "running", 1)
	for _, name := range []string{"stopped", "running", "running", "nobody"} {
		ok(t, s.lxd.EnsureDeleted(ctx, name))
		_, err := s.lxd.Instance(ctx, name)
		code(t, err, fleet.NotFound)
	}
}

func (s *suite) testAddresses(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "stopped", 0)
	s.started(t, "running", 1)
	s.booted(t, "running")
	addresses, err := s.lxd.Addresses(ctx, "running")
	ok(t, err)
	if ip, err := netip.ParseAddr(addresses[0]); err != nil || !ip.Is4() || ip.IsLoopback() {
		t.Errorf("addresses are %v", addresses)
	}
	none, err := s.lxd.Addresses(ctx, "stopped")
	ok(t, err)
	if len(none) != 0 {
		t.Errorf("a stopped instance has %v", none)
	}
	_, err = s.lxd.Addresses(ctx, "nobody")
	code(t, err, fleet.NotFound)

	list, err := s.lxd.Instances(ctx, true)
	ok(t, err)
	running, err := find(list, "running")
	ok(t, err)
	stopped, err := find(list, "stopped")
	ok(t, err)
	if !slices.Equal(running.Addresses, addresses) || len(stopped.Addresses) != 0 {
		t.Errorf("the list has %v and %v", running.Addresses, stopped.Addresses)
	}
	list, err = s.lxd.Instances(ctx, false)
	ok(t, err)
	if running, err := find(list, "running"); err != nil || len(running.Addresses) != 0 || running.Status != fleet.InstanceRunning {
		t.Errorf("without addresses the list has %+v: %v", running, err)
	}
}
