package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestRoutesReachEveryProxyInOrder(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	one, two := startEdge(t, c.join("one"), nil), startEdge(t, c.join("two"), nil)
	c.seen(c.Publish(routes(3)))
	for i := range 50 {
		all := routes(3)
		all[1].Backend = fmt.Sprintf("10.0.1.%d:80", i)
		g := c.Publish(all)
		if i%10 == 0 {
			c.seen(g)
			for _, e := range []*edge{one, two} {
				if got := e.router.backend(all[1].Domain); got != all[1].Backend {
					t.Fatalf("generation %d is confirmed, and a proxy leads to %s", g, got)
				}
			}
		}
	}
	c.seen(c.Publish(routes(2)))
	for _, e := range []*edge{one, two, {router: c.local}} {
		if got := len(e.router.routes); got != 2 || e.router.backend(routes(2)[1].Domain) != "10.0.0.1:80" {
			t.Errorf("%d routes at the end: %v", got, e.router.routes)
		}
	}
	if g := c.Publish(routes(2)); g != c.status("one").Generation {
		t.Errorf("the same routes again are generation %d", g)
	}
}

func TestHoldIsEverywhereWhenItReturns(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	one, two := startEdge(t, c.join("one"), nil), startEdge(t, c.join("two"), nil)
	c.seen(c.Publish(routes(2)))
	move := Hold{"client-00001", "move/7"}
	ok(t, c.Hold(t.Context(), move.Tenant, move.Reason))
	for name, r := range map[string]*router{"local": c.local, "one": one.router, "two": two.router} {
		if !r.isHeld(move) {
			t.Errorf("%s does not hold", name)
		}
	}
	if got := c.Held(); !slices.Equal(got, []Hold{move}) {
		t.Errorf("held: %v", got)
	}
	// The new backend is in use at each proxy before it lets anybody in.
	moved := routes(2)
	moved[1].Backend = "10.9.9.9:80"
	c.Publish(moved)
	c.seen(c.Resume(move.Tenant, move.Reason))
	calls := one.router.log()
	want := []string{"hold client-00001 move/7", "publish 2", "resume client-00001 move/7"}
	if len(calls) < 3 || !slices.Equal(calls[len(calls)-3:], want) {
		t.Errorf("the router was told %q", calls)
	}
	if two.router.isHeld(move) || two.router.backend(moved[1].Domain) != "10.9.9.9:80" {
		t.Error("the second proxy has not resumed")
	}
}

func TestDrainWaitsForEveryProxy(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	one, two := startEdge(t, c.join("one"), nil), startEdge(t, c.join("two"), nil)
	two.router.inside = make(chan struct{})
	c.seen(c.Publish(routes(1)))
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- c.Drain(ctx, "client-00000") }()
	eventually(t, "the proxy drains", func() bool { return two.router.inFlight.Load() > 0 })
	select {
	case err := <-drained:
		t.Fatalf("a proxy still answers requests, and the drain is over: %v", err)
	default:
	}
	cancel()
	if err := <-drained; fleet.CodeOf(err) != fleet.Unavailable || !strings.Contains(err.Error(), "two") {
		t.Errorf("the drain ended with %v", err)
	}
	go func() { drained <- c.Drain(t.Context(), "client-00000") }()
	close(two.router.inside)
	ok(t, <-drained)
	one.stop()
	two.stop()
	ok(t, c.Drain(t.Context(), "client-00000")) // nobody is there
}

func TestWaitSeenNamesTheProxyThatLags(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	startEdge(t, c.join("quick"), nil)
	lame := startEdge(t, c.join("lame"), nil)
	c.seen(c.Publish(routes(1)))
	gate := make(chan struct{})
	lame.router.mu.Lock()
	lame.router.slow = gate
	lame.router.mu.Unlock()

	g := c.Publish(routes(2))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := c.WaitSeen(ctx, g)
	if !errors.Is(err, context.DeadlineExceeded) || fleet.CodeOf(err) != fleet.Unavailable ||
		!strings.Contains(err.Error(), fmt.Sprintf("generation %d: lame is at generation %d", g, g-1)) || strings.Contains(err.Error(), "quick") {
		t.Errorf("waiting ended with %v", err)
	}
	if s := c.status("lame"); s.Lag < 300*time.Millisecond || s.Generation != g-1 || s.Newest != g || s.Version != "1.2.3" || s.Address != "127.0.0.1" {
		t.Errorf("%+v", s)
	}
	if s := c.status("quick"); s.Lag != 0 || s.Generation != g {
		t.Errorf("%+v", s)
	}
	close(gate)
	c.seen(g)
}

// A proxy that vanished is waited for as long as it may still take itself for connected.
func TestWaitSeenWaitsForTheLeaseOfALostProxy(t *testing.T) {
	const lease = time.Second
	c := startController(t, newRecords(), "", func(h *HubConfig) { h.Lease = lease })
	lost := startEdge(t, c.join("lost"), func(f *FollowerConfig) { f.Lease = lease })
	c.seen(c.Publish(routes(1)))
	gate := make(chan struct{}) // it hangs: it is still connected, and answers nothing
	defer close(gate)
	lost.router.mu.Lock()
	lost.router.slow = gate
	lost.router.mu.Unlock()
	began := time.Now()
	c.seen(c.Publish(routes(2)))
	if took := time.Since(began); took < lease/2 {
		t.Errorf("waited only %v for a proxy that was there a moment ago", took)
	}
	eventually(t, "it is cut off", func() bool { return !c.status("lost").Connected })
}

