package placement

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// living makes tenants of 1 GiB memory each on a member, the n-th with a hold of n seconds.
func living(member string, names ...string) []Tenant {
	list := make([]Tenant, len(names))
	for i, name := range names {
		list[i] = Tenant{Name: name, Member: member, Needs: Needs{Memory: fleet.GiB}, Bytes: fleet.GiB, Hold: time.Duration(i+1) * time.Second}
	}
	return list
}

// three is a fleet of three members, 8 GiB of memory each.
func three(tenants ...[]Tenant) View {
	return View{
		Members: []Member{roomy("n1", nil), roomy("n2", nil), roomy("n3", nil)}, Tenants: slices.Concat(tenants...),
		Rules: Rules{PoolHeadRoom: DefaultHeadRoom(), Overcommit: Overcommit{Memory: 1}},
	}
}

// told writes a plan's moves and what is left in short.
func told(p Plan) string {
	var words []string
	for _, m := range p.Moves {
		words = append(words, m.Tenant+">"+m.To)
	}
	for _, l := range p.Left {
		words = append(words, l.Tenant+"!")
	}
	return strings.Join(words, " ")
}

func TestDrain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		view   View
		change func(v *View)
		want   string
		says   string // part of the first Left
	}{
		{name: "nothing there", view: three(living("n2", "a"))},
		{name: "the shortest hold first, spread", view: three(living("n1", "a", "b", "c", "d"), living("n2", "x")), want: "a>n3 b>n2 c>n3 d>n2"},
		{
			name: "the large ones find room before the small",
			view: three(living("n1", "a", "b", "c", "d"), living("n2", "k", "l", "m", "n", "o", "p"), living("n3", "q", "r", "s", "t", "u")),
			change: func(v *View) {
				v.Tenants[0].Needs.Memory = fleet.GiB / 2
				v.Tenants[1].Needs.Memory = fleet.GiB / 2
				v.Tenants[3].Needs.Memory = 3 * fleet.GiB
			},
			want: "a>n2 b>n2 c>n2 d>n3",
		},
		{
			name:   "one has no room",
			view:   three(living("n1", "a", "b"), living("n2", "k"), living("n3", "q")),
			change: func(v *View) { v.Tenants[1].Needs.Memory = 8 * fleet.GiB }, want: "a>n2 b!",
			says: "has nowhere to go: n2 has promised its memory",
		},
		{
			name: "a pinned one stays, and one that is busy",
			view: three(living("n1", "a", "b", "c")), change: func(v *View) {
				v.Tenants[0].Wishes.Pinned, v.Tenants[1].Stay = true, "is busy with a backup"
			},
			want: "c>n2 a! b!", says: "is pinned to n1",
		},
		{
			name: "friends leave together", view: three(living("n1", "a", "b"), living("n2", "x")),
			change: func(v *View) { v.Tenants[0].Wishes.Together = []string{"b"} }, want: "a>n3 b>n3",
		},
		{
			name: "friends of friends", view: three(living("n1", "a", "b", "c"), living("n2", "x")),
			change: func(v *View) {
				v.Tenants[0].Wishes.Together, v.Tenants[1].Wishes.Together = []string{"b"}, []string{"c"}
			},
			want: "a>n3 b>n3 c>n3",
		},
		{
			name: "to members that fit", view: three(living("n1", "a", "b")),
			change: func(v *View) {
				v.Members[1].Labels = map[string]string{"disk": "nvme"}
				v.Tenants[0].Wishes.Require = []string{"disk=nvme"}
				v.Tenants[1].Wishes.Apart = []string{"a"}
			},
			want: "a>n2 b>n3",
		},
		{
			name: "its data must fit too", view: three(living("n1", "a")),
			change: func(v *View) { v.Tenants[0].Bytes, v.Members[1].PoolUsed = 10*fleet.GiB, 88*fleet.GiB }, want: "a>n3",
		},
		{
			name: "this is what a spare member is for", view: three(living("n1", "a"), living("n2", "k", "l", "m", "n", "o", "p", "q"), living("n3", "r", "s", "t", "u", "v", "w", "x")),
			change: func(v *View) { v.Rules.SpareMembers = 1 }, want: "a>n2",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(&tt.view)
			}
			plan, err := Drain(tt.view, "n1")
			if err != nil || told(plan) != tt.want {
				t.Fatalf("%s, %v; want %s\n%+v", told(plan), err, tt.want, plan.Left)
			}
			if tt.says != "" && !strings.Contains(plan.Left[0].Why, tt.says) {
				t.Errorf("%q does not say %q", plan.Left[0].Why, tt.says)
			}
		})
	}
	if _, err := Drain(three(), "n9"); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("drain of no member: %v", err)
	}
}

