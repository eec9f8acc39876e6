package lxdfake

import (
	"context"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// watcher is one receiver of events; its queue has no bound, so that nobody waits for it.
type watcher struct {
	mu    sync.Mutex
	queue []fleet.LXDEvent
	wake  chan struct{} // holds one token while the queue may have something
}

func (w *watcher) push(e fleet.LXDEvent) {
	w.mu.Lock()
	w.queue = append(w.queue, e)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []fleet.LXDEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue := w.queue
	w.queue = nil
	return queue
}

// publish sends an event to every watcher. The fake is locked.
func (l *LXD) publish(e fleet.LXDEvent) {
	for w := range l.watchers {
		w.push(e)
	}
}

// emit publishes a lifecycle event about an instance. The fake is locked.
func (l *LXD) emit(action, name, location string) {
	l.publish(fleet.LXDEvent{Action: action, Name: name, Member: location, At: time.Now()})
}

// Events streams lifecycle events until ctx ends; the channel is closed then. The first event
// is fleet.EventsResumed, and events of everything that happens after Events returned follow.
func (l *LXD) Events(ctx context.Context) <-chan fleet.LXDEvent {
	w := &watcher{wake: make(chan struct{}, 1)}
	l.mu.Lock()
	l.watchers[w] = struct{}{}
	if !l.down {
		w.push(fleet.LXDEvent{Action: fleet.EventsResumed, At: time.Now()})
	}
	l.mu.Unlock()
	out := make(chan fleet.LXDEvent)
	go func() {
		defer close(out)
		defer func() {
			l.mu.Lock()
			delete(l.watchers, w)
			l.mu.Unlock()
		}()
		for {
			for _, e := range w.take() {
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-w.wake:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