func TestAProxyThatStopsIsNotWaitedFor(t *testing.T) {
	c := startController(t, newRecords(), "", func(h *HubConfig) { h.Lease = time.Hour })
	e := startEdge(t, c.join("edge"), nil)
	c.seen(c.Publish(routes(1)))
	e.stop()
	eventually(t, "it has left", func() bool { return !c.status("edge").Connected })
	c.seen(c.Publish(routes(2)))
}

// A hold before there are any routes must not empty the proxies' tables.
func TestNothingIsSentBeforeTheFirstRoutes(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	e := startEdge(t, c.join("edge"), nil)
	eventually(t, "it is connected", func() bool { return c.status("edge").Connected })
	held := make(chan error, 1)
	go func() { held <- c.Hold(t.Context(), "client-00000", "move/1") }()
	eventually(t, "the hold is known", func() bool { return len(c.Held()) == 1 })
	if calls := e.router.log(); len(calls) != 0 {
		t.Errorf("the router was told %q", calls)
	}
	c.Publish(nil) // no routes is a state too
	ok(t, <-held)
	if calls := e.router.log(); !slices.Equal(calls, []string{"hold client-00000 move/1", "publish 0"}) {
		t.Errorf("the router was told %q", calls)
	}
}

func TestObserveReachesTheController(t *testing.T) {
	asked := make(chan fleet.Name, 10)
	c := startController(t, newRecords(), "", func(h *HubConfig) { h.Observe = func(n fleet.Name) { asked <- n } })
	e := startEdge(t, c.join("edge"), nil)
	c.seen(c.Publish(routes(1)))
	eventually(t, "connected", e.connected)
	e.Observe("../etc")
	e.Observe("client-00000")
	if got := <-asked; got != "client-00000" {
		t.Errorf("asked for %q", got)
	}
}

func TestRemovedProxyIsCutOff(t *testing.T) {
	c := startController(t, newRecords(), "", fileStorage(t.TempDir()))
	client := c.join("edge")
	var log heard
	e := startEdge(t, client, func(f *FollowerConfig) { f.Log = log.logger() })
	c.seen(c.Publish(routes(1)))
	ok(t, c.Remove(t.Context(), "edge"))
	if err := c.Remove(t.Context(), "edge"); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("removed twice: %v", err)
	}
	eventually(t, "it is cut off", func() bool { return strings.Contains(log.String(), "not one of this fleet's") })
	c.seen(c.Publish(routes(2))) // nobody waits for it
	if n := len(e.router.routes); n != 1 {
		t.Errorf("a removed proxy got %d routes", n)
	}
	store := client.Storage(t.TempDir(), log.logger())
	if err := store.Store(t.Context(), "a", []byte("b")); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("a removed proxy wrote to the storage: %v", err)
	}
	// Its name is free again, and the old certificate does not become good by that.
	c.join("edge")
	if _, err := client.Settings(t.Context()); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("the old certificate is good for the new proxy: %v", err)
	}
}

// A hub for this process alone is the way to hold and publish all the same.
func TestHubWithoutOtherProxies(t *testing.T) {
	local := newRouter()
	h, err := NewHub(t.Context(), HubConfig{Local: local})
	ok(t, err)
	defer h.Close()
	ok(t, h.WaitSeen(t.Context(), h.Publish(routes(1))))
	ok(t, h.Hold(t.Context(), "client-00000", "move/1"))
	ok(t, h.Drain(t.Context(), "client-00000"))
	h.Resume("client-00000", "move/1")
	if want := []string{"publish 1", "hold client-00000 move/1", "resume client-00000 move/1"}; !slices.Equal(local.log(), want) {
		t.Errorf("the router was told %q", local.log())
	}
	_, _, err = h.NewToken(t.Context(), "", time.Hour)
	for _, err := range []error{err, h.Remove(t.Context(), "edge"), h.Serve(t.Context(), nil)} {
		if fleet.CodeOf(err) != fleet.Conflict || !strings.Contains(err.Error(), "proxies.listen") {
			t.Error(err)
		}
	}
}

// What another daemon on the same store did shows after a refresh, and a store that fails changes
// nothing.
func TestRefresh(t *testing.T) {
	r := newRecords()
	c := startController(t, r, "", nil)
	e := startEdge(t, c.join("edge"), nil)
	c.seen(c.Publish(routes(1)))
	r.mu.Lock()
	r.fails = errDown
	r.mu.Unlock()
	if err := c.Refresh(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("refresh: %v", err)
	}
	if !c.status("edge").Connected || !e.connected() {
		t.Error("a store that fails cuts proxies off")
	}
	r.mu.Lock()
	r.fails = nil
	r.mu.Unlock()
	ok(t, r.RemoveProxy(t.Context(), "edge"))
	ok(t, c.Refresh(t.Context()))
	if len(c.Proxies()) != 0 {
		t.Errorf("%+v", c.Proxies())
	}
}
