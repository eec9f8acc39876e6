package placement

import (
	"cmp"
	"slices"
)

// Rebalance plans the fewest moves it can find that bring every member of the home cluster under its targets, and
// every tenant to a member that is as it wishes. A fleet where all is so already gets no moves.
//
// For each member above a target, the fullest first, it moves the one tenant that is enough and
// has the shortest hold, where there is one; else the one that takes most off, and again.
func Rebalance(view View, targets Targets) Plan {
	p := newPlanner(view.inCluster(""))
	p.mend(targets)
	over := slices.Clone(p.places)
	slices.SortStableFunc(over, func(a, b *place) int {
		return cmp.Compare(p.excess(b, targets, nil), p.excess(a, targets, nil))
	})
	for _, from := range over {
		p.relieve(from, targets)
	}
	plan := p.plan(false)
	for _, place := range p.places {
		if why := p.whyOver(place, targets); why != "" && place.Online {
			plan.Over = append(plan.Over, Over{Member: place.Name, Why: why})
		}
	}
	return plan
}

// mend moves tenants that are where they do not wish to be; those that wish to be with others
// follow when the others have found their places.
func (p *planner) mend(targets Targets) {
	for _, following := range []bool{false, true} {
		for _, from := range p.places {
			for _, t := range p.home[from.Name] {
				if from.Online && following == (len(t.Wishes.Together) > 0) {
					p.mendOf(t, from, targets)
				}
			}
		}
	}
}

// mendOf moves one tenant, where it is not as it wishes.
func (p *planner) mendOf(t *Tenant, from *place, targets Targets) {
	p.strike(t, from)
	wrong := p.misplaced(t, from)
	why := "is on " + from.Name + ", which " + wrong
	if wrong == "" || stays(t) != "" {
		p.enter(t, from)
		if wrong != "" {
			p.leave(t, why+"; but it "+stays(t))
		}
		return
	}
	shift(t, from, -1)
	to := p.settle(t, func(to *place) bool { return p.under(to, targets, t) })
	if to == nil {
		to = p.settle(t, nil) // a wish is worth more than a target
	}
	if to == nil {
		p.leave(t, why+", and "+p.whyNowhere(t, from))
		p.enter(t, from)
		shift(t, from, 1)
		return
	}
	p.note(Move{Tenant: t.Name, From: from.Name, To: to.Name, Bytes: t.Bytes, Hold: t.Hold, Why: why})
}

// misplaced says which wish of a tenant its own place does not meet; empty: none.
func (p *planner) misplaced(t *Tenant, on *place) string {
	w := wishOf(t)
	for i := range filters {
		f := &filters[i]
		if f.wish && !f.passes(p.ledger, on, w) {
			return f.why(p.ledger, on, w)
		}
	}
	return ""
}

// relieve moves tenants off a place until it is under its targets, or none of them has another
// place to go to.
func (p *planner) relieve(from *place, targets Targets) {
	if !from.Online {
		return
	}
	var candidates []*Tenant
	for _, t := range p.home[from.Name] {
		if _, gone := p.moves[t.Name]; !gone && stays(t) == "" {
			candidates = append(candidates, t)
		}
	}
	for sorted := 0; len(candidates) > 0; {
		over := p.exceeded(from, targets)
		if over == 0 {
			return
		}
		if over != sorted {
			p.sortByWeight(from, candidates, over)
			sorted = over
		}
		tries := candidates[:1]
		if p.excess(from, targets, candidates[0]) == 0 {
			tries = p.enough(from, candidates, targets)
		}
		tried := len(tries)
		for i, t := range tries {
			if p.relieveOf(t, from, targets) {
				tried = i + 1
				break
			}
		}
		// Each that was tried is elsewhere now, or will find no place later either.
		if tried == 1 && tries[0] == candidates[0] {
			candidates = candidates[1:]
			continue
		}
		done := make(map[*Tenant]bool, tried)
		for _, t := range tries[:tried] {
			done[t] = true
		}
		candidates = slices.DeleteFunc(candidates, func(t *Tenant) bool { return done[t] })
	}
}

// relieveOf moves one tenant off the place, where that helps and another takes it.
func (p *planner) relieveOf(t *Tenant, from *place, targets Targets) bool {
	gain := p.excess(from, targets, nil) - p.excess(from, targets, t)
	if gain <= 0 || p.needed(t, from) {
		return false
	}
	why := p.whyOver(from, targets)
	p.strike(t, from)
	to := p.best(wishOf(t), func(to *place) bool { return to != from && p.under(to, targets, t) })
	p.enter(t, from)
	if to == nil {
		return false
	}
	p.move(t, from, to)
	p.note(Move{
		Tenant: t.Name, From: from.Name, To: to.Name, Bytes: t.Bytes, Hold: t.Hold, Gain: gain,
		Why: "is on " + from.Name + ", which has " + why,
	})
	return true
}

// sortByWeight puts those first that take most off the place in the dimensions over.
func (p *planner) sortByWeight(from *place, tenants []*Tenant, over int) {
	weights := make(map[*Tenant]float64, len(tenants))
	for _, t := range tenants {
		for i := range dimensions {
			if _, most := dimensions[i].amount(p.ledger, from); over&(1<<i) != 0 && most > 0 {
				weights[t] += float64(dimensions[i].weight(t)) / float64(most)
			}
		}
	}
	slices.SortFunc(tenants, func(a, b *Tenant) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cheapest(a, b))
	})
}

// enough gives the tenants of whom one alone brings the place under its targets, the cheapest to
// move first.
func (p *planner) enough(from *place, tenants []*Tenant, targets Targets) []*Tenant {
	var found []*Tenant
	for _, t := range tenants {
		if p.excess(from, targets, t) == 0 {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, cheapest)
	return found
}

// cheapest orders tenants by what their move costs.
func cheapest(a, b *Tenant) int {
	return cmp.Or(cmp.Compare(a.Hold, b.Hold), cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Name, b.Name))
}
