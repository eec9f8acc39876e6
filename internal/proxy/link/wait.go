package link

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// WaitSeen returns once every proxy has the generation, or a later one, in use. A proxy that is
// not connected is waited for until it was silent for the lease: what it may do after that is
// said in the package's documentation. When ctx ends sooner the error is of code Unavailable and
// names the proxies that are missing.
func (h *Hub) WaitSeen(ctx context.Context, generation int64) error {
	for {
		h.mu.Lock()
		late, until := h.late(generation)
		moved := h.moved
		h.mu.Unlock()
		if len(late) == 0 {
			return nil
		}
		timer := time.NewTimer(time.Until(until))
		select {
		case <-moved:
		case <-timer.C:
		case <-h.base.Done():
			timer.Stop()
			return fleet.Errorf(fleet.Unavailable, "the daemon is stopping; not every proxy has confirmed generation %d", generation)
		case <-ctx.Done():
			timer.Stop()
			return fleet.Errorf(fleet.Unavailable, "not every proxy has confirmed generation %d: %s: %w", generation,
				strings.Join(late, ", "), context.Cause(ctx)).
				WithHint("see `lxdfleet proxy list`; one that is gone for good is removed with `lxdfleet proxy remove NAME`")
		}
		timer.Stop()
	}
}

// late names the proxies that are waited for, and until when at the least. The caller has mu.
func (h *Hub) late(generation int64) (names []string, until time.Time) {
	now := time.Now()
	for _, m := range h.members {
		end := m.contact.Add(h.cfg.Lease)
		connected := m.session != nil
		if connected && m.seen >= generation || !end.After(now) {
			continue
		}
		what := fmt.Sprintf("%s is not connected", m.Name)
		if connected {
			what = fmt.Sprintf("%s is at generation %d", m.Name, m.seen)
		}
		names = append(names, what)
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	slices.Sort(names)
	return names, until
}

// Drain waits until none of the tenant's requests is with its backend, at any proxy. Hold
// first. A proxy that goes away meanwhile is not waited for: its requests are broken off or
// beyond reach. When ctx ends sooner the error is of code Unavailable.
func (h *Hub) Drain(ctx context.Context, tenant fleet.Name) error {
	if h.cfg.Local != nil {
		if err := h.cfg.Local.Drain(ctx, tenant); err != nil {
			return err
		}
	}
	line, wanted, answers, done := h.askToDrain(tenant)
	defer done()
	for _, s := range wanted {
		s.ask(line)
	}
	for name, s := range wanted {
		for wanted[name] != nil {
			select {
			case who := <-answers:
				delete(wanted, who)
			case <-s.ended:
				delete(wanted, name)
			case <-ctx.Done():
				return fleet.Errorf(fleet.Unavailable, "requests of tenant %s are still being answered at proxy %s: %w",
					tenant, name, context.Cause(ctx))
			}
		}
	}
	return nil
}

func (h *Hub) askToDrain(tenant fleet.Name) (line []byte, wanted map[string]*session, answers <-chan string, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drainSeq++
	id := h.drainSeq
	wanted = make(map[string]*session)
	for name, m := range h.members {
		if m.session != nil {
			wanted[name] = m.session
		}
	}
	answered := make(chan string, len(wanted))
	h.drains[id] = answered
	line, err := encode(down{Kind: kindDrain, Drain: id, Tenant: tenant})
	if err != nil {
		panic(err) // a number and a name are always JSON
	}
	return line, wanted, answered, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.drains, id)
	}
}

// Proxies lists the proxies that have joined, by name, as they are now.
func (h *Hub) Proxies() []fleet.ProxyStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	out := make([]fleet.ProxyStatus, 0, len(h.members))
	for _, m := range h.members {
		s := fleet.ProxyStatus{
			Proxy: m.Proxy, Connected: m.session != nil, Since: m.since, Generation: m.seen, Newest: h.generation,
		}
		if !s.Connected || s.Generation < s.Newest {
			s.Lag = h.lag(m.seen, now)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b fleet.ProxyStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// lag is for how long there has been a generation after seen; at least, where the history does
// not go back that far. The caller has mu.
func (h *Hub) lag(seen int64, now time.Time) time.Duration {
	for _, r := range h.history {
		if r.generation > seen {
			return now.Sub(r.at)
		}
	}
	return 0
}
