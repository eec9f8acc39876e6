package api

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Feed hands news of the fleet to everyone who listens. It keeps the latest events, so that a
// listener who was away for a moment misses nothing. Publish never waits: a listener whose
// buffer is full is cut off and told so.
type Feed struct {
	now   func() time.Time
	epoch string // tells this feed's ids from those of an earlier process

	mu    sync.Mutex
	count uint64         // events published so far; the id of the latest
	ring  []*fleet.Event // the latest events; event n is at n % len(ring)
	subs  map[*Subscription]struct{}
}

// NewFeed makes a feed that keeps the latest keep events (at least 1).
func NewFeed(keep int, now func() time.Time) *Feed {
	return &Feed{
		now: now, epoch: strconv.FormatInt(now().UnixMilli(), 36),
		ring: make([]*fleet.Event, max(1, keep)), subs: map[*Subscription]struct{}{},
	}
}

// Publish gives the event its ID, and its time where it has none, and sends it to all
// subscriptions. It does not block.
func (f *Feed) Publish(e fleet.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	e.ID = f.epoch + "-" + strconv.FormatUint(f.count, 10)
	if e.At.IsZero() {
		e.At = f.now()
	}
	f.ring[f.count%uint64(len(f.ring))] = &e
	for s := range f.subs {
		select {
		case s.events <- &e:
		default:
			s.lost = true
			f.drop(s)
		}
	}
}

// Subscription is one listener's place in a feed.
type Subscription struct {
	feed *Feed
	// events has room for what the listener lags behind: pointers, since there may be a thousand
	// listeners, and all are sent the same.
	events chan *fleet.Event
	lost   bool // guarded by feed.mu
	// Gap: events after the one asked for are gone; what follows does not connect to it.
	Gap bool
}

// Subscribe listens from now on, or from after the event with the given id where that is
// still known; Gap is set where it is not. The listener may lag behind by buffer events.
func (f *Feed) Subscribe(after string, buffer int) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Subscription{feed: f}
	past := f.since(after, s)
	s.events = make(chan *fleet.Event, len(past)+max(1, buffer))
	for _, e := range past {
		s.events <- e
	}
	f.subs[s] = struct{}{}
	return s
}

func (f *Feed) since(after string, s *Subscription) (past []*fleet.Event) {
	if after == "" {
		return nil
	}
	epoch, number, _ := strings.Cut(after, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	oldest := f.count - min(f.count, uint64(len(f.ring))) + 1
	if err != nil || epoch != f.epoch || n > f.count || n+1 < oldest {
		s.Gap = true
		return nil
	}
	for i := n + 1; i <= f.count; i++ {
		past = append(past, f.ring[i%uint64(len(f.ring))])
	}
	return past
}

// Events gives the events in order; others are given the same ones, so nobody may change them. It is closed when the subscription was closed or cut off.
func (s *Subscription) Events() <-chan *fleet.Event { return s.events }

// Lost reports whether the subscription was cut off because it was too slow.
func (s *Subscription) Lost() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.lost
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.drop(s)
}

func (f *Feed) drop(s *Subscription) {
	if _, there := f.subs[s]; there {
		delete(f.subs, s)
		close(s.events)
	}
}
