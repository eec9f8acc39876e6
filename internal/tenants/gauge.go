package tenants

import (
	"context"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// gauge remembers what instances use. To ask LXD for all of them would cost it ten milliseconds
// each, so only those are measured that a plan would move.
type gauge struct {
	mu   sync.Mutex
	seen map[string]measured
}

type measured struct {
	use fleet.InstanceUse
	at  time.Time
}

const (
	// gaugeFor is how long a measurement is good enough for a plan.
	gaugeFor = time.Hour
	// gaugeMost bounds those of one plan, and gaugeAtOnce those at the same time.
	gaugeMost   = 500
	gaugeAtOnce = 4
)

// known gives what was measured of an instance lately.
func (g *gauge) known(name string) (fleet.InstanceUse, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, ok := g.seen[name]
	return m.use, ok && time.Since(m.at) < gaugeFor
}

// measure asks LXD for those not known yet, and reports whether any was learnt. One that cannot
// be measured is left out.
func (g *gauge) measure(ctx context.Context, lxd Viewer, names []string) (learnt bool) {
	var all sync.WaitGroup
	tokens := make(chan struct{}, gaugeAtOnce)
	asked := 0
	for _, name := range names {
		if _, ok := g.known(name); ok || asked == gaugeMost {
			continue
		}
		asked++
		tokens <- struct{}{}
		all.Go(func() {
			defer func() { <-tokens }()
			use, err := lxd.Use(ctx, name)
			if err != nil {
				return
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.seen == nil {
				g.seen = map[string]measured{}
			}
			g.seen[name] = measured{use, time.Now()}
			learnt = true
		})
	}
	all.Wait()
	g.forget()
	return learnt
}

// forget drops what is too old, so that tenants that are gone do not stay.
func (g *gauge) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, m := range g.seen {
		if time.Since(m.at) >= gaugeFor {
			delete(g.seen, name)
		}
	}
}
