package placement

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

var (
	memberNames = []string{"n1", "n2", "n3", "n4", "n5", "n6"}
	tenantNames = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}
)

// fleets draws a fleet of up to six members in any state and up to twelve tenants.
func fleets(t *rapid.T) View {
	view := View{Rules: rules(t)}
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(memberNames), 0, 6, rapid.ID[string]).Draw(t, "members")
	for _, n := range names {
		view.Members = append(view.Members, anyMember(t, n))
	}
	for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom(tenantNames), 0, 12, rapid.ID[string]).Draw(t, "tenants") {
		view.Tenants = append(view.Tenants, Tenant{
			Name: n, Member: rapid.SampledFrom(memberNames).Draw(t, "on"), Needs: needs(t), Labels: labels(t), Wishes: wishes(t),
			Bytes: size(t, "bytes", 20*fleet.GiB), Memory: size(t, "memory", fleet.GiB),
			Hold: time.Duration(rapid.IntRange(0, 9).Draw(t, "hold")) * time.Second,
			Stay: rapid.SampledFrom([]string{"", "", "", "is busy"}).Draw(t, "stay"),
		})
	}
	return view
}

func rules(t *rapid.T) Rules {
	ratio := rapid.SampledFrom([]float64{0, 0.5, 1, 4})
	return Rules{
		Strategy: rapid.SampledFrom([]Strategy{Spread, Pack}).Draw(t, "strategy"), PoolHeadRoom: DefaultHeadRoom(),
		MemoryHeadRoom: size(t, "memory head-room", fleet.GiB),
		Overcommit:     Overcommit{CPU: ratio.Draw(t, "cpu"), Memory: ratio.Draw(t, "memory"), Disk: ratio.Draw(t, "disk")},
		SpareMembers:   rapid.IntRange(0, 2).Draw(t, "spare"),
	}
}

func anyMember(t *rapid.T, name string) Member {
	return roomy(name, func(m *Member) {
		m.Online = rapid.IntRange(0, 4).Draw(t, "offline") > 0
		m.Cordoned = rapid.IntRange(0, 4).Draw(t, "cordoned") == 0
		m.Labels = labels(t)
		if rapid.Bool().Draw(t, "odd") {
			m.PoolTotal, m.PoolUsed = size(t, "total", 4*fleet.TiB), size(t, "used", 4*fleet.TiB)
			m.MemoryTotal, m.MemoryUsed = size(t, "memory", 4*fleet.TiB), size(t, "memory used", 4*fleet.TiB)
		}
	})
}

func size(t *rapid.T, label string, most fleet.Size) fleet.Size {
	return fleet.Size(rapid.Int64Range(0, int64(most)).Draw(t, label))
}

func needs(t *rapid.T) Needs {
	return Needs{CPU: 500 * int64(rapid.IntRange(0, 8).Draw(t, "cpu")), Memory: size(t, "memory", 4*fleet.GiB), Disk: size(t, "disk", 50*fleet.GiB)}
}

func labels(t *rapid.T) map[string]string {
	return rapid.MapOfN(rapid.SampledFrom([]string{"k", "l"}), rapid.SampledFrom([]string{"x", "y"}), 0, 2).Draw(t, "labels")
}

func wishes(t *rapid.T) fleet.Wishes {
	if rapid.Bool().Draw(t, "no wishes") {
		return fleet.Wishes{}
	}
	some := func(label string, more ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(append(more, "k=x", "k=y", "l=x")), 0, 2, rapid.ID[string]).Draw(t, label)
	}
	return fleet.Wishes{
		Require: some("require"), Prefer: some("prefer"), Apart: some("apart", "a", "b"), Together: some("together", "c", "d"),
		Pinned: rapid.IntRange(0, 9).Draw(t, "pinned") == 0,
	}
}

func wish(t *rapid.T) Wish {
	return Wish{
		Member: rapid.SampledFrom([]string{"", "", "", "n1", "n2", "n7"}).Draw(t, "pin"), Tenant: "new",
		Pool: size(t, "need", fleet.TiB/8), Memory: size(t, "memory", fleet.GiB), Needs: needs(t), Labels: labels(t), Wishes: wishes(t),
	}
}

