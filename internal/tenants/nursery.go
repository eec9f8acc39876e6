package tenants

import (
	"context"
	"sync"
	"time"
)

// nursery lets the clones that are being made on a member go before the starts. LXD makes one
// at a time, in a third of a second while the member is at rest, in seconds while others boot:
// twenty tenants at once would wait for each other's boots one after another, with processors
// idle at the end.
type nursery struct {
	mu      sync.Mutex
	making  map[string]int           // clones asked for and not made yet, by member
	settled map[string]chan struct{} // closed when there are none left; only where one waits
}

// startPatience is the longest a start waits for clones: in an endless stream of creates the
// first must come into service too.
const startPatience = 15 * time.Second

// enter counts a clone on the member until the function it gives is called.
func (n *nursery) enter(member string) (leave func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.making == nil {
		n.making, n.settled = make(map[string]int), make(map[string]chan struct{})
	}
	n.making[member]++
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.making[member]--; n.making[member] > 0 {
			return
		}
		delete(n.making, member)
		if settled, ok := n.settled[member]; ok {
			close(settled)
			delete(n.settled, member)
		}
	}
}

// wait returns when no clone is being made on the member, after startPatience, or with ctx's
// error.
func (n *nursery) wait(ctx context.Context, member string) error {
	n.mu.Lock()
	if n.making[member] == 0 {
		n.mu.Unlock()
		return nil
	}
	settled, ok := n.settled[member]
	if !ok {
		settled = make(chan struct{})
		n.settled[member] = settled
	}
	n.mu.Unlock()
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case <-settled:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
