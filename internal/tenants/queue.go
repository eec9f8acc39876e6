package tenants

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// queue holds names with the time each is due, and works through them with a bounded number
// of hands. A name is in it once, with its earliest time, and never worked on twice at once.
type queue struct {
	mu   sync.Mutex
	due  map[string]time.Time
	busy map[string]bool
	heap dueHeap // may hold outdated entries: due is the truth
	wake chan struct{}
}

func newQueue() *queue {
	return &queue{due: map[string]time.Time{}, busy: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// add makes name due at the given time, or leaves an earlier time in place.
func (q *queue) add(name string, at time.Time) {
	q.mu.Lock()
	if old, ok := q.due[name]; ok && !old.After(at) {
		q.mu.Unlock()
		return
	}
	q.due[name] = at
	heap.Push(&q.heap, dueEntry{name, at})
	q.mu.Unlock()
	q.ring()
}

// drop forgets name.
func (q *queue) drop(name string) {
	q.mu.Lock()
	delete(q.due, name)
	q.mu.Unlock()
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take gives a name that is due, or how long until one is (a long time when there is none).
func (q *queue) take(now time.Time) (name string, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var later []dueEntry // due, but being worked on
	defer func() {
		for _, e := range later {
			heap.Push(&q.heap, e)
		}
	}()
	for len(q.heap) > 0 {
		first := q.heap[0]
		if at, ok := q.due[first.name]; !ok || !at.Equal(first.at) {
			heap.Pop(&q.heap)
			continue
		}
		if first.at.After(now) {
			return "", first.at.Sub(now)
		}
		heap.Pop(&q.heap)
		if q.busy[first.name] {
			later = append(later, first)
			continue
		}
		delete(q.due, first.name)
		q.busy[first.name] = true
		return first.name, 0
	}
	return "", time.Hour
}

func (q *queue) finish(name string) {
	q.mu.Lock()
	delete(q.busy, name)
	q.mu.Unlock()
	q.ring()
}

// run works through the queue with at most hands at once until ctx ends, and returns when
// the last hand is done.
func (q *queue) run(ctx context.Context, hands int, work func(ctx context.Context, name string)) {
	var crew sync.WaitGroup
	defer crew.Wait()
	free := make(chan struct{}, hands)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		name, wait := q.take(time.Now())
		if name != "" {
			crew.Go(func() {
				work(ctx, name)
				q.finish(name)
				<-free
			})
			continue
		}
		<-free
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-q.wake:
		case <-ctx.Done():
			return
		}
	}
}

type dueEntry struct {
	name string
	at   time.Time
}

// dueHeap is a heap.Interface with the earliest entry first.
type dueHeap []dueEntry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueEntry)) }
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
