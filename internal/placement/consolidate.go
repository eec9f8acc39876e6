package placement

import (
	"cmp"
	"slices"
)

// Consolidate plans to empty as many members of the home cluster as it can, filling the others up to the targets.
// Members are emptied whole or not at all, those with the fewest tenants first; a tenant is moved
// once at most. Tenants of members that cannot be emptied stay where they are.
func Consolidate(view View, targets Targets) Plan {
	view.Rules.Strategy = Pack
	p := newPlanner(view.inCluster(""))
	open := slices.DeleteFunc(slices.Clone(p.places), func(m *place) bool { return m.tenants == 0 || !m.Online })
	slices.SortStableFunc(open, func(a, b *place) int { return cmp.Compare(a.tenants, b.tenants) })
	for _, from := range open {
		p.empty(from, targets)
	}
	return p.plan(true)
}

// empty closes a place when all that is on it fits elsewhere, and else leaves all as it was.
func (p *planner) empty(from *place, targets Targets) {
	var here []*Tenant
	for _, t := range p.home[from.Name] {
		if stays(t) != "" {
			return
		}
		here = append(here, t)
	}
	var guests []*Tenant // moved here by this plan: they go on elsewhere, from where they were
	for _, name := range p.order {
		if m := p.moves[name]; m.To == from.Name {
			guests = append(guests, p.tenant(m))
		}
	}
	all := p.inOrder(append(here, guests...))
	from.closed = true
	for _, t := range all {
		p.strike(t, from)
		shift(t, from, -1)
	}
	placed := make([]*place, 0, len(all))
	for _, t := range all {
		// A member without tenants is not begun with: that would only change which is empty.
		to := p.settle(t, func(to *place) bool { return to.tenants > 0 && p.under(to, targets, t) })
		if to == nil {
			p.restore(from, all, placed)
			return
		}
		placed = append(placed, to)
	}
	for i, t := range all {
		m, guest := p.moves[t.Name]
		m.Tenant, m.From, m.To, m.Bytes, m.Hold = t.Name, t.Member, placed[i].Name, t.Bytes, t.Hold
		m.Why = "is on " + t.Member + ", which can be emptied"
		if guest {
			p.moves[t.Name] = m
			continue
		}
		m.Gain = 1 / float64(len(here))
		p.note(m)
	}
}

// restore undoes the placing of tenants that were on from.
func (p *planner) restore(from *place, all []*Tenant, placed []*place) {
	for i, t := range all {
		if i < len(placed) {
			p.strike(t, placed[i])
			shift(t, placed[i], -1)
		}
		p.enter(t, from)
		shift(t, from, 1)
	}
	from.closed = false
}

// tenant finds the tenant of a move.
func (p *planner) tenant(m Move) *Tenant {
	home := p.home[m.From]
	i, _ := slices.BinarySearchFunc(home, m.Tenant, func(t *Tenant, name string) int { return cmp.Compare(t.Name, name) })
	return home[i]
}
