package lxdcontract

import (
	"maps"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (s *suite) testServer(t *testing.T) {
	server, err := s.lxd.Server(t.Context())
	ok(t, err)
	if server.Version == "" || server.Member == "" || len(server.Extensions) == 0 || server.Kernel == "" {
		t.Errorf("something is empty in %+v", server)
	}
	if server.Clustered != (s.members[0] != "none") {
		t.Errorf("clustered is %v with members %v", server.Clustered, s.members)
	}
	pools, err := s.lxd.Pools(t.Context())
	ok(t, err)
	if len(pools) == 0 || pools[0].Name == "" || pools[0].Driver == "" {
		t.Errorf("pools are %+v", pools)
	}
	networks, err := s.lxd.Networks(t.Context())
	ok(t, err)
	if len(networks) == 0 || networks[0].Name == "" {
		t.Errorf("networks are %+v", networks)
	}
}

func (s *suite) testMembers(t *testing.T) {
	members, err := s.lxd.Members(t.Context())
	ok(t, err)
	for _, m := range members {
		if !m.Online || m.PoolTotal <= 0 || m.PoolUsed < 0 || m.PoolUsed > m.PoolTotal || m.MemoryTotal <= 0 || m.CPUs <= 0 {
			t.Errorf("something is wrong in %+v", m)
		}
		if m.Status != fleet.MemberOnline {
			t.Errorf("the status of %s is %q", m.Name, m.Status)
		}
		if inCluster := m.Name != "none"; inCluster != (len(m.Groups) > 0 && m.FailureDomain != "" && m.Scheduler == "all") {
			t.Errorf("groups %v, failure domain %q and scheduler %q of %s", m.Groups, m.FailureDomain, m.Scheduler, m.Name)
		}
	}
}

func (s *suite) testPoolConfig(t *testing.T) {
	ctx := t.Context()
	key := "user." + s.Project // others may work on this pool
	for _, c := range []struct {
		value   string
		changed bool
	}{{"1", true}, {"1", false}, {"2", true}, {"", true}, {"", false}} {
		changed, err := s.lxd.EnsurePoolConfig(ctx, "default", map[string]string{key: c.value})
		ok(t, err)
		pools, err := s.lxd.Pools(ctx)
		ok(t, err)
		if got := pools[0].Config[key]; got != c.value || changed != c.changed {
			t.Errorf("%q: changed is %v and the value %q", c.value, changed, got)
		}
	}
	_, err := s.lxd.EnsurePoolConfig(ctx, "nothing", map[string]string{key: "1"})
	code(t, err, fleet.NotFound)
}

func (s *suite) testProject(t *testing.T) {
	ctx := t.Context()
	spec := s.projectSpec()
	for _, c := range []struct {
		name string
		edit func(*fleet.ProjectSpec)
		want string
	}{
		{"as it is", func(*fleet.ProjectSpec) {}, ""},
		{"another description", func(p *fleet.ProjectSpec) { p.Description = "changed" }, "updated"},
		{"the same again", func(*fleet.ProjectSpec) {}, ""},
		{"a key more", func(p *fleet.ProjectSpec) { p.Config = map[string]string{"user.contract": "1"} }, "updated"},
		{"that key left out", func(p *fleet.ProjectSpec) { p.Config = nil }, ""},
	} {
		c.edit(&spec)
		change, err := s.lxd.EnsureProject(ctx, spec)
		ok(t, err)
		if change != c.want {
			t.Errorf("%s: change is %q, want %q", c.name, change, c.want)
		}
	}
	spec.Name = "another"
	_, err := s.lxd.EnsureProject(ctx, spec)
	code(t, err, fleet.Invalid)
	s.clone(t, "tenant", 0)
	code(t, s.lxd.DeleteProject(ctx), fleet.Conflict)
}

func (s *suite) testProfiles(t *testing.T) {
	ctx := t.Context()
	spec := fleet.ProfileSpec{Name: "small", Description: "Small", Config: map[string]string{"limits.cpu": "1"}}
	for _, c := range []struct {
		name string
		edit func(*fleet.ProfileSpec)
		want string
	}{
		{"new", func(*fleet.ProfileSpec) {}, "created"},
		{"as it is", func(*fleet.ProfileSpec) {}, ""},
		{"another limit", func(p *fleet.ProfileSpec) { p.Config = map[string]string{"limits.cpu": "2"} }, "updated"},
		{"a device", func(p *fleet.ProfileSpec) {
			p.Devices = map[string]map[string]string{"root": {"type": "disk", "path": "/", "pool": "default"}}
		}, "updated"},
		{"the same again", func(*fleet.ProfileSpec) {}, ""},
		{"nothing", func(p *fleet.ProfileSpec) { p.Config, p.Devices = nil, nil }, "updated"},
		{"nothing again", func(*fleet.ProfileSpec) {}, ""},
	} {
		c.edit(&spec)
		change, err := s.lxd.EnsureProfile(ctx, spec)
		ok(t, err)
		if change != c.want {
			t.Errorf("%s: change is %q, want %q", c.name, change, c.want)
		}
	}
	profiles, err := s.lxd.Profiles(ctx)
	ok(t, err)
	if len(profiles) != 2 || profiles[0].Name != "default" || profiles[1].Name != "small" {
		t.Fatalf("profiles are %+v", profiles)
	}
	for device, want := range s.Devices {
		if got := profiles[0].Devices[device]; !maps.Equal(got, want) {
			t.Errorf("device %s is %v, want %v", device, got, want)
		}
	}
	if profiles[1].Description != "Small" || len(profiles[1].Config) != 0 {
		t.Errorf("profile is %+v", profiles[1])
	}
}
