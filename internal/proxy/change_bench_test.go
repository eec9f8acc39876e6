package proxy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// A thousand requests wait at a gate; the time is that from resume until the last one is in.
func BenchmarkResumeWaiters(b *testing.B) {
	const waiters = 1000
	limits := Limits{Waiters: waiters, Bytes: 16 << 20, Wait: time.Minute}
	var spent time.Duration
	for b.Loop() {
		g := newGate(limits, nil)
		g.Hold("move")
		var wg sync.WaitGroup
		var lost atomic.Int32
		for range waiters {
			wg.Go(func() {
				if g.Enter(b.Context(), 1000, time.Now().Add(limits.Wait)) != nil {
					lost.Add(1)
				}
			})
		}
		for all := false; !all; time.Sleep(100 * time.Microsecond) {
			g.mu.Lock()
			all = g.waiters == waiters
			g.mu.Unlock()
		}
		began := time.Now()
		g.Resume("move")
		wg.Wait()
		spent += time.Since(began)
		if n := lost.Load(); n > 0 {
			b.Fatalf("%d were lost", n)
		}
	}
	b.ReportMetric(float64(spent.Nanoseconds())/1e6/float64(b.N), "ms-last")
}

// listed is a source whose routes can be changed.
type listed struct{ routes atomic.Pointer[[]fleet.Route] }

func (s *listed) Routes(context.Context) ([]fleet.Route, error) { return *s.routes.Load(), nil }

// One of ten thousand routes changes; the time is that from the nudge until requests see it.
func BenchmarkRouteChange(b *testing.B) {
	first, _ := BuildTable(0, nil)
	r := newRouter(first, testLimits, nil, discard)
	seen := make(chan struct{}, 1)
	r.onSwap(func(*Table) { seen <- struct{}{} })
	routes := manyRoutes(10_000)
	source := &listed{}
	source.routes.Store(&routes)
	feed := NewFeed(source, r, FeedConfig{})
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { feed.Run(ctx) })
	defer running.Wait()
	defer stop()
	<-seen
	change := 0
	for b.Loop() {
		change++
		next := slices.Clone(routes)
		next[0].Backend = fmt.Sprintf("10.9.9.9:%d", change)
		source.routes.Store(&next)
		feed.Nudge()
		<-seen
		if route, _ := r.Table().Lookup(string(next[0].Domain)); route.Backend != next[0].Backend {
			b.Fatalf("requests are led to %s", route.Backend)
		}
	}
}
