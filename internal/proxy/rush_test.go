package proxy

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// crowd has n requests wait at a gate, one after the other, and keeps the order in which they enter.
type crowd struct {
	g    *Gate
	mu   sync.Mutex
	in   []int
	errs []error
}

func newCrowd(ctx context.Context, g *Gate, n int) *crowd {
	c := &crowd{g: g}
	for i := range n {
		go func() {
			err := g.Enter(ctx, 1, soon())
			c.mu.Lock()
			defer c.mu.Unlock()
			if err != nil {
				c.errs = append(c.errs, err)
				return
			}
			c.in = append(c.in, i)
		}()
		synctest.Wait()
	}
	return c
}

// entered gives those inside, in order.
func (c *crowd) entered() []int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.in)
}

// Whoever came first is the first inside; they are more and more.
func TestRushIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(testLimits, nil)
		g.Hold("move")
		c := newCrowd(t.Context(), g, 30)
		g.Resume("move")
		for _, want := range []int{4, 12, 28, 30} {
			in := c.entered()
			// Those let in at the same moment may be seen in any order.
			slices.Sort(in)
			if len(in) != want || in[want-1] != want-1 {
				t.Fatalf("inside are %v, wanted the first %d", in, want)
			}
			time.Sleep(rushStep)
		}
		if g.rush != nil || len(g.queue) != 0 {
			t.Error("the rush goes on with nobody left")
		}
	})
}

// Who is done makes room for the next, without waiting for the time.
func TestRushGoesOnAsTheyLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(testLimits, nil)
		g.Hold("move")
		c := newCrowd(t.Context(), g, 10)
		g.Resume("move")
		g.Leave()
		g.Leave()
		if in := c.entered(); len(in) != 6 {
			t.Errorf("inside are %v, wanted six", in)
		}
	})
}

// A gate that is held again in a rush keeps those who are not inside yet, in their order, and
// counts those who are.
func TestRushIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(testLimits, nil)
		g.Hold("a")
		c := newCrowd(t.Context(), g, 10)
		g.Resume("a")
		g.Hold("b")
		time.Sleep(time.Second)
		if in := c.entered(); len(in) != 4 || g.inflight != 4 || g.waiters != 6 {
			t.Fatalf("inside are %v (%d), %d wait", in, g.inflight, g.waiters)
		}
		for range 4 {
			g.Leave()
		}
		if in := c.entered(); len(in) != 4 {
			t.Fatalf("a held gate let in %v", in[4:])
		}
		g.Resume("b")
		time.Sleep(time.Second)
		if in := c.entered(); len(in) != 10 || g.inflight != 6 {
			t.Errorf("inside are %v (%d)", in, g.inflight)
		}
	})
}

// Those who give up waiting leave no gap, whether before or in the rush.
func TestRushWithoutThoseWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(testLimits, nil)
		g.Hold("move")
		first := newCrowd(t.Context(), g, 2)
		ctx, cancel := context.WithCancel(t.Context())
		impatient := newCrowd(ctx, g, 5)
		last := newCrowd(t.Context(), g, 3)
		cancel()
		synctest.Wait()
		g.Resume("move")
		if len(impatient.errs) != 5 || len(first.entered()) != 2 || len(last.entered()) != 2 {
			t.Errorf("%d gave up; inside are %v and %v", len(impatient.errs), first.entered(), last.entered())
		}
		time.Sleep(rushStep)
		if len(last.entered()) != 3 || g.inflight != 5 || g.waiters != 0 {
			t.Errorf("inside are %d, %d wait", g.inflight, g.waiters)
		}
	})
}

// Patience that ends in the same moment as the wait does neither lose a place nor count twice.
func TestRushAgainstTime(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(testLimits, nil)
			g.Hold("move")
			end := time.Now().Add(time.Second)
			errs := make(chan error, 20)
			for range 20 {
				go func() { errs <- g.Enter(t.Context(), 1, end) }()
			}
			time.Sleep(time.Until(end))
			g.Resume("move")
			inside := 0
			for range 20 {
				switch err := <-errs; fleet.CodeOf(err) {
				case "":
					inside++
				case fleet.Exhausted:
				default:
					t.Error(err)
				}
			}
			if g.inflight != inside || g.waiters != 0 || len(g.queue) != 0 {
				t.Errorf("%d entered, %d are inside, %d wait", inside, g.inflight, g.waiters)
			}
		})
	}
}
