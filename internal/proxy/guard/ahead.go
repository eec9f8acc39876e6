package guard

import (
	"sync"
	"time"
)

// aheadAfter is how late a client that leaves during its request may be noticed.
//
// While a handler runs, net/http reads one byte ahead to see whether the client leaves. Nearly
// every such read ends because the answer is complete, and costs two visits to the socket and its
// poller. So it begins only when a request takes longer than this.
const aheadAfter = 20 * time.Millisecond

// ahead is the reading ahead of one connection.
type ahead struct {
	mu      sync.Mutex
	limited bool          // the socket has a read deadline
	waiting bool          // a Read waits for aheadAfter
	abort   chan struct{} // wakes it; has room for one
	timer   *time.Timer
}

// wait lets aheadAfter pass, unless a deadline is set, and reports false where the read was called
// off meanwhile. It is for the one goroutine that reads.
func (a *ahead) wait() bool {
	a.mu.Lock()
	if a.limited {
		a.mu.Unlock()
		return true
	}
	if a.timer == nil {
		a.abort, a.timer = make(chan struct{}, 1), time.NewTimer(aheadAfter)
	} else {
		a.timer.Reset(aheadAfter)
	}
	a.waiting = true
	a.mu.Unlock()
	select {
	case <-a.abort:
		a.timer.Stop()
		return false
	case <-a.timer.C:
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.waiting { // called off at this moment
		<-a.abort
		return false
	}
	a.waiting = false
	return true
}

// limit says that the socket is to have a read deadline, or none, and reports whether that has to
// be told to the socket. callOff is for a deadline that has long passed: it ends a wait, and then
// the socket has nothing to do with it. Both are one step with the beginning of a wait, so that no
// deadline comes to a socket that a wait goes before.
func (a *ahead) limit(on, callOff bool) (tell bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if on && callOff && a.waiting {
		a.waiting = false
		a.abort <- struct{}{}
		return false
	}
	tell = on || a.limited
	a.limited = on
	return tell
}
