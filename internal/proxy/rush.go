package proxy

import "time"

const (
	rushFirst = 4                     // requests let in when a gate opens
	rushStep  = 10 * time.Millisecond // after which twice as many are as the time before
)

// rush is the letting in of those whom a gate has held. Let in all at once they would be answered
// in any order by an application that often has just started: whoever has waited longest would wait
// longest still. So the first to come are the first to enter. Four are let in when the gate opens,
// another whenever a request is done, and every rushStep twice as many as before, so that slow
// requests keep nobody for long: a thousand are inside after 70 ms.
//
// Who comes during a rush finds the gate open. All methods are called with the gate's lock held.
type rush struct {
	width int
	next  *time.Timer
}

func (g *Gate) beginRush() {
	if g.rush != nil || len(g.queue) == 0 {
		return
	}
	r := &rush{width: rushFirst}
	g.rush = r
	r.next = time.AfterFunc(rushStep, func() { g.rushOn(r) })
	g.letIn(r.width)
}

func (g *Gate) rushOn(r *rush) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rush != r {
		return
	}
	r.width *= 2
	r.next.Reset(rushStep)
	g.letIn(r.width)
}

// letIn lets in the n who have waited longest.
func (g *Gate) letIn(n int) {
	n = min(n, len(g.queue))
	for _, entered := range g.queue[:n] {
		g.inflight++
		close(entered)
	}
	g.queue = g.queue[n:]
	if len(g.queue) == 0 {
		g.queue = nil
		g.endRush()
	}
}

func (g *Gate) endRush() {
	if g.rush != nil {
		g.rush.next.Stop()
		g.rush = nil
	}
}
