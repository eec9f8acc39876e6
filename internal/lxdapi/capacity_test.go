package lxdapi_test

import (
	"slices"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Each GET /1.0/resources may cost LXD a file that it works with: what it tells is remembered.
func TestResourcesAreAskedForOnce(t *testing.T) {
	const getResources = "GET /1.0/resources"
	s := newStub(t, map[string][]answer{
		"GET /1.0":                              {good(map[string]any{"auth": "trusted"})},
		"GET /1.0/profiles/default":             {good(map[string]any{"devices": map[string]any{"root": map[string]string{"type": "disk", "path": "/", "pool": "tank"}}})},
		"GET /1.0/storage-pools/tank/resources": {good(map[string]any{"space": map[string]any{"used": 1, "total": 2}})},
		getResources: {
			bad(503, "LXD is starting"),
			good(map[string]any{"cpu": map[string]any{"total": 8}, "memory": map[string]any{"used": 3, "total": 4}}),
			bad(500, "asked again"),
		},
	})
	want := []fleet.Member{
		{PoolUsed: 1, PoolTotal: 2}, // not told yet
		{PoolUsed: 1, PoolTotal: 2, CPUs: 8, MemoryUsed: 3, MemoryTotal: 4},
		{PoolUsed: 1, PoolTotal: 2, CPUs: 8, MemoryUsed: 3, MemoryTotal: 4},
	}
	for i, w := range want {
		members, err := s.client.Members(t.Context())
		if err != nil || len(members) != 1 {
			t.Fatalf("%d: %+v, %v", i, members, err)
		}
		m := members[0]
		if m.PoolUsed != w.PoolUsed || m.PoolTotal != w.PoolTotal || m.CPUs != w.CPUs || m.MemoryUsed != w.MemoryUsed || m.MemoryTotal != w.MemoryTotal {
			t.Errorf("%d: %+v, want %+v", i, m, w)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := slices.DeleteFunc(slices.Clone(s.requests), func(r string) bool { return r != getResources })
	if len(asked) != 2 {
		t.Errorf("asked for the resources %d times: once in vain and once for all, want 2", len(asked))
	}
}