// unfit says, counted anew and plainly, which rule the member would break with the tenant on it.
func unfit(view View, name string, w Wish) string {
	i := slices.IndexFunc(view.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return "does not exist"
	}
	m := view.Members[i]
	have := w.Needs
	for _, t := range view.Tenants {
		if t.Member == name && t.Name != w.Tenant {
			have = have.plus(t.Needs)
			for _, s := range t.Wishes.Apart {
				if termOf(s).means(w.Tenant, w.Labels) {
					return t.Name + " wishes to be apart"
				}
			}
			for _, s := range w.Wishes.Apart {
				if termOf(s).means(t.Name, t.Labels) {
					return "is not apart from " + t.Name
				}
			}
		}
	}
	over := view.Rules.Overcommit
	switch {
	case !m.Online || m.Cordoned:
		return "takes none"
	case w.Member != "" && w.Member != name:
		return "is not the one"
	case m.PoolTotal > 0 && m.PoolTotal-m.PoolUsed-w.Pool < view.Rules.PoolHeadRoom.Of(m.PoolTotal):
		return "has a full pool"
	case m.MemoryTotal > 0 && m.MemoryTotal-m.MemoryUsed-w.Memory < view.Rules.MemoryHeadRoom:
		return "has no memory"
	case over.Memory > 0 && m.MemoryTotal > 0 && w.Needs.Memory > 0 && float64(have.Memory) > over.Memory*float64(m.MemoryTotal):
		return "promises too much memory"
	case over.CPU > 0 && w.Needs.CPU > 0 && float64(have.CPU) > over.CPU*float64(1000*m.CPUs):
		return "promises too many CPUs"
	case over.Disk > 0 && m.PoolTotal > 0 && w.Needs.Disk > 0 && float64(have.Disk) > over.Disk*float64(m.PoolTotal):
		return "promises too much disk"
	}
	for _, s := range w.Wishes.Require {
		if term := termOf(s); m.Labels[term.key] != term.value {
			return "has not " + s
		}
	}
	return ""
}

func TestChosenMemberIsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view, w := fleets(t), wish(t)
		choice, err := Choose(view, w)
		if err != nil {
			e, ok := errors.AsType[*fleet.Error](err)
			if !ok || e.Hint == "" || choice.Member != "" {
				t.Fatalf("refused with %v and member %q", err, choice.Member)
			}
			return
		}
		if why := unfit(view, choice.Member, w); why != "" {
			t.Fatalf("chose %s, which %s", choice.Member, why)
		}
	})
}

func TestChoiceFollowsFromTheViewAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view, w := fleets(t), wish(t)
		shuffled := view
		shuffled.Members = rapid.Permutation(view.Members).Draw(t, "members")
		shuffled.Tenants = rapid.Permutation(view.Tenants).Draw(t, "tenants")
		a, errA := Choose(view, w)
		b, errB := Choose(shuffled, w)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("the order matters:\n%s", diff)
		}
		if (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error() {
			t.Fatalf("%v and %v", errA, errB)
		}
		for name, plan := range plans(view) {
			if diff := cmp.Diff(plan, plans(shuffled)[name]); diff != "" {
				t.Fatalf("%s: the order matters:\n%s", name, diff)
			}
		}
	})
}

func TestAnotherMemberNeverHurts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view, w := fleets(t), wish(t)
		more := view
		more.Members = slices.Clone(view.Members)
		for i := range rapid.IntRange(1, 3).Draw(t, "more") {
			more.Members = append(more.Members, anyMember(t, fmt.Sprintf("x%d", i)))
		}
		if _, err := Choose(view, w); err != nil {
			return
		}
		if _, err := Choose(more, w); err != nil {
			t.Fatalf("placeable among %d members but not among %d: %v", len(view.Members), len(more.Members), err)
		}
	})
}

