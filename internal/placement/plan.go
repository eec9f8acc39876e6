package placement

import (
	"cmp"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Move is one tenant's move from a member to another.
type Move struct {
	Tenant, From, To string
	Bytes            fleet.Size    // to be copied
	Hold             time.Duration // expected
	Why              string        // in words that follow the tenant's name
	// Gain is what the move is good for: in a rebalance, the points of percent by which members
	// are less above their targets; else the part of a member that it helps to empty.
	Gain float64
}

// Left is a tenant that should be moved and cannot, and why, in words that follow its name.
type Left struct{ Tenant, Member, Why string }

// Plan is a list of moves. Each of them, in their order, finds its place as the rules want it; but
// tenants that wish to be together are apart until the last of them has moved.
type Plan struct {
	// Moves are ordered by the shortest hold, where the order does not matter to the rules.
	Moves []Move
	// Left are what the plan could not do; empty: it does all that was asked.
	Left []Left
	// Emptied are the members without a tenant after the plan that had some before.
	Emptied []string
	// Over are the members still above a target after the plan, and why.
	Over []Over
	// Members are all, by name, before and after.
	Members []Change
}

// Over is a member above a target.
type Over struct{ Member, Why string }

// Change is what a plan makes of a member.
type Change struct {
	Member        string
	Before, After Level
}

// Bytes is what all moves copy.
func (p Plan) Bytes() (total fleet.Size) {
	for _, m := range p.Moves {
		total += m.Bytes
	}
	return total
}

// Hold is how long requests wait in all moves, one after another.
func (p Plan) Hold() (total time.Duration) {
	for _, m := range p.Moves {
		total += m.Hold
	}
	return total
}

// planner makes a plan.
type planner struct {
	*ledger
	home  map[string][]*Tenant // by member, by name
	moves map[string]Move      // by tenant
	order []string             // of moves' tenants
	left  []Left
	was   []Level
}

func newPlanner(view View) *planner {
	p := &planner{ledger: openAll(view), home: map[string][]*Tenant{}, moves: map[string]Move{}}
	for i := range view.Tenants {
		t := &view.Tenants[i]
		p.home[t.Member] = append(p.home[t.Member], t)
	}
	for _, list := range p.home {
		slices.SortFunc(list, func(a, b *Tenant) int { return cmp.Compare(a.Name, b.Name) })
	}
	for _, place := range p.places {
		p.was = append(p.was, p.level(place))
	}
	return p
}

// wishOf is what a tenant that is moved asks of its place.
func wishOf(t *Tenant) *want {
	return ready(Wish{Tenant: t.Name, Labels: t.Labels, Needs: t.Needs, Wishes: t.Wishes, Pool: t.Bytes, Memory: t.Memory})
}

// stays says why a tenant may not be moved; empty where it may.
func stays(t *Tenant) string {
	if t.Wishes.Pinned {
		return "is pinned to " + t.Member
	}
	return t.Stay
}

func (p *planner) note(m Move) {
	p.moves[m.Tenant] = m
	p.order = append(p.order, m.Tenant)
}

func (p *planner) leave(t *Tenant, why string) {
	p.left = append(p.left, Left{Tenant: t.Name, Member: t.Member, Why: why})
}

// plan sums up. sorted: any order of the moves keeps the rules.
func (p *planner) plan(sorted bool) Plan {
	plan := Plan{Left: p.left}
	for _, name := range p.order {
		plan.Moves = append(plan.Moves, p.moves[name])
	}
	if sorted {
		slices.SortStableFunc(plan.Moves, func(a, b Move) int {
			return cmp.Or(cmp.Compare(a.Hold, b.Hold), cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Tenant, b.Tenant))
		})
	}
	for i, place := range p.places {
		now := p.level(place)
		plan.Members = append(plan.Members, Change{Member: place.Name, Before: p.was[i], After: now})
		if p.was[i].Tenants > 0 && now.Tenants == 0 {
			plan.Emptied = append(plan.Emptied, place.Name)
		}
	}
	return plan
}

// largest orders tenants so that those that are hardest to place come first.
func largest(a, b *Tenant) int {
	return cmp.Or(
		cmp.Compare(b.Needs.Memory, a.Needs.Memory), cmp.Compare(b.Needs.CPU, a.Needs.CPU),
		cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name),
	)
}
