package lxdapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestCloneTakesOneRequestAndOneWait(t *testing.T) {
	for _, c := range []struct{ member, query string }{
		{"n2", "?target=n2"}, {"", ""}, {"none", ""},
	} {
		s := newStub(t, map[string][]answer{postInstances: {running("a")}, waitA: {succeeded("a")}})
		if err := clone(t.Context(), s, c.member); err != nil {
			t.Fatal(err)
		}
		s.want(t, postInstances+c.query, waitA+"?timeout=30")
	}
}

func TestCloneLooksAtTheInstanceAfterAFailure(t *testing.T) {
	whole := instance("acme", "Stopped", 102, job("j1", "volatile.apply_template", "create"))
	half := instance("acme", "Stopped", 102, job("j1"))
	exists := failed("a", `This "instances" entry already exists`)
	others := good(map[string]any{"running": []any{map[string]any{
		"id": "b", "class": "task", "status_code": 103,
		"resources": map[string]any{"instances": []string{"/1.0/instances/acme?project=p"}},
	}}})
	for _, c := range []struct {
		name    string
		answers map[string][]answer
		want    fleet.Code
		deletes bool
	}{
		{name: "made before", answers: map[string][]answer{waitA: {exists}, getAcme: {whole}}},
		{name: "made before and started", answers: map[string][]answer{
			waitA: {exists}, getAcme: {instance("acme", "Stopped", 102, job("j1", "volatile.last_state.power", "STOPPED"))},
		}},
		{name: "somebody else's", answers: map[string][]answer{
			waitA: {exists}, getAcme: {instance("acme", "Stopped", 102, job("j2", "volatile.apply_template", "create"))},
		}, want: fleet.Taken},
		{name: "half made", answers: map[string][]answer{
			waitA: {exists, succeeded("d"), succeeded("a")}, getAcme: {half},
		}, deletes: true},
		{name: "being made by a run before a crash", answers: map[string][]answer{
			waitA: {exists}, getOperations: {others}, waitB: {succeeded("b")}, getAcme: {whole},
		}},
		{name: "operation forgotten, instance there", answers: map[string][]answer{
			waitA: {bad(404, "Operation not found")}, getAcme: {whole},
		}},
		{name: "operation forgotten, instance not there", answers: map[string][]answer{
			waitA: {bad(404, "Operation not found"), succeeded("a")},
		}},
		{name: "pool full", answers: map[string][]answer{waitA: {failed("a", "unsquashfs: write: No space left on device")}}, want: fleet.Exhausted},
		{name: "no such image", answers: map[string][]answer{waitA: {failed("a", "No such object")}}, want: fleet.NotFound},
		{name: "LXD is shutting down", answers: map[string][]answer{waitA: {bad(503, "LXD is shutting down")}}, want: fleet.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.answers[postInstances] = []answer{running("a")}
			c.answers[deleteAcme] = []answer{running("a")}
			if c.answers[getOperations] == nil {
				c.answers[getOperations] = []answer{noOperations}
			}
			s := newStub(t, c.answers)
			err := clone(t.Context(), s, "")
			if got := fleet.CodeOf(err); got != c.want {
				t.Errorf("error is %q: %v, want %q", got, err, c.want)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if deleted := strings.Contains(strings.Join(s.requests, "\n"), deleteAcme); deleted != c.deletes {
				t.Errorf("deleted is %v: %v", deleted, s.requests)
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	s := newStub(t, map[string][]answer{
		postInstances: {running("a")}, waitA: {{hang: true}}, "DELETE /1.0/operations/a": {good(nil)},
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("somebody asked")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if err := clone(ctx, s, ""); !errors.Is(err, why) {
		t.Errorf("error is %v", err)
	}
	for range 200 { // the operation, which LXD says can be cancelled, is
		s.mu.Lock()
		last := s.requests[len(s.requests)-1]
		s.mu.Unlock()
		if last == "DELETE /1.0/operations/a" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the operation is not cancelled")
}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[string][]answer
		want    fleet.Code
		actions []string
	}{
		{"stopped", map[string][]answer{waitA: {succeeded("a")}}, "", []string{"start"}},
		{"runs already", map[string][]answer{
			waitA: {failed("a", "The instance is already running")}, getAcme: {instance("acme", "Running", 103, nil)},
		}, "", []string{"start"}},
		{"frozen", map[string][]answer{
			waitA: {failed("a", "no"), succeeded("a")}, getAcme: {instance("acme", "Frozen", 110, nil)},
		}, "", []string{"start", "unfreeze"}},
		{"cannot start", map[string][]answer{
			waitA: {failed("a", "bad device")}, getAcme: {instance("acme", "Stopped", 102, nil)},
		}, fleet.Failed, []string{"start", "start"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.answers[putState] = []answer{running("a")}
			c.answers[getOperations] = []answer{noOperations}
			s := newStub(t, c.answers)
			if got := fleet.CodeOf(s.client.EnsureStarted(t.Context(), "acme")); got != c.want {
				t.Errorf("error is %q, want %q", got, c.want)
			}
			var actions []string
			for i, r := range s.requests {
				if r == putState {
					_, rest, _ := strings.Cut(s.bodies[i], `"action":"`)
					action, _, _ := strings.Cut(rest, `"`)
					actions = append(actions, action)
				}
			}
			if strings.Join(actions, " ") != strings.Join(c.actions, " ") {
				t.Errorf("actions are %v, want %v", actions, c.actions)
			}
		})
	}
}

// TestStopByForce: where its time is over, and where LXD fails to stop it cleanly twice, at once.
func TestStopByForce(t *testing.T) {
	timedOut, done := failed("a", "timed out"), succeeded("a")
	for name, c := range map[string]struct {
		timeout time.Duration
		answers []answer
		forced  bool
	}{
		"its time is over":       {time.Millisecond, []answer{timedOut, done}, true},
		"it fails at once":       {time.Minute, []answer{timedOut, timedOut, done}, true},
		"it fails once, and not": {time.Minute, []answer{timedOut, done}, false},
	} {
		s := newStub(t, map[string][]answer{
			putState: {running("a")}, waitA: c.answers,
			getAcme: {instance("acme", "Running", 103, nil)}, getOperations: {noOperations},
		})
		forced, err := s.client.EnsureStopped(t.Context(), "acme", c.timeout)
		if err != nil || forced != c.forced {
			t.Errorf("%s: forced is %v, error %v", name, forced, err)
		}
		if !strings.Contains(s.bodies[0], `"force":false`) || strings.Contains(strings.Join(s.bodies[1:], ""), `"force":true`) != c.forced {
			t.Errorf("%s: bodies are %q", name, s.bodies)
		}
	}
}

// An instance that stops by itself is told to run by LXD, which refuses to stop it, for a moment more.
func TestStopOfWhatStopsByItself(t *testing.T) {
	s := newStub(t, map[string][]answer{
		putState: {bad(500, "The instance is already stopped")}, getOperations: {noOperations},
		getAcme: {instance("acme", "Running", 103, nil), instance("acme", "Running", 103, nil), instance("acme", "Stopped", 102, nil)},
	})
	if forced, err := s.client.EnsureStopped(t.Context(), "acme", 0); err != nil || forced {
		t.Errorf("forced is %v, error %v", forced, err)
	}
}

func TestSetConfigTriesAgainWhenLXDIsBusy(t *testing.T) {
	busy := bad(500, "Failed to create instance update operation: A matching non-reusable operation has now succeeded")
	s := newStub(t, map[string][]answer{
		getAcme: {
			instance("acme", "Running", 103, map[string]string{}),
			instance("acme", "Running", 103, map[string]string{"user.other": "1"}),
		},
		patchAcme: {busy, good(nil)}, "GET /1.0/projects": {good(nil)}, "GET /1.0/instances": {good([]any{})},
	})
	set := map[string]string{"user.x": "1"}
	if err := s.client.SetConfig(t.Context(), "acme", set); err != nil {
		t.Fatal(err)
	}
	s = newStub(t, map[string][]answer{getAcme: {instance("acme", "Running", 103, set)}})
	if err := s.client.SetConfig(t.Context(), "acme", set); err != nil {
		t.Fatal(err)
	}
	s.want(t, getAcme)
}

// TestMemberGone: LXD has no code for a member that does not answer, so it is looked for.
func TestMemberGone(t *testing.T) {
	lost := bad(500, "Missing event connection with target cluster member")
	there := good([]any{map[string]any{"name": "acme", "location": "n3"}})
	member := func(status string) answer { return good(map[string]any{"server_name": "n3", "status": status}) }
	for _, c := range []struct {
		name    string
		answers map[string][]answer
		want    fleet.Code
	}{
		{"offline", map[string][]answer{"GET /1.0/cluster/members/n3": {member("Offline")}}, fleet.Unavailable},
		{"not answering, LXD has not noticed", map[string][]answer{
			"GET /1.0/cluster/members/n3": {member("Online")}, "GET /1.0": {bad(500, "connection refused")},
		}, fleet.Unavailable},
		{"well", map[string][]answer{
			"GET /1.0/cluster/members/n3": {member("Online")}, "GET /1.0": {good(nil)},
		}, fleet.Failed},
		{"the database is gone", map[string][]answer{"GET /1.0/projects": {bad(500, "no available dqlite leader")}}, fleet.Unavailable},
	} {
		c.answers[getAcme] = []answer{lost}
		c.answers["GET /1.0/instances"] = []answer{there}
		if c.answers["GET /1.0/projects"] == nil {
			c.answers["GET /1.0/projects"] = []answer{good(nil)}
		}
		s := newStub(t, c.answers)
		_, err := s.client.Instance(t.Context(), "acme")
		if got := fleet.CodeOf(err); got != c.want {
			t.Errorf("%s: error is %q: %v, want %q", c.name, got, err, c.want)
		}
	}
}

// TestPublishFindsItsOwn: a repeat after a lost answer does not publish again.
func TestPublishFindsItsOwn(t *testing.T) {
	images := good([]any{
		map[string]any{"fingerprint": "x", "properties": map[string]string{"lxdfleet.job": "another"}},
		map[string]any{"fingerprint": "y", "properties": map[string]string{"lxdfleet.job": "j1"}},
	})
	s := newStub(t, map[string][]answer{"GET /1.0/images": {images}})
	fingerprint, err := s.client.EnsurePublished(t.Context(), "gone", map[string]string{"lxdfleet.job": "j1"}, nil)
	if err != nil || fingerprint != "y" {
		t.Errorf("fingerprint is %q, error %v", fingerprint, err)
	}
	s.want(t, "GET /1.0/images?recursion=1")
}

// TestUnpackedAlready: no instance is made where the pool has the image, and one left by a
// crash is removed.
func TestUnpackedAlready(t *testing.T) {
	s := newStub(t, map[string][]answer{
		"GET /1.0/profiles/default": {good(map[string]any{
			"devices": map[string]any{"root": map[string]string{"type": "disk", "path": "/", "pool": "fast"}},
		})},
		"GET /1.0/storage-pools/fast/volumes/image/f": {good(nil)},
		getOperations: {noOperations},
	})
	if err := s.client.EnsureUnpacked(t.Context(), "f", "n2"); err != nil {
		t.Fatal(err)
	}
	name := s.requests[2][strings.LastIndex(s.requests[2], "/")+1:]
	s.want(t, "GET /1.0/profiles/default", "GET /1.0/storage-pools/fast/volumes/image/f?target=n2", "DELETE /1.0/instances/"+name,
		getOperations+"?recursion=1", "GET /1.0/instances/"+name)
	if !strings.HasPrefix(name, "lxdfleet-unpack-f-") {
		t.Errorf("name is %s", name)
	}
}

// TestDeleteWhatIsBeingMade: a clone whose caller has left may not be there yet when it is
// taken back; it must not appear afterwards.
func TestDeleteWhatIsBeingMade(t *testing.T) {
	making := good(map[string]any{"running": []any{map[string]any{
		"id": "b", "class": "task", "status_code": 103,
		"resources": map[string]any{"instances": []string{"/1.0/instances/acme?project=p"}},
	}}})
	s := newStub(t, map[string][]answer{
		deleteAcme:    {bad(404, "Instance not found"), running("a")},
		getOperations: {making}, waitB: {succeeded("b")}, waitA: {succeeded("a")},
		getAcme: {instance("acme", "Stopped", 102, nil)},
	})
	if err := s.client.EnsureDeleted(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	s.want(t, deleteAcme, getOperations+"?recursion=1", waitB+"?timeout=30", getAcme, deleteAcme, waitA+"?timeout=30")
}
