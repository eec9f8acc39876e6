package placement

import (
	"cmp"
	"fmt"
	"slices"
)

// shortage says that too little would be left for the tenants of members that fail.
type shortage struct {
	resource *resource
	failing  int
	needed   int64 // by the tenants of the failing members
	left     int64 // on the others, with the wish met
}

// short looks whether, with the wish met somewhere, the tenants of any SpareMembers members would
// still find what their plans promise on the others; nil where they would. It does not matter on
// which member the wish is met: what it takes there from the free, it adds to what must find room
// when that member fails. So the answer is the same for every place, and an empty member more
// never makes it worse.
func (l *ledger) short(n Needs) *shortage {
	if l.rules.SpareMembers <= 0 {
		return nil
	}
	for i := range resources {
		if r := &resources[i]; r.ratio(l.rules.Overcommit) > 0 && r.need(n) > 0 {
			if s := l.shortOf(r, r.need(n)); s != nil {
				return s
			}
		}
	}
	return nil
}

func (l *ledger) shortOf(r *resource, need int64) *shortage {
	// A member's failure takes its free part away and brings its tenants: cost is both.
	type failure struct {
		cost int64
		down bool // it has failed already
	}
	var failures []failure
	free := int64(0)
	for _, p := range l.places {
		promised, spare := r.need(p.reserved), int64(0)
		if p.Online && !p.Cordoned && !p.closed {
			most, bounded := r.capacity(&p.Member, l.rules.Overcommit)
			if !bounded {
				return nil // what it has is not known, so nothing can be said
			}
			spare = max(0, most-promised)
		}
		free += spare
		if promised+spare > 0 {
			failures = append(failures, failure{promised + spare, !p.Online})
		}
	}
	slices.SortFunc(failures, func(a, b failure) int {
		if a.down != b.down {
			if a.down {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.cost, a.cost)
	})
	worst := failures[:min(len(failures), l.rules.SpareMembers)]
	cost := int64(0)
	for _, f := range worst {
		cost += f.cost
	}
	if cost <= free-need {
		return nil
	}
	return &shortage{resource: r, failing: len(worst), needed: cost, left: free - need}
}

func keepsSpare(_ *ledger, _ *place, w *want) bool { return w.short == nil }

func whyNoSpare(_ *ledger, _ *place, w *want) string {
	s := w.short
	members := "a member fails"
	if s.failing != 1 {
		members = fmt.Sprintf("%d members fail", s.failing)
	}
	return fmt.Sprintf("would leave too little %s for when %s: %s short", s.resource.name, members, s.resource.text(s.needed-s.left))
}
