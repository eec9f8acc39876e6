package lxdapi_test

import (
	"slices"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// TestSnapshotOfTheNameIsThere: whole, it is fine; without its volume it is taken again.
func TestSnapshotOfTheNameIsThere(t *testing.T) {
	const (
		post   = "POST /1.0/instances/acme/snapshots"
		get    = "GET /1.0/instances/acme/snapshots/s1"
		remove = "DELETE /1.0/instances/acme/snapshots/s1"
		volume = "GET /1.0/storage-pools/tank/volumes/container/acme"
	)
	there := good(map[string]any{"name": "s1", "expanded_devices": map[string]any{
		"root": map[string]string{"type": "disk", "path": "/", "pool": "tank"},
	}})
	others := good(map[string]any{"running": []any{map[string]any{
		"id": "b", "class": "task", "status_code": 103, "resources": map[string]any{"instances": []string{"/1.0/instances/acme"}},
	}}})
	exists := failed("a", `This "instances_snapshots" entry already exists`)
	for _, c := range []struct {
		name    string
		answers map[string][]answer
		deletes bool
		posts   int
	}{
		{name: "whole", posts: 1, answers: map[string][]answer{
			waitA: {exists}, volume: {good(nil)}, volume + "/snapshots/s1": {good(nil)}, getOperations: {noOperations},
		}},
		{name: "half-made", posts: 2, deletes: true, answers: map[string][]answer{
			waitA: {exists, succeeded("a")}, volume: {good(nil)}, getOperations: {noOperations},
		}},
		{name: "it cannot be told", posts: 1, answers: map[string][]answer{waitA: {exists}, getOperations: {noOperations}}},
		{name: "another is just making it", posts: 2, answers: map[string][]answer{
			waitA: {exists, succeeded("a")}, waitB: {succeeded("b")}, volume: {good(nil)}, getOperations: {noOperations, others, noOperations},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.answers[post], c.answers[remove], c.answers[get] = []answer{running("a")}, []answer{running("a")}, []answer{there}
			c.answers[getAcme] = []answer{instance("acme", "Running", 103, nil)}
			s := newStub(t, c.answers)
			if err := s.client.EnsureSnapshot(t.Context(), "acme", "s1"); fleet.CodeOf(err) != "" {
				t.Error(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			posts := 0
			for _, r := range s.requests {
				if r == post {
					posts++
				}
			}
			if deleted := slices.Contains(s.requests, remove); deleted != c.deletes || posts != c.posts {
				t.Errorf("deleted is %v, %d posts: %v", deleted, posts, s.requests)
			}
		})
	}
}
