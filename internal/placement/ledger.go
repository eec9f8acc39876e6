package placement

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ledger is what the view's tenants add up to on each member. A choice reads it; a plan enters
// its moves into it one by one.
type ledger struct {
	rules  Rules
	places []*place // by name
	byName map[string]*place
	// watched counts, for each term that somebody wishes to be apart from or together with, the
	// tenants it means on each place; repelled those that wish to be apart from it;
	// and wooed those that wish to be together with it (openFor leaves these out).
	watched, repelled, wooed map[term]map[*place]int
}

// place is a member with what is on it.
type place struct {
	Member
	tenants  int
	reserved Needs
	// closed: a plan empties it. Nothing more goes there.
	closed bool
}

// term is a tenant's name (without key) or a label.
type term struct{ key, value string }

func termOf(s string) term {
	if key, value, ok := strings.Cut(s, "="); ok {
		return term{key, value}
	}
	return term{"", s}
}

func (t term) String() string {
	if t.key == "" {
		return t.value
	}
	return t.key + "=" + t.value
}

// means reports whether a tenant of this name and with these labels is meant.
func (t term) means(name string, labels map[string]string) bool {
	if t.key == "" {
		return t.value == name
	}
	value, ok := labels[t.key]
	return ok && value == t.value
}

// openFor makes the ledger for one wish: of tenants' wishes it knows what bears on that one. It
// asks each tenant for the few terms of the wish, which is quicker than to look up all its labels.
func openFor(view View, wish *want) *ledger {
	l := blank(view)
	asked := slices.Concat(wish.apart, wish.together)
	for _, t := range asked {
		l.watched[t] = map[*place]int{}
	}
	for _, t := range wish.self {
		l.repelled[t] = map[*place]int{}
	}
	for i := range view.Tenants {
		t := &view.Tenants[i]
		p := l.byName[t.Member]
		if t.Name == wish.Tenant || p == nil {
			continue
		}
		p.take(t)
		for _, a := range asked {
			if a.means(t.Name, t.Labels) {
				l.watched[a][p]++
			}
		}
		for _, s := range t.Wishes.Apart {
			bump(l.repelled, termOf(s), p, 1)
		}
	}
	return l
}

// openAll makes the ledger for any wish of the view's own tenants.
func openAll(view View) *ledger {
	l := blank(view)
	for i := range view.Tenants {
		w := &view.Tenants[i].Wishes
		for _, list := range [][]string{w.Apart, w.Together} {
			for _, s := range list {
				l.watched[termOf(s)] = map[*place]int{}
			}
		}
		for _, s := range w.Apart {
			l.repelled[termOf(s)] = map[*place]int{}
		}
		for _, s := range w.Together {
			l.wooed[termOf(s)] = map[*place]int{}
		}
	}
	for i := range view.Tenants {
		l.enter(&view.Tenants[i], l.byName[view.Tenants[i].Member])
	}
	return l
}

func blank(view View) *ledger {
	l := &ledger{
		rules: view.Rules, places: make([]*place, len(view.Members)), byName: make(map[string]*place, len(view.Members)),
		watched: map[term]map[*place]int{}, repelled: map[term]map[*place]int{}, wooed: map[term]map[*place]int{},
	}
	for i, m := range view.Members {
		l.places[i] = &place{Member: m}
		l.byName[m.Name] = l.places[i]
	}
	slices.SortFunc(l.places, func(a, b *place) int { return cmp.Compare(a.Name, b.Name) })
	return l
}

// enter counts a tenant on a place; nil is a member that does not exist any more.
func (l *ledger) enter(t *Tenant, p *place) {
	if p != nil {
		p.take(t)
		l.count(t, p, 1)
	}
}

func (p *place) take(t *Tenant) {
	p.tenants++
	p.reserved = p.reserved.plus(t.Needs)
}

// strike takes back enter.
func (l *ledger) strike(t *Tenant, p *place) {
	if p != nil {
		p.tenants--
		p.reserved = p.reserved.minus(t.Needs)
		l.count(t, p, -1)
	}
}

func (l *ledger) count(t *Tenant, p *place, by int) {
	if len(l.watched) == 0 {
		return
	}
	bump(l.watched, term{"", t.Name}, p, by)
	for key, value := range t.Labels {
		bump(l.watched, term{key, value}, p, by)
	}
	for _, s := range t.Wishes.Apart {
		bump(l.repelled, termOf(s), p, by)
	}
	for _, s := range t.Wishes.Together {
		bump(l.wooed, termOf(s), p, by)
	}
}

// needed reports whether the tenant is the only one on the place of those that another there
// wishes to be together with.
func (l *ledger) needed(t *Tenant, p *place) bool {
	if len(l.wooed) == 0 {
		return false
	}
	only := func(self term) bool { return l.wooed[self][p] > 0 && l.watched[self][p] == 1 }
	if only(term{"", t.Name}) {
		return true
	}
	for key, value := range t.Labels {
		if only(term{key, value}) {
			return true
		}
	}
	return false
}

func bump(counts map[term]map[*place]int, t term, p *place, by int) {
	if on := counts[t]; on != nil {
		if on[p] += by; on[p] == 0 {
			delete(on, p)
		}
	}
}

// move enters that a tenant goes from one place to another, with its data.
func (l *ledger) move(t *Tenant, from, to *place) {
	l.strike(t, from)
	l.enter(t, to)
	shift(t, from, -1)
	shift(t, to, 1)
}

// shift changes what is in use on a place by what the tenant uses. It may become less than
// nothing, where tenants share their blocks, so that shifting back gives what was there.
func shift(t *Tenant, p *place, by fleet.Size) {
	if p == nil {
		return
	}
	if p.PoolTotal > 0 {
		p.PoolUsed += by * t.Bytes
	}
	if p.MemoryTotal > 0 {
		p.MemoryUsed += by * t.Memory
	}
}

// want is a wish, made ready to be looked at with each member.
type want struct {
	Wish
	require, prefer, apart, together []term
	self                             []term    // all that mean the tenant itself
	short                            *shortage // of the whole fleet
}

func ready(w Wish) *want {
	out := &want{Wish: w}
	for _, list := range []struct {
		from []string
		to   *[]term
	}{
		{w.Wishes.Require, &out.require},
		{w.Wishes.Prefer, &out.prefer},
		{w.Wishes.Apart, &out.apart},
		{w.Wishes.Together, &out.together},
	} {
		for _, s := range list.from {
			*list.to = append(*list.to, termOf(s))
		}
	}
	if w.Tenant != "" {
		out.self = append(out.self, term{"", w.Tenant})
	}
	for _, key := range slices.Sorted(maps.Keys(w.Labels)) {
		out.self = append(out.self, term{key, w.Labels[key]})
	}
	return out
}