func TestRebalance(t *testing.T) {
	for _, tt := range []struct {
		name   string
		view   View
		change func(v *View)
		want   string
		over   int // members
	}{
		{name: "all is well", view: three(living("n1", "a", "b", "c", "d"), living("n2", "x"))},
		{
			name: "as few as are needed, the shortest hold",
			view: three(living("n1", "a", "b", "c", "d", "e", "f", "g"), living("n2", "x")), want: "a>n3",
		},
		{
			name: "one large one instead of many small ones, and not a larger one than is needed",
			view: three(living("n1", "a", "b", "c", "d")),
			change: func(v *View) {
				v.Tenants[0].Needs.Memory = fleet.GiB / 4
				v.Tenants[1].Needs.Memory = 4 * fleet.GiB
				v.Tenants[1].Hold = time.Minute
				v.Tenants[2].Needs.Memory = 2 * fleet.GiB
			},
			want: "c>n2",
		},
		{
			name: "none is enough alone",
			view: three(living("n1", "a", "b", "c", "d", "e", "f", "g", "h")), change: func(v *View) { v.Tenants[6].Needs.Memory = fleet.GiB / 2 },
			want: "a>n2 b>n3",
		},
		{
			name: "a full pool", view: three(living("n1", "a", "b")),
			change: func(v *View) { v.Members[0].PoolUsed, v.Tenants[1].Bytes = 85*fleet.GiB, 6*fleet.GiB }, want: "b>n2",
		},
		{
			name: "memory in use", view: three(living("n1", "a", "b")),
			change: func(v *View) { v.Members[0].MemoryUsed, v.Tenants[1].Memory = 7*fleet.GiB, 2*fleet.GiB }, want: "b>n2",
		},
		{
			name: "who just came stays, and who is pinned", view: three(living("n1", "a", "b", "c", "d", "e", "f", "g")),
			change: func(v *View) { v.Tenants[0].Stay, v.Tenants[1].Wishes.Pinned = "was moved 5 minutes ago", true }, want: "c>n2",
		},
		{
			name: "nowhere to go", over: 3,
			view: three(living("n1", "a", "b", "c", "d", "e", "f", "g"), living("n2", "h", "i", "j", "k", "l", "m", "n"), living("n3", "o", "p", "q", "r", "s", "t", "u")),
		},
		{
			name: "nobody known to use what is too full", view: three(living("n1", "a")), over: 1,
			change: func(v *View) { v.Members[0].MemoryUsed = 7 * fleet.GiB },
		},
		{
			name: "a wish that is not met", view: three(living("n1", "a", "b"), living("n2", "c")),
			change: func(v *View) { v.Tenants[1].Wishes.Apart = []string{"a"} }, want: "a>n3",
		},
		{
			name: "a wish that cannot be met", view: three(living("n1", "a")),
			change: func(v *View) { v.Tenants[0].Wishes.Require = []string{"disk=nvme"} }, want: "a!",
		},
		{
			name: "whom another wishes to be with stays", view: three(living("n1", "a", "b", "c", "d", "e", "f", "g")),
			change: func(v *View) { v.Tenants[3].Wishes.Together = []string{"a"} }, want: "b>n2",
		},
		{
			name: "the member is offline", view: three(living("n1", "a", "b", "c", "d", "e", "f", "g", "h")),
			change: func(v *View) { v.Members[0].Online = false },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(&tt.view)
			}
			plan := Rebalance(tt.view, Targets{Promised: 80, Used: 80})
			if told(plan) != tt.want || len(plan.Over) != tt.over {
				t.Fatalf("%q and %+v; want %q and %d\n%+v", told(plan), plan.Over, tt.want, tt.over, plan)
			}
			for _, m := range plan.Moves {
				if m.Why == "" || m.Hold == 0 || m.Bytes == 0 {
					t.Errorf("something is empty in %+v", m)
				}
			}
		})
	}
}

func TestRebalanceTellsTheGain(t *testing.T) {
	plan := Rebalance(three(living("n1", "a", "b", "c", "d", "e", "f", "g", "h")), Targets{Promised: 80})
	if len(plan.Moves) != 2 || plan.Moves[0].Gain != 12.5 || plan.Moves[1].Gain != 7.5 {
		t.Errorf("%+v", plan.Moves)
	}
	if plan.Bytes() != 2*fleet.GiB || plan.Hold() != 3*time.Second {
		t.Errorf("%s, %s", plan.Bytes(), plan.Hold())
	}
	if c := plan.Members[0]; c.Member != "n1" || c.Before.Memory != 100 || c.After.Memory != 75 || c.After.Tenants != 6 {
		t.Errorf("%+v", c)
	}
}

