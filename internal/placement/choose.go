package placement

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Verdict is what was found of one member.
type Verdict struct {
	Member string
	// Filter names the filter that rejected it, and Reason says why; both empty where the
	// member may take the tenant.
	Filter string
	Reason string
	// Score orders the members that fit, highest first; 0 for the rejected.
	Score float64
}

// Choice is the member chosen, with the verdict on each member by name.
type Choice struct {
	Member   string
	Verdicts []Verdict
}

// Choose gives the member with the highest score among those no filter rejects; members of
// equal score go by name. Errors: fleet.Invalid with field "member" where the wish pins a
// member that does not exist; fleet.Unavailable where every member in question is offline;
// fleet.Exhausted where none has room. The message says why for each member. The Choice
// carries the verdicts also when there is an error.
func Choose(view View, wish Wish) (Choice, error) {
	members := slices.SortedFunc(slices.Values(view.Members), func(a, b Member) int {
		return cmp.Compare(a.Name, b.Name)
	})
	choice := Choice{Verdicts: make([]Verdict, 0, len(members))}
	codes := map[fleet.Code]int{}
	best := -1.0
	for _, m := range members {
		v, code := judge(m, wish, view.Rules)
		choice.Verdicts = append(choice.Verdicts, v)
		switch {
		case code != "":
			codes[code]++
		case v.Score > best: // members are sorted: the first of equals stays
			choice.Member, best = m.Name, v.Score
		}
	}
	if choice.Member == "" {
		return choice, refusal(choice.Verdicts, wish, codes)
	}
	return choice, nil
}

// judge runs the filters over one member; code is empty where it passed.
func judge(m Member, wish Wish, rules Rules) (Verdict, fleet.Code) {
	for _, f := range filters() {
		if why := f.reject(m, wish, rules); why != "" {
			return Verdict{Member: m.Name, Filter: f.name, Reason: why}, f.code
		}
	}
	return Verdict{Member: m.Name, Score: spread(m)}, ""
}

// refusal explains why no member was chosen.
func refusal(verdicts []Verdict, wish Wish, codes map[fleet.Code]int) error {
	var names, reasons []string
	for _, v := range verdicts {
		names = append(names, v.Member)
		if wish.Member == "" || v.Member == wish.Member {
			reasons = append(reasons, v.Member+" "+v.Reason)
		}
	}
	why := strings.Join(reasons, "; ")
	switch {
	case len(verdicts) == 0:
		return fleet.Errorf(fleet.Unavailable, "no member is known").
			WithHint("is LXD running? lxdfleet doctor says what is wrong")
	case len(reasons) == 0:
		return fleet.Errorf(fleet.Invalid, "there is no member %q", wish.Member).WithField("member").
			WithHint("members: %s", strings.Join(names, ", "))
	case codes[fleet.Exhausted] == 0:
		return fleet.Errorf(fleet.Unavailable, "no member can take the tenant: %s", why).
			WithHint("start LXD on the member again, or wait until the cluster sees it")
	}
	return fleet.Errorf(fleet.Exhausted, "no member can take the tenant: %s", why).
		WithHint("free space, add or uncordon a member, or lower the head-room in the configuration")
}
