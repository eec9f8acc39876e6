package realm

import (
	"context"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ear is one listener to all clusters.
type ear struct {
	ctx context.Context //nolint:containedctx // of the caller of Events, for the clusters that come later
	out chan fleet.LXDEvent
	all sync.WaitGroup

	mu   sync.Mutex
	over bool
	on   map[string]context.CancelFunc // by cluster
}

// Events streams what happens in all clusters, those that are added later too, until ctx ends. After
// each connect to one, and when one goes away or comes back, it sends fleet.EventsResumed.
func (r *Realm) Events(ctx context.Context) <-chan fleet.LXDEvent {
	ctx, cancel := context.WithCancel(ctx)
	e := &ear{ctx: ctx, out: make(chan fleet.LXDEvent, 256), on: map[string]context.CancelFunc{}}
	home := r.LXD.Events(ctx)
	r.mu.Lock()
	r.ears[e] = struct{}{}
	e.follow(r)
	r.mu.Unlock()
	go func() {
		r.pass(e, "", home) // until ctx ends, or the home cluster's connection is closed
		cancel()
		r.mu.Lock()
		delete(r.ears, e)
		r.mu.Unlock()
		e.mu.Lock()
		e.over = true
		e.mu.Unlock()
		e.all.Wait()
		close(e.out)
	}()
	return e.out
}

// follow listens to the clusters there are now, and no more to those that are gone. The Realm is locked.
func (e *ear) follow(r *Realm) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, stop := range e.on {
		if r.others[name] == nil {
			stop()
			delete(e.on, name)
		}
	}
	for name := range r.others {
		if e.on[name] == nil && !e.over {
			ctx, stop := context.WithCancel(e.ctx)
			e.on[name] = stop
			e.all.Go(func() { r.listen(ctx, e, name) })
		}
	}
}

// listen passes on what happens in another cluster until ctx ends. A connection that was exchanged for
// another is taken up anew.
func (r *Realm) listen(ctx context.Context, e *ear, cluster string) {
	for ctx.Err() == nil {
		if lxd, err := r.opt.Clusters.Dial(ctx, cluster); err == nil {
			r.pass(e, cluster, lxd.Events(ctx))
		}
		select {
		case <-ctx.Done():
		case <-after(ctx, lookTime):
		}
	}
}

func (r *Realm) pass(e *ear, cluster string, from <-chan fleet.LXDEvent) {
	for event := range from {
		event.Member = abroad(cluster, event.Member)
		if event.Action != fleet.EventsResumed {
			r.heed(cluster, event)
		}
		select {
		case e.out <- event:
		case <-e.ctx.Done():
		}
	}
}

// heed forgets where an instance was that is new, gone or has another name.
func (r *Realm) heed(cluster string, event fleet.LXDEvent) {
	switch event.Action {
	case "instance-created", "instance-deleted", "instance-renamed":
	default:
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range []string{event.Name, event.OldName} {
		if at, known := r.places[name]; known && (at == cluster) == (event.Action != "instance-created") {
			delete(r.places, name)
		}
	}
}

// tell sends an event to all listeners.
func (r *Realm) tell(event fleet.LXDEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := range r.ears {
		select {
		case e.out <- event:
		default: // it has much to do, and a full look before it
		}
	}
}

// after is time.After that ends with ctx.
func after(ctx context.Context, d time.Duration) <-chan struct{} {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx.Done()
}
