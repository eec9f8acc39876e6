package proxy

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

var (
	testLimits = Limits{Waiters: 1000, Bytes: 1 << 20, Wait: 30 * time.Second}
	discard    = slog.New(slog.DiscardHandler)
)

func soon() time.Time { return time.Now().Add(30 * time.Second) }

func TestGateLetsIn(t *testing.T) {
	g := newGate(testLimits, nil)
	if err := g.Enter(t.Context(), 1, soon()); err != nil {
		t.Fatal(err)
	}
	if g.inflight != 1 || g.waiters != 0 {
		t.Errorf("%d inside, %d waiting", g.inflight, g.waiters)
	}
	g.Leave()
	if err := g.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

// All of 1,000 held requests are released within 100 ms of Resume, also where none of them is done
// by then.
func TestGateReleasesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		g := newGate(testLimits, nil)
		g.Hold("move")
		var wg sync.WaitGroup
		errs := make(chan error, n)
		for range n {
			wg.Go(func() { errs <- g.Enter(t.Context(), 100, soon()) })
		}
		synctest.Wait()
		start := time.Now()
		g.Resume("move")
		wg.Wait()
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("released after %v", took)
		}
		close(errs)
		for err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		if g.inflight != n || g.waiters != 0 || g.bytes != 0 {
			t.Errorf("%d inside, %d waiting with %d bytes", g.inflight, g.waiters, g.bytes)
		}
	})
}

func TestGateReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(testLimits, nil)
		g.Hold("route")
		g.Hold("move")
		g.Hold("move")
		entered := make(chan error, 1)
		go func() { entered <- g.Enter(t.Context(), 1, soon()) }()
		synctest.Wait()
		g.Resume("move")
		g.Resume("no such reason")
		synctest.Wait()
		select {
		case <-entered:
			t.Fatal("let in while a reason to hold is left")
		default:
		}
		g.Resume("route")
		if err := <-entered; err != nil {
			t.Error(err)
		}
	})
}

func TestGateRefuses(t *testing.T) {
	stop := make(chan struct{})
	left := errors.New("client left")
	for name, tc := range map[string]struct {
		limits Limits
		act    func(g *Gate, cancel context.CancelCauseFunc)
		want   error
	}{
		"too many":     {limits: Limits{Waiters: 0, Bytes: 100}, want: fleet.Exhausted},
		"too large":    {limits: Limits{Waiters: 1, Bytes: 9}, want: fleet.Exhausted},
		"too long":     {limits: Limits{Waiters: 1, Bytes: 100}, want: fleet.Exhausted},
		"client left":  {limits: Limits{Waiters: 1, Bytes: 100}, act: func(_ *Gate, c context.CancelCauseFunc) { c(left) }, want: left},
		"server stops": {limits: Limits{Waiters: 1, Bytes: 100}, act: func(*Gate, context.CancelCauseFunc) { close(stop) }, want: fleet.Unavailable},
		"dropped":      {limits: Limits{Waiters: 1, Bytes: 100}, act: func(g *Gate, _ context.CancelCauseFunc) { g.Resume("a"); g.drop() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop = make(chan struct{})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				g := newGate(tc.limits, stop)
				g.Hold("a")
				done := make(chan error, 1)
				go func() { done <- g.Enter(ctx, 10, time.Now().Add(time.Minute)) }()
				synctest.Wait()
				if tc.act != nil {
					tc.act(g, cancel)
				}
				if err := <-done; !errors.Is(err, tc.want) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
				if tc.want != nil && g.inflight != 0 || g.waiters != 0 || g.bytes != 0 {
					t.Errorf("%d inside, %d waiting with %d bytes", g.inflight, g.waiters, g.bytes)
				}
			})
		})
	}
}

func TestGateDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(testLimits, nil)
		for range 2 {
			if err := g.Enter(t.Context(), 1, soon()); err != nil {
				t.Fatal(err)
			}
		}
		g.Hold("move")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Drain(ctx); !errors.Is(err, fleet.Unavailable) {
			t.Fatalf("drained with two inside: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- g.Drain(t.Context()) }()
		g.Leave()
		synctest.Wait()
		if len(done) != 0 {
			t.Fatal("drained with one inside")
		}
		g.Leave()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestGatePause(t *testing.T) {
	never := func() bool { return false }
	for name, tc := range map[string]struct {
		until time.Duration
		stale bool
		wake  bool
		took  time.Duration
		want  error
	}{
		"sleeps":                  {until: time.Minute, took: time.Second},
		"not beyond its patience": {until: 300 * time.Millisecond, took: 300 * time.Millisecond},
		"no patience left":        {until: 0, want: fleet.Exhausted},
		"woken":                   {until: time.Minute, wake: true},
		"route changed before":    {until: time.Minute, stale: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(testLimits, nil)
				stale := never
				if tc.stale {
					stale = func() bool { return true }
				}
				start := time.Now()
				done := make(chan error, 1)
				go func() { done <- g.pause(t.Context(), 1, time.Second, start.Add(tc.until), stale) }()
				synctest.Wait()
				if tc.wake {
					g.wake()
				}
				if err := <-done; !errors.Is(err, tc.want) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				if g.waiters != 0 {
					t.Errorf("%d still waiting", g.waiters)
				}
			})
		})
	}
}

// Once Hold has returned, everyone who got in is counted, and nobody gets in any more.
func TestGateHoldIsOneStep(t *testing.T) {
	for range 50 {
		g := newGate(testLimits, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var inside sync.WaitGroup
		for range 8 {
			inside.Go(func() {
				for g.Enter(ctx, 1, soon()) == nil {
					g.Leave()
				}
			})
		}
		g.Hold("move")
		if err := g.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.mu.Lock()
		if g.inflight != 0 {
			t.Errorf("%d inside a held and drained gate", g.inflight)
		}
		g.mu.Unlock()
		cancel()
		inside.Wait()
	}
}

func BenchmarkGate(b *testing.B) {
	g := newGate(testLimits, nil)
	ctx, until := b.Context(), soon()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if g.Enter(ctx, 100, until) == nil {
				g.Leave()
			}
		}
	})
}

// waitFor polls a condition that has no signal, for 10 s at most.
func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
