package link

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// What a proxy may lag behind before it is sent everything anew.
const (
	mostHistory = 1024
	mostRoutes  = 20_000
)

// Publish makes these routes the ones in use, here and at every proxy, and returns the
// generation that has them. Here they are in use when it returns; for the proxies there is
// WaitSeen. Routes that are as before change nothing, the generation included. Of two routes for
// one domain the first counts.
func (h *Hub) Publish(routes []fleet.Route) int64 {
	h.order.Lock()
	defer h.order.Unlock()
	if h.cfg.Local != nil {
		h.cfg.Local.Publish(routes)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	change, err := h.state.become(routes)
	if err != nil {
		h.log.Error("routes cannot be sent to the proxies", "error", err) // a route that is no JSON: a defect
		return h.generation
	}
	// The first publication counts even if it is empty: from then on there is a state to send.
	if change == nil && h.published {
		return h.generation
	}
	h.published = true
	if change == nil {
		change = &down{}
	}
	return h.commit(change)
}

// commit records a change that the state has already. The caller has mu.
func (h *Hub) commit(change *down) int64 {
	h.generation++
	change.Kind, change.Generation, change.Sum = kindChange, h.generation, h.state.sum()
	r := record{generation: h.generation, at: time.Now(), routes: len(change.Set)}
	for _, part := range parts(*change) {
		line, err := encode(part)
		if err != nil {
			h.log.Error("a change cannot be sent; the proxies are sent everything", "error", err)
			h.history, h.weight, r.lines = nil, 0, nil
			break
		}
		r.lines = append(r.lines, line)
	}
	h.history = append(h.history, r)
	h.weight += r.routes
	for len(h.history) > mostHistory || h.weight > mostRoutes && len(h.history) > 1 {
		h.weight -= h.history[0].routes
		h.history = h.history[1:]
	}
	h.stir()
	return h.generation
}

// pending gives the lines that bring a proxy from a generation to the newest, which it gives
// too. It gives a snapshot where from is negative or too long ago, and nothing before the first
// publication: an empty table would be worse than what the proxy has saved.
func (h *Hub) pending(from int64) (out [][]byte, to int64, err error) {
	h.mu.Lock()
	to = h.generation
	if !h.published || from == to {
		h.mu.Unlock()
		return nil, from, nil
	}
	i := slices.IndexFunc(h.history, func(r record) bool { return r.generation == from+1 })
	if from >= 0 && i >= 0 && !slices.ContainsFunc(h.history[i:], func(r record) bool { return r.lines == nil }) {
		for _, r := range h.history[i:] {
			out = append(out, r.lines...)
		}
		h.mu.Unlock()
		return out, to, nil
	}
	whole := h.state.snapshot()
	h.mu.Unlock()
	whole.Epoch, whole.Generation = h.epoch, to
	for _, part := range parts(whole) {
		line, err := encode(part)
		if err != nil {
			return nil, from, err
		}
		out = append(out, line)
	}
	return out, to, nil
}

// Hold makes the tenant's requests wait at every proxy, and returns once all have confirmed it:
// from then on none lets a request in. The same reason again is the same hold. On an error, which
// is that of WaitSeen, the hold stands; take it back with Resume.
func (h *Hub) Hold(ctx context.Context, tenant fleet.Name, reason string) error {
	if err := h.WaitSeen(ctx, h.hold(tenant, reason)); err != nil {
		return fmt.Errorf("hold tenant %s at every proxy: %w", tenant, err)
	}
	return nil
}

func (h *Hub) hold(tenant fleet.Name, reason string) int64 {
	h.order.Lock()
	defer h.order.Unlock()
	if h.cfg.Local != nil {
		h.cfg.Local.Hold(tenant, reason)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	hold := Hold{tenant, reason}
	if h.state.holds[hold] {
		return h.generation
	}
	h.state.hold(hold)
	return h.commit(&down{Held: []Hold{hold}})
}

// Resume takes a reason to hold away at every proxy, and returns the generation that is without
// it. Requests go on at each proxy as it learns of it; what was published before is in use there
// by then.
func (h *Hub) Resume(tenant fleet.Name, reason string) int64 {
	h.order.Lock()
	defer h.order.Unlock()
	if h.cfg.Local != nil {
		h.cfg.Local.Resume(tenant, reason)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	hold := Hold{tenant, reason}
	if !h.state.holds[hold] {
		return h.generation
	}
	h.state.resume(hold)
	return h.commit(&down{Resumed: []Hold{hold}})
}

// Held lists the holds there are, by tenant.
func (h *Hub) Held() []Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.held()
}
