package placement

import (
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Verdict is what was found of one member.
type Verdict struct {
	Member string
	// Filter names the filter that rejected it, and Reason says why, in words that follow the
	// member's name; both empty where the member may take the tenant.
	Filter string
	Reason string
	// Score orders the members that fit, highest first, between 0 and 100; 0 for the rejected.
	// Parts are what it is made of.
	Score float64
	Parts []Part
}

// Choice is the member chosen, with the verdict on each member by name.
type Choice struct {
	Member   string
	Verdicts []Verdict
}

// Choose gives the member with the highest score among those no filter rejects; members of
// equal score go by name. Errors: fleet.Invalid with field "member" where the wish pins a
// member that does not exist; fleet.Unavailable where every member in question is offline;
// fleet.Exhausted where none has room or none is as wished. The message says why for each member.
// Members of other clusters than the wish is about are left out; so the wish is about the home cluster
// where it does not say another. The Choice carries the verdicts also when there is an error.
func Choose(view View, wish Wish) (Choice, error) {
	w := ready(wish)
	return openFor(view.inCluster(wish.cluster()), w).choose(w)
}

func (l *ledger) choose(w *want) (Choice, error) {
	w.short = l.short(w.Needs)
	choice := Choice{Verdicts: make([]Verdict, len(l.places))}
	rejected := map[string]int{}
	best := -1.0
	for i, p := range l.places {
		v := Verdict{Member: p.Name}
		if f := l.firstRejecting(p, w); f != nil {
			v.Filter, v.Reason = f.name, f.why(l, p, w)
			rejected[f.name]++
		} else {
			points := l.score(p, w)
			v.Score, v.Parts = sum(points), parts(points, w)
			if v.Score > best { // places are sorted: the first of equals stays
				choice.Member, best = p.Name, v.Score
			}
		}
		choice.Verdicts[i] = v
	}
	if choice.Member == "" {
		return choice, refusal(choice.Verdicts, w.Wish, rejected)
	}
	return choice, nil
}

// best is choose without words, for plans; nil where no place fits. also, where it is not nil,
// is one filter more.
func (l *ledger) best(w *want, also func(p *place) bool) (found *place) {
	w.short = l.short(w.Needs)
	if w.short != nil {
		return nil
	}
	most := -1.0
	for _, p := range l.places {
		if l.firstRejecting(p, w) != nil || also != nil && !also(p) {
			continue
		}
		if s := sum(l.score(p, w)); s > most {
			found, most = p, s
		}
	}
	return found
}

// mostReasons bounds the members an error speaks of.
const mostReasons = 10

// refusal explains why no member was chosen.
func refusal(verdicts []Verdict, wish Wish, rejected map[string]int) error {
	var names, reasons []string
	for _, v := range verdicts {
		names = append(names, v.Member)
		if wish.Member == "" || isAny(wish.Member) || v.Member == wish.Member {
			reasons = append(reasons, v.Member+" "+v.Reason)
		}
	}
	switch {
	case len(verdicts) == 0 && wish.cluster() != "":
		return fleet.Errorf(fleet.Invalid, "there is no member %q: no cluster %s is known", wish.Member, wish.cluster()).WithField("member").
			WithHint("lxdfleet cluster list shows the clusters, lxdfleet member list their members")
	case len(verdicts) == 0:
		return fleet.Errorf(fleet.Unavailable, "no member is known").
			WithHint("is LXD running? lxdfleet doctor says what is wrong")
	case len(reasons) == 0:
		return fleet.Errorf(fleet.Invalid, "there is no member %q", wish.Member).WithField("member").
			WithHint("members: %s", strings.Join(names, ", "))
	}
	code, hint := verdictOf(rejected)
	return fleet.Errorf(code, "no member can take the tenant: %s", someOf(reasons)).WithHint("%s", hint)
}

// someOf joins reasons, not too many of them.
func someOf(reasons []string) string {
	if more := len(reasons) - mostReasons; more > 0 {
		reasons = append(reasons[:mostReasons:mostReasons], "and "+plural(more, "more member"))
	}
	return strings.Join(reasons, "; ")
}

// verdictOf gives the code, and what to do, by which filters rejected members.
func verdictOf(rejected map[string]int) (fleet.Code, string) {
	wished, full := 0, 0
	for _, f := range filters {
		switch {
		case f.code != fleet.Exhausted || rejected[f.name] == 0:
		case f.wish:
			wished++
		default:
			full++
		}
	}
	switch {
	case wished+full == 0:
		return fleet.Unavailable, "start LXD on the member again, or wait until the cluster sees it"
	case full == 0:
		return fleet.Exhausted, "change the tenant's wishes, or label a member: lxdfleet member label"
	}
	return fleet.Exhausted, "free space, add or uncordon a member, or lower the head-room in the configuration"
}
