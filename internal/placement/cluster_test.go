package placement

import (
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// abroad is the fleet three, and the clusters west with two members and south with one.
func abroad(tenants ...[]Tenant) View {
	v := three(tenants...)
	v.Members = append(v.Members, roomy("west:n1", nil), roomy("west:n2", nil), roomy("south:none", nil))
	return v
}

func TestChooseInACluster(t *testing.T) {
	view := abroad(living("n1", "a"), living("n2", "b"), living("n3", "c"), living("west:n1", "d"))
	view.Rules.SpareMembers = 1
	for _, tt := range []struct {
		name string
		wish Wish
		want string
		code fleet.Code
		says string
	}{
		{name: "at home, though others are empty", want: "n1"},
		{name: "any of another", wish: Wish{Member: "west:"}, want: "west:n2"},
		{name: "one of another", wish: Wish{Member: "west:n1"}, want: "west:n1"},
		{name: "a server that is in none", wish: Wish{Member: "south:"}, want: "south:none"},
		{name: "away from one stays in the cluster", wish: Wish{Leave: "west:n2"}, want: "west:n1"},
		{name: "home again", wish: Wish{Leave: "west:n2", Member: "n3"}, want: "n3"},
		{name: "nowhere else to go", wish: Wish{Leave: "south:none"}, code: fleet.Exhausted, says: "south:none is where it is"},
		{name: "no such member", wish: Wish{Member: "west:n9"}, code: fleet.Invalid, says: "west:n9"},
		{name: "no such cluster", wish: Wish{Member: "east:"}, code: fleet.Invalid, says: "no cluster east"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			choice, err := Choose(view, tt.wish)
			if choice.Member != tt.want || fleet.CodeOf(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q, %v", choice.Member, err)
			}
			for _, v := range choice.Verdicts {
				if fleet.ClusterOf(v.Member) != tt.wish.cluster() {
					t.Errorf("a verdict on %s", v.Member)
				}
			}
		})
	}
}

func TestPlansStayInACluster(t *testing.T) {
	view := abroad(living("west:n1", "a", "b"), living("south:none", "c"), living("n1", "d", "e", "f", "g", "h"))
	drain, err := Drain(view, "west:n1")
	if err != nil || told(drain) != "a>west:n2 b>west:n2" {
		t.Errorf("drain: %s, %v", told(drain), err)
	}
	alone, err := Drain(view, "south:none")
	if err != nil || told(alone) != "c!" {
		t.Errorf("drain the only one: %s, %v", told(alone), err)
	}
	for name, plan := range map[string]Plan{"rebalance": Rebalance(view, Targets{}), "consolidate": Consolidate(view, Targets{})} {
		for _, m := range plan.Moves {
			if fleet.ClusterOf(m.From) != "" || fleet.ClusterOf(m.To) != "" {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
	if got := len(Standings(view)); got != 6 {
		t.Errorf("%d standings", got)
	}
}
