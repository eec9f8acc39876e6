package placement

import (
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Drain plans to move every tenant away from a member, the shortest expected hold first. Where
// tenants must stay, or there is no room for all of them, the plan's Left has each of those with
// the reason, and its Moves are what can be done. The member drained is one of Rules.SpareMembers:
// it is for this that they are kept. Tenants stay in their cluster. The error is fleet.NotFound where there is no such member.
func Drain(view View, member string) (Plan, error) {
	view.Rules.SpareMembers = max(0, view.Rules.SpareMembers-1)
	p := newPlanner(view.inCluster(fleet.ClusterOf(member)))
	from := p.byName[member]
	if from == nil {
		var names []string
		for _, other := range p.places {
			names = append(names, other.Name)
		}
		return Plan{}, fleet.Errorf(fleet.NotFound, "there is no member %q", member).WithField("member").
			WithHint("members: %s", strings.Join(names, ", "))
	}
	from.closed = true
	// Tenants that wish to be together find each other again only if all are off the member
	// before the first of them is placed.
	leaving := p.inOrder(p.home[member])
	for _, t := range leaving {
		if stays(t) == "" {
			p.strike(t, from)
			shift(t, from, -1)
		}
	}
	for _, t := range leaving {
		if why := stays(t); why != "" {
			p.leave(t, why)
			continue
		}
		to := p.settle(t, nil)
		if to == nil {
			p.leave(t, p.whyNowhere(t, from))
			p.enter(t, from)
			shift(t, from, 1)
			continue
		}
		p.note(Move{Tenant: t.Name, From: member, To: to.Name, Bytes: t.Bytes, Hold: t.Hold, Why: "is on " + member + ", which is to be empty", Gain: 1 / float64(len(leaving))})
	}
	return p.plan(true), nil
}

// inOrder gives tenants in the order in which they are best placed: the largest first, since the
// small ones fit into what they leave; but those that wish to be with others of them after these.
func (p *planner) inOrder(tenants []*Tenant) []*Tenant {
	var order, following []*Tenant
	for _, t := range slices.SortedFunc(slices.Values(tenants), largest) {
		if len(t.Wishes.Together) == 0 {
			order = append(order, t)
		} else {
			following = append(following, t)
		}
	}
	for len(following) > 0 {
		next := max(0, slices.IndexFunc(following, func(t *Tenant) bool { return !waits(t, following) }))
		order = append(order, following[next])
		following = slices.Delete(following, next, next+1)
	}
	return order
}

// waits reports whether the tenant wishes to be together with another of the list.
func waits(t *Tenant, list []*Tenant) bool {
	for _, s := range t.Wishes.Together {
		for _, other := range list {
			if other != t && termOf(s).means(other.Name, other.Labels) {
				return true
			}
		}
	}
	return false
}

// settle enters a tenant that is on no place on the best one; nil where none fits.
func (p *planner) settle(t *Tenant, also func(*place) bool) *place {
	to := p.best(wishOf(t), also)
	if to != nil {
		p.enter(t, to)
		shift(t, to, 1)
	}
	return to
}

// whyNowhere says why no place but its own takes a tenant, in words that follow its name.
func (p *planner) whyNowhere(t *Tenant, from *place) string {
	w := wishOf(t)
	w.short = p.short(w.Needs)
	var reasons []string
	for _, place := range p.places {
		if f := p.firstRejecting(place, w); f != nil && place != from {
			reasons = append(reasons, place.Name+" "+f.why(p.ledger, place, w))
		}
	}
	if len(reasons) == 0 {
		return "has no other member to go to"
	}
	return "has nowhere to go: " + someOf(reasons)
}
