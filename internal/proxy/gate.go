package proxy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Limits bound what a gate holds. Bodies are never read while a request is held, so what it
// costs is its header and its connection.
type Limits struct {
	Waiters int           // requests held at once, per tenant
	Bytes   int64         // header bytes held at once, per tenant
	Wait    time.Duration // longest a request is held altogether
}

// Gate lets the requests of one tenant through, or holds them. It outlives route tables, so
// its counts are true over any number of route changes. It is held while at least one reason
// to hold is set; several parts (routes, a move, an operator) can hold it without knowing of
// each other.
type Gate struct {
	limits Limits
	stop   <-chan struct{} // closed when the server stops; ends every wait

	mu       sync.Mutex
	reasons  map[string]struct{}
	queue    []chan struct{} // of those who wait to enter, the first first; closed when they have entered
	rush     *rush           // the letting in of those who waited; nil while nobody does or the gate is held
	changed  chan struct{}   // closed by wake; nil while nobody pauses
	idle     chan struct{}   // closed when inflight falls to zero; nil while nobody drains
	waiters  int
	bytes    int64
	inflight int
	leave    chan struct{} // closed by dismiss; nil while nobody needs it
	gone     bool          // dropped from the gates: get the tenant's gate again
	asked    time.Time
}

// errGone says that the gate was dropped between finding and entering it.
var errGone = errors.New("gate was dropped")

// errStopping says that the server is shutting down and holds nobody any longer.
var errStopping = fleet.Errorf(fleet.Unavailable, "the proxy is stopping")

func newGate(limits Limits, stop <-chan struct{}) *Gate {
	return &Gate{limits: limits, stop: stop, reasons: make(map[string]struct{})}
}

// Enter lets a request in, waiting while the gate is held. Check and count are one step: once
// Hold has returned nobody enters, and who has entered is counted by Drain until Leave.
//
// size is the request's header in bytes; until is the end of its patience. The error is of code
// Exhausted when a limit is passed or until has come, of code Unavailable when the server
// stops, and ctx's cause when the client has left. On an error nothing is counted.
func (g *Gate) Enter(ctx context.Context, size int64, until time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return errGone
	}
	if len(g.reasons) == 0 {
		g.inflight++
		return nil
	}
	if err := g.reserve(size); err != nil {
		return err
	}
	defer g.release(size)
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	entered := make(chan struct{})
	g.queue = append(g.queue, entered)
	err := g.wait(ctx, entered, timer.C)
	if err == nil {
		return nil
	}
	if i := slices.Index(g.queue, entered); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	} else {
		g.left() // it was let in at the same moment
	}
	if errors.Is(err, errTime) {
		return fleet.Errorf(fleet.Exhausted, "the request was held as long as it may be")
	}
	return err
}

// tryEnter is Enter for a request that does not have to wait. Where it would have to, or the
// gate was dropped, it reports false and counts nothing.
func (g *Gate) tryEnter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone || len(g.reasons) > 0 {
		return false
	}
	g.inflight++
	return true
}

// count is how many are inside.
func (g *Gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inflight
}

// Leave ends what a successful Enter began.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left()
}

func (g *Gate) left() {
	g.inflight--
	if g.inflight == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
	if g.rush != nil {
		g.letIn(1)
	}
}

// pause keeps a request whose backend cannot be reached waiting for d, or less when the
// tenant's route changes. It counts as a waiter. stale reports whether the route has changed
// already; it is asked where no wake can slip by. Errors are those of Enter.
func (g *Gate) pause(ctx context.Context, size int64, d time.Duration, until time.Time, stale func() bool) error {
	left := time.Until(until)
	if left <= 0 {
		return fleet.Errorf(fleet.Exhausted, "the request was held as long as it may be")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.reserve(size); err != nil {
		return err
	}
	defer g.release(size)
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	if stale() {
		return nil
	}
	timer := time.NewTimer(min(d, left))
	defer timer.Stop()
	if err := g.wait(ctx, g.changed, timer.C); err != nil && !errors.Is(err, errTime) {
		return err
	}
	return nil
}

var errTime = errors.New("time is over")

// wait gives up the lock until signal is closed or something ends the wait.
func (g *Gate) wait(ctx context.Context, signal <-chan struct{}, timer <-chan time.Time) error {
	g.mu.Unlock()
	defer g.mu.Lock()
	select {
	case <-signal:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-g.stop:
		return errStopping
	case <-timer:
		return errTime
	}
}

func (g *Gate) reserve(size int64) error {
	if g.waiters >= g.limits.Waiters || g.bytes+size > g.limits.Bytes {
		return fleet.Errorf(fleet.Exhausted, "%d requests (%d bytes) are held, no more may be", g.waiters, g.bytes)
	}
	g.waiters++
	g.bytes += size
	return nil
}

func (g *Gate) release(size int64) {
	g.waiters--
	g.bytes -= size
}

// Hold makes requests wait from now on; those that have entered go on. Holding twice for the
// same reason is holding once.
func (g *Gate) Hold(reason string) { g.hold(reason) }

// hold reports false where the gate has been dropped.
func (g *Gate) hold(reason string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return false
	}
	g.reasons[reason] = struct{}{}
	g.endRush()
	return true
}

// Resume takes a reason to hold away. With the last one held requests are let in; see rush.
func (g *Gate) Resume(reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.reasons[reason]; !ok {
		return
	}
	delete(g.reasons, reason)
	if len(g.reasons) == 0 {
		g.beginRush()
	}
}

// leaving gives a channel that is closed when upgraded connections inside are to end.
func (g *Gate) leaving() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leave == nil {
		g.leave = make(chan struct{})
	}
	return g.leave
}

// dismiss ends the upgraded connections inside politely. It does not wait for them.
func (g *Gate) dismiss() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leave != nil {
		close(g.leave)
		g.leave = nil
	}
}

// Drain waits until no request is inside. Hold first, or new ones keep coming. Upgraded
// connections, which would not end by themselves, are dismissed. When ctx ends sooner the error
// is of code Unavailable and says how many are left.
func (g *Gate) Drain(ctx context.Context) error {
	g.dismiss()
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.inflight > 0 {
		if g.idle == nil {
			g.idle = make(chan struct{})
		}
		idle := g.idle
		g.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
		}
		g.mu.Lock()
		if ctx.Err() != nil && g.inflight > 0 {
			return fleet.Errorf(fleet.Unavailable, "%d requests are still being answered: %w", g.inflight, context.Cause(ctx))
		}
	}
	return nil
}

// wake ends every pause: the tenant's route has changed.
func (g *Gate) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// mayAsk reports whether the control plane should be asked now to look at the tenant again: at
// most once in every interval, however many requests fail.
func (g *Gate) mayAsk(now time.Time, every time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.asked) < every {
		return false
	}
	g.asked = now
	return true
}

// drop retires the gate if nobody is inside, waits or holds it, and reports whether it did.
func (g *Gate) drop() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inflight > 0 || g.waiters > 0 || len(g.reasons) > 0 {
		return false
	}
	g.gone = true
	return true
}

// GateState is a gate as seen at one moment.
type GateState struct {
	Tenant   fleet.Name `json:"tenant"`
	Inflight int        `json:"in_flight"` // requests inside
	Held     int        `json:"held"`      // requests waiting
	Reasons  []string   `json:"reasons"`   // why it is held, sorted; empty while open
}