func TestConsolidate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		view    View
		change  func(v *View)
		want    string
		emptied []string
	}{
		{name: "nothing to win", view: three(living("n1", "a"))},
		{
			name: "two go to the fullest", view: three(living("n1", "a", "b"), living("n2", "c"), living("n3", "d", "e", "f")),
			want: "a>n3 c>n3 b>n3", emptied: []string{"n1", "n2"},
		},
		{
			name: "nobody moves twice", view: three(living("n1", "a"), living("n2", "b", "c"), living("n3", "d", "e", "f", "g")),
			change: func(v *View) {
				for i := range v.Tenants {
					v.Tenants[i].Needs.Memory = fleet.GiB / 4
				}
				v.Tenants[1].Needs.Memory = 4 * fleet.GiB // n2 is the fullest, and emptied after n1
			},
			want: "a>n3 b>n3 c>n3", emptied: []string{"n1", "n2"},
		},
		{
			name: "not above the targets", view: three(living("n1", "a", "b", "c", "d", "q"), living("n2", "e", "f", "g", "h", "r"), living("n3", "i", "j", "k", "l", "s")),
		},
		{
			name: "whole or not at all", view: three(living("n1", "a", "b", "c", "d"), living("n2", "e", "f", "g", "h", "i", "j"), living("n3", "k", "l", "m", "n", "o", "p")),
		},
		{
			name: "not where one is pinned", view: three(living("n1", "a"), living("n2", "b", "c")),
			change: func(v *View) { v.Tenants[0].Wishes.Pinned = true }, want: "b>n1 c>n1", emptied: []string{"n2"},
		},
		{
			name: "room for a member that fails stays", view: three(living("n1", "a", "b"), living("n2", "c", "d"), living("n3", "e", "f")),
			change: func(v *View) { v.Rules.SpareMembers = 1 }, want: "a>n2 b>n2", emptied: []string{"n1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(&tt.view)
			}
			plan := Consolidate(tt.view, Targets{Promised: 80, Used: 80})
			if told(plan) != tt.want || !slices.Equal(plan.Emptied, tt.emptied) {
				t.Fatalf("%q, emptied %v; want %q, %v", told(plan), plan.Emptied, tt.want, tt.emptied)
			}
		})
	}
}

func TestNeedsOf(t *testing.T) {
	for limit, want := range map[string]int64{"": 0, "2": 2000, "0-3": 4000, "0,2,4-5": 4000, "x": 0, "3-1": 0, "-1": 0} {
		if got := NeedsOf(fleet.ProfileSpec{Config: map[string]string{"limits.cpu": limit}}).CPU; got != want {
			t.Errorf("limits.cpu %q is %d, want %d", limit, got, want)
		}
	}
	plan := fleet.ProfileSpec{
		Config:  map[string]string{"limits.cpu": "1", "limits.memory": "1GiB"},
		Devices: map[string]map[string]string{"root": {"type": "disk", "path": "/", "size": "10GiB"}, "eth0": {"type": "nic"}},
	}
	if got := NeedsOf(plan); got != small {
		t.Errorf("%+v", got)
	}
	plan.Config["limits.memory"] = "50%"
	if got := NeedsOf(plan).Memory; got != 0 {
		t.Errorf("a share of the member's memory promises %s", got)
	}
}

// simulated is a fleet of members of three sizes with tenants of three plans on them, spread
// unevenly; some have wishes.
func simulated(members, tenants int) View {
	view := View{Rules: DefaultRules()}
	view.Rules.SpareMembers = 1
	for i := range members {
		scale := fleet.Size(1 + i%3)
		view.Members = append(view.Members, Member{
			Member: fleet.Member{
				Name: fmt.Sprintf("n%04d", i), Online: i%97 != 5, Status: fleet.MemberOnline, CPUs: 32 * int(scale),
				MemoryTotal: 128 * scale * fleet.GiB, MemoryUsed: 40 * scale * fleet.GiB,
				PoolTotal: 4 * scale * fleet.TiB, PoolUsed: scale * fleet.TiB, FailureDomain: fmt.Sprintf("rack%d", i%8),
			},
			Cordoned: i%89 == 7, Labels: map[string]string{"disk": []string{"nvme", "ssd"}[i%2]},
		})
	}
	plans := []Needs{small, {CPU: 2000, Memory: 2 * fleet.GiB, Disk: 25 * fleet.GiB}, {CPU: 4000, Memory: 4 * fleet.GiB, Disk: 50 * fleet.GiB}}
	for i := range tenants {
		on := (i * i / 7) % members
		if i%4 == 0 {
			on = i % max(1, members/10) // a tenth of the members has much more
		}
		t := Tenant{
			Name: fmt.Sprintf("t%06d", i), Member: view.Members[on].Name, Needs: plans[i%7%3],
			Labels: map[string]string{"client": fmt.Sprint(i / 3), "tier": []string{"gold", "silver"}[i%2]},
			Bytes:  fleet.Size(1+i%5) * fleet.GiB, Memory: fleet.Size(100+i%300) * fleet.MiB, Hold: 3*time.Second + time.Duration(i%5)*100*time.Millisecond,
		}
		switch i % 20 {
		case 3:
			t.Wishes.Apart = []string{"client=" + t.Labels["client"]}
		case 7:
			t.Wishes.Prefer = []string{"disk=nvme"}
		case 11:
			t.Wishes.Require = []string{view.Members[on].FailureDomain}
			t.Wishes.Require[0] = "failure-domain=" + t.Wishes.Require[0]
		}
		view.Tenants = append(view.Tenants, t)
	}
	return view
}

// crowdedView has every tenant on one member, the others empty.
func crowdedView(members, tenants int) View {
	view := simulated(members, tenants)
	for i := range view.Tenants {
		view.Tenants[i].Member = view.Members[0].Name
	}
	return view
}
