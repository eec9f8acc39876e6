package proxy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testRouter() *Router {
	first, _ := BuildTable(0, nil)
	return newRouter(first, testLimits, nil, discard)
}

func TestPublishCountsGenerations(t *testing.T) {
	r := testRouter()
	var seen []int64
	r.onSwap(func(t *Table) { seen = append(seen, t.Generation()) })
	acme := serving("a.example", "acme", "10.0.0.1:80")
	r.Publish([]fleet.Route{acme})
	r.Publish([]fleet.Route{acme}) // no change
	if got := r.Publish([]fleet.Route{stopped("a.example", "acme")}); got != 2 {
		t.Errorf("generation %d, want 2", got)
	}
	if !slices.Equal(seen, []int64{1, 2}) {
		t.Errorf("swaps %v", seen)
	}
}

func TestPublishDrivesGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRouter()
		two := held("b.example", "acme")
		r.Publish([]fleet.Route{held("a.example", "acme"), two})
		g := r.gates.find("acme")
		entered := make(chan error, 1)
		go func() { entered <- g.Enter(t.Context(), 1, soon()) }()
		synctest.Wait()
		r.Publish([]fleet.Route{serving("a.example", "acme", "10.0.0.1:80"), two})
		synctest.Wait()
		if len(entered) != 0 {
			t.Fatal("released while a route of the tenant is held")
		}
		two = serving("b.example", "acme", "10.0.0.1:80")
		r.Publish([]fleet.Route{serving("a.example", "acme", "10.0.0.1:80"), two})
		if err := <-entered; err != nil {
			t.Error(err)
		}
	})
}

// A request that waits for a refusing backend goes on at once when another one is published.
func TestPublishWakesRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRouter()
		r.Publish([]fleet.Route{oneRoute})
		start := time.Now()
		done := make(chan error, 1)
		go func() {
			done <- r.gates.find("acme").pause(t.Context(), 1, time.Hour, start.Add(time.Hour), func() bool { return false })
		}()
		synctest.Wait()
		r.Publish([]fleet.Route{newRoute})
		if err := <-done; err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestHoldBesideRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRouter()
		r.Hold("acme", "move") // before it has a route
		r.Publish([]fleet.Route{serving("a.example", "acme", "10.0.0.1:80")})
		entered := make(chan error, 1)
		go func() { entered <- r.gates.find("acme").Enter(t.Context(), 1, soon()) }()
		synctest.Wait()
		if states := r.Gates(); len(states) != 1 || states[0].Held != 1 || !slices.Equal(states[0].Reasons, []string{"move"}) {
			t.Errorf("gates %+v", states)
		}
		r.Publish([]fleet.Route{stopped("a.example", "acme")})
		synctest.Wait()
		if len(entered) != 0 {
			t.Fatal("a route change released what a move holds")
		}
		r.Resume("acme", "move")
		if err := <-entered; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Drain(ctx, "acme"); !errors.Is(err, fleet.Unavailable) {
			t.Errorf("drained with one inside: %v", err)
		}
		if err := r.Drain(ctx, "nobody"); err != nil {
			t.Errorf("a tenant without a gate: %v", err)
		}
	})
}

func TestGatesOfRemovedTenantsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRouter()
		r.Publish([]fleet.Route{held("a.example", "acme"), stopped("b.example", "globex")})
		acme := r.gates.find("acme")
		entered := make(chan error, 1)
		go func() { entered <- acme.Enter(t.Context(), 1, soon()) }()
		synctest.Wait()
		r.Publish(nil)
		if err := <-entered; err != nil { // it finds no route any more, and leaves
			t.Fatal(err)
		}
		if r.gates.find("globex") != nil {
			t.Error("an idle gate of a removed tenant is kept")
		}
		if r.gates.find("acme") != acme {
			t.Error("a gate with a request inside was dropped")
		}
		acme.Leave()
		r.Publish(nil)
		if r.gates.find("acme") != nil {
			t.Error("the gate is kept after its last request")
		}
		if err := acme.Enter(t.Context(), 1, soon()); !errors.Is(err, errGone) {
			t.Errorf("entered a dropped gate: %v", err)
		}
	})
}

func TestConflictsAreReported(t *testing.T) {
	r := testRouter()
	r.Publish([]fleet.Route{stopped("a.example", "acme"), stopped("a.example", "globex")})
	if got := r.Conflicts(); len(got) != 1 || got[0].Refused != "globex" {
		t.Errorf("conflicts %v", got)
	}
	r.Publish([]fleet.Route{stopped("a.example", "acme")})
	if got := r.Conflicts(); len(got) != 0 {
		t.Errorf("conflicts %v after they are gone", got)
	}
}
