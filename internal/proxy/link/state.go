package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// state is the routes and holds at one generation. Controller and proxy each have one, and its
// sum tells whether they are the same.
type state struct {
	routes map[fleet.Domain]entry
	holds  map[Hold]bool
	total  uint64
}

// entry is a route and its form on the wire. The sum is that of the wire's bytes, so a proxy of
// another version, which may not know every field, comes to the same.
type entry struct {
	route fleet.Route
	raw   json.RawMessage
	hash  uint64
}

func newState() *state {
	return &state{routes: make(map[fleet.Domain]entry), holds: make(map[Hold]bool)}
}

func hashOf(kind string, data ...[]byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind)) // a hash takes everything
	for _, d := range data {
		_, _ = h.Write(d)
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

func (h Hold) hash() uint64 { return hashOf("hold", []byte(h.Tenant), []byte(h.Reason)) }

// sum is a checksum of the state that does not depend on any order. It finds mistakes, not
// attacks: against those there is TLS.
func (s *state) sum() string { return strconv.FormatUint(s.total, 16) }

func (s *state) set(e entry) {
	s.total += e.hash - s.routes[e.route.Domain].hash
	s.routes[e.route.Domain] = e
}

func (s *state) drop(d fleet.Domain) {
	s.total -= s.routes[d].hash
	delete(s.routes, d)
}

func (s *state) hold(h Hold) {
	if !s.holds[h] {
		s.holds[h] = true
		s.total += h.hash()
	}
}

func (s *state) resume(h Hold) {
	if s.holds[h] {
		delete(s.holds, h)
		s.total -= h.hash()
	}
}

// entryOf encodes a route.
func entryOf(r fleet.Route) (entry, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return entry{}, fmt.Errorf("encode the route of %s: %w", r.Domain, err)
	}
	return entry{route: r, raw: raw, hash: hashOf("route", raw)}, nil
}

// decodeEntry is the reverse of entryOf.
func decodeEntry(raw json.RawMessage) (entry, error) {
	e := entry{raw: raw, hash: hashOf("route", raw)}
	if err := json.Unmarshal(raw, &e.route); err != nil {
		return entry{}, fmt.Errorf("read a route: %w", err)
	}
	if e.route.Domain == "" {
		return entry{}, errors.New("read a route: it has no domain")
	}
	return e, nil
}

// become makes the state that of these routes and gives what differs, or nil where nothing
// does. Of two routes for one domain the first counts.
func (s *state) become(routes []fleet.Route) (*down, error) {
	var d down
	wanted := make(map[fleet.Domain]bool, len(routes))
	var changed []entry
	for _, r := range routes {
		if wanted[r.Domain] {
			continue
		}
		wanted[r.Domain] = true
		if old, ok := s.routes[r.Domain]; ok && old.route.Equal(r) {
			continue
		}
		e, err := entryOf(r)
		if err != nil {
			return nil, err
		}
		changed = append(changed, e)
	}
	for domain := range s.routes {
		if !wanted[domain] {
			d.Gone = append(d.Gone, domain)
		}
	}
	if len(changed) == 0 && len(d.Gone) == 0 {
		return nil, nil //nolint:nilnil // no change is no error
	}
	for _, e := range changed {
		s.set(e)
		d.Set = append(d.Set, e.raw)
	}
	for _, domain := range d.Gone {
		s.drop(domain)
	}
	slices.Sort(d.Gone)
	return &d, nil
}

// snapshot gives the whole state as a message.
func (s *state) snapshot() down {
	d := down{Kind: kindSnapshot, Set: make([]json.RawMessage, 0, len(s.routes)), Sum: s.sum(), Held: s.held()}
	for _, domain := range slices.Sorted(maps.Keys(s.routes)) {
		d.Set = append(d.Set, s.routes[domain].raw)
	}
	return d
}

func (s *state) held() []Hold {
	return slices.SortedFunc(maps.Keys(s.holds), func(a, b Hold) int {
		return strings.Compare(string(a.Tenant)+" "+a.Reason, string(b.Tenant)+" "+b.Reason)
	})
}

// list gives the routes by domain.
func (s *state) list() []fleet.Route {
	out := make([]fleet.Route, 0, len(s.routes))
	for _, e := range s.routes {
		out = append(out, e.route)
	}
	slices.SortFunc(out, func(a, b fleet.Route) int { return strings.Compare(string(a.Domain), string(b.Domain)) })
	return out
}

// after gives the state that a whole snapshot or change makes of s, which stays as it is. The
// error says what does not fit.
func (s *state) after(d down) (*state, error) {
	next := newState()
	if d.Kind == kindChange {
		next.routes, next.holds, next.total = maps.Clone(s.routes), maps.Clone(s.holds), s.total
	}
	for _, raw := range d.Set {
		e, err := decodeEntry(raw)
		if err != nil {
			return nil, err
		}
		next.set(e)
	}
	for _, domain := range d.Gone {
		next.drop(domain)
	}
	for _, h := range d.Held {
		next.hold(h)
	}
	for _, h := range d.Resumed {
		next.resume(h)
	}
	if next.sum() != d.Sum {
		return nil, fmt.Errorf("the checksum is %s, not %s: %w", next.sum(), d.Sum, errSequence)
	}
	return next, nil
}