// plans are all kinds of plans for a fleet.
func plans(view View) map[string]Plan {
	targets := Targets{Promised: 70, Used: 60}
	all := map[string]Plan{"rebalance": Rebalance(view, targets), "consolidate": Consolidate(view, targets)}
	if plan, err := Drain(view, "n1"); err == nil {
		all["drain"] = plan
	}
	return all
}

// after gives the view with the moves made, having checked each of them.
func after(t *rapid.T, view View, plan Plan) View {
	now := view
	now.Members, now.Tenants = slices.Clone(view.Members), slices.Clone(view.Tenants)
	moved := map[string]bool{}
	for _, m := range plan.Moves {
		i := slices.IndexFunc(now.Tenants, func(x Tenant) bool { return x.Name == m.Tenant })
		tenant := &now.Tenants[i]
		w := Wish{Tenant: tenant.Name, Labels: tenant.Labels, Needs: tenant.Needs, Wishes: tenant.Wishes, Pool: tenant.Bytes, Memory: tenant.Memory}
		switch why := unfit(now, m.To, w); {
		case why != "":
			t.Fatalf("%+v: %s %s", m, m.To, why)
		case moved[m.Tenant] || m.From != tenant.Member || m.To == m.From:
			t.Fatalf("%+v does not fit %+v", m, tenant)
		case tenant.Wishes.Pinned || tenant.Stay != "":
			t.Fatalf("%s was to stay", m.Tenant)
		}
		moved[m.Tenant] = true
		tenant.Member = m.To
		for j := range now.Members {
			member := &now.Members[j]
			sign := map[string]fleet.Size{m.From: -1, m.To: 1}[member.Name]
			if member.PoolTotal > 0 {
				member.PoolUsed += sign * tenant.Bytes
			}
			if member.MemoryTotal > 0 {
				member.MemoryUsed += sign * tenant.Memory
			}
		}
	}
	return now
}

func on(view View, member string) (tenants []Tenant) {
	for _, t := range view.Tenants {
		if t.Member == member {
			tenants = append(tenants, t)
		}
	}
	return tenants
}

func TestPlansKeepTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := fleets(t)
		for name, plan := range plans(view) {
			now := after(t, view, plan)
			for _, m := range plan.Emptied {
				if len(on(view, m)) == 0 || len(on(now, m)) > 0 {
					t.Fatalf("%s: %s had %d tenants and has %d", name, m, len(on(view, m)), len(on(now, m)))
				}
			}
			l := openAll(now)
			for i, p := range l.places {
				if diff := cmp.Diff(l.level(p), plan.Members[i].After); diff != "" {
					t.Fatalf("%s: %s is not as told:\n%s", name, p.Name, diff)
				}
			}
		}
	})
}

func TestDrainTellsOfEveryTenant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := fleets(t)
		plan, err := Drain(view, "n1")
		if err != nil {
			return
		}
		if told := len(plan.Moves) + len(plan.Left); told != len(on(view, "n1")) {
			t.Fatalf("%d of %d tenants are in the plan", told, len(on(view, "n1")))
		}
		if !slices.IsSortedFunc(plan.Moves, func(a, b Move) int { return int(a.Hold - b.Hold) }) {
			t.Fatalf("the shortest hold is not first: %+v", plan.Moves)
		}
	})
}

func TestRebalanceNeverMakesWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view, targets := fleets(t), Targets{Promised: 70, Used: 60}
		before := openAll(view)
		plan := Rebalance(view, targets)
		now := openAll(after(t, view, plan))
		mending := slices.ContainsFunc(plan.Moves, func(m Move) bool { return m.Gain == 0 })
		for i, p := range now.places {
			was, is := before.excess(before.places[i], targets, nil), now.excess(p, targets, nil)
			if is > was+1e-6 && !mending {
				t.Fatalf("%s was %v above its targets, and is %v", p.Name, was, is)
			}
			listed := slices.ContainsFunc(plan.Over, func(o Over) bool { return o.Member == p.Name })
			if p.Online && listed != (now.exceeded(p, targets) != 0) {
				t.Fatalf("%s is %v above its targets, told: %v", p.Name, is, listed)
			}
		}
	})
}
