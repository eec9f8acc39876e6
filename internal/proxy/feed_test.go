package proxy

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// source is a Source whose routes, generation and failure are set by tests.
type source struct {
	mu         sync.Mutex
	routes     []fleet.Route
	generation int64
	err        error
	lists      int
	during     func()
}

func (s *source) Routes(context.Context) ([]fleet.Route, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	if s.during != nil {
		s.during()
	}
	return s.routes, s.err
}

func (s *source) Generation(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation, s.err
}

func (s *source) set(generation int64, err error, routes ...fleet.Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation, s.err, s.routes = generation, err, routes
}

// runFeed runs a feed until the test ends.
func runFeed(t *testing.T, src Source, cfg FeedConfig) (*Feed, *Router) {
	t.Helper()
	r := testRouter()
	f := NewFeed(src, r, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return f, r
}

var (
	oneRoute = serving("a.example", "acme", "10.0.0.1:80")
	newRoute = serving("a.example", "acme", "10.0.0.2:80")
)

func TestFeedFollows(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*source, *Feed)
		after  time.Duration // when the change has to be seen
	}{
		"a nudge":         {func(s *source, f *Feed) { s.set(1, nil, newRoute); f.Nudge() }, 0},
		"the generation":  {func(s *source, _ *Feed) { s.set(2, nil, newRoute) }, 250 * time.Millisecond},
		"the timer alone": {func(s *source, _ *Feed) { s.set(1, nil, newRoute) }, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{}
				src.set(1, nil, oneRoute)
				f, r := runFeed(t, src, FeedConfig{})
				synctest.Wait()
				if got, _ := r.Table().Lookup("a.example"); got != oneRoute {
					t.Fatalf("first list: %+v", got)
				}
				tc.change(src, f)
				time.Sleep(tc.after)
				synctest.Wait()
				if got, _ := r.Table().Lookup("a.example"); got != newRoute {
					t.Errorf("after %v: %+v", tc.after, got)
				}
			})
		})
	}
}

func TestFeedKeepsTheLastTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(1, nil, oneRoute)
		f, r := runFeed(t, src, FeedConfig{})
		synctest.Wait()
		src.set(1, errors.New("store is down"))
		f.Nudge()
		time.Sleep(10 * time.Minute)
		if got, _ := r.Table().Lookup("a.example"); got != oneRoute {
			t.Errorf("while the source is down: %+v", got)
		}
		src.set(1, nil, newRoute)
		time.Sleep(300 * time.Millisecond)
		if got, _ := r.Table().Lookup("a.example"); got != newRoute {
			t.Errorf("soon after it is back: %+v", got)
		}
	})
}

func TestFeedMergesNudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(1, nil, oneRoute)
		f, r := runFeed(t, src, FeedConfig{})
		synctest.Wait()
		src.mu.Lock()
		src.lists = 0
		src.during = func() { // many nudges come while a list runs
			src.during = nil
			for range 100 {
				f.Nudge()
			}
		}
		src.mu.Unlock()
		f.Nudge()
		synctest.Wait()
		src.mu.Lock()
		defer src.mu.Unlock()
		if src.lists != 2 {
			t.Errorf("%d lists, want 2", src.lists)
		}
		if r.Table().Generation() != 1 {
			t.Errorf("generation %d", r.Table().Generation())
		}
	})
}

// In real time, a nudged change is in use within 50 ms.
func TestFeedIsQuick(t *testing.T) {
	src := &source{}
	src.set(1, nil, oneRoute)
	f, r := runFeed(t, src, FeedConfig{})
	waitFor(t, func() bool { return r.Table().Len() == 1 })
	src.set(1, nil, newRoute)
	start := time.Now()
	f.Nudge()
	waitFor(t, func() bool { got, _ := r.Table().Lookup("a.example"); return got == newRoute })
	if took := time.Since(start); took > 50*time.Millisecond {
		t.Errorf("seen after %v", took)
	}
}

func TestFeedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(1, nil, oneRoute)
		f, r := runFeed(t, src, FeedConfig{})
		synctest.Wait()
		src.set(1, nil, newRoute)
		generation, err := f.Refresh(t.Context())
		if got, _ := r.Table().Lookup("a.example"); err != nil || got != newRoute || generation != r.Table().Generation() {
			t.Errorf("generation %d, %v: %+v", generation, err, got)
		}
		down := errors.New("down")
		src.set(1, down)
		if _, err := f.Refresh(t.Context()); !errors.Is(err, down) {
			t.Errorf("the source is down: %v", err)
		}
		src.set(1, nil, newRoute)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := NewFeed(src, r, FeedConfig{}).Refresh(ctx); !errors.Is(err, context.Canceled) || fleet.CodeOf(err) != fleet.Unavailable {
			t.Errorf("nobody runs it: %v", err)
		}
	})
}
