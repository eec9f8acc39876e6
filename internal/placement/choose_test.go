package placement

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// roomy is a member every filter passes; change, where given, spoils it.
func roomy(name string, change func(*Member)) Member {
	m := Member{Member: fleet.Member{
		Name: name, Online: true,
		PoolTotal: 100 * fleet.GiB, PoolUsed: 10 * fleet.GiB,
		MemoryTotal: 8 * fleet.GiB, MemoryUsed: 2 * fleet.GiB, CPUs: 4,
	}}
	if change != nil {
		change(&m)
	}
	return m
}

func offlineNow(m *Member)    { m.Online = false; m.Message = "No heartbeat for 21s" }
func cordonedNow(m *Member)   { m.Cordoned = true }
func fullNow(m *Member)       { m.PoolUsed = 96 * fleet.GiB }
func noMemoryNow(m *Member)   { m.MemoryUsed = m.MemoryTotal }
func crowdedNow(m *Member)    { m.Tenants = 10 }
func unreadableNow(m *Member) { m.PoolTotal, m.PoolUsed, m.MemoryTotal, m.MemoryUsed = 0, 0, 0, 0 }

func TestChoose(t *testing.T) {
	tests := []struct {
		name    string
		members []Member
		wish    Wish
		want    string
		code    fleet.Code
		says    []string // parts of the error
	}{
		{name: "one roomy member", members: []Member{roomy("n1", nil)}, want: "n1"},
		{name: "equals go by name", members: []Member{roomy("n2", nil), roomy("n1", nil)}, want: "n1"},
		{name: "fewest tenants first", members: []Member{roomy("n1", crowdedNow), roomy("n2", nil)}, want: "n2"},
		{
			name: "tenants weigh by the size of the member",
			members: []Member{
				roomy("big", func(m *Member) { m.MemoryTotal, m.Tenants = 64*fleet.GiB, 9 }),
				roomy("small", func(m *Member) { m.Tenants = 5 }),
			},
			want: "big",
		},
		{
			name:    "more free pool tells equals apart",
			members: []Member{roomy("n1", func(m *Member) { m.PoolUsed = 50 * fleet.GiB }), roomy("n2", nil)},
			want:    "n2",
		},
		{name: "pinned", members: []Member{roomy("n1", nil), roomy("n2", crowdedNow)}, wish: Wish{Member: "n2"}, want: "n2"},
		{name: "skips the offline", members: []Member{roomy("n1", offlineNow), roomy("n2", crowdedNow)}, want: "n2"},
		{name: "skips the cordoned", members: []Member{roomy("n1", cordonedNow), roomy("n2", crowdedNow)}, want: "n2"},
		{name: "skips the full", members: []Member{roomy("n1", fullNow), roomy("n2", crowdedNow)}, want: "n2"},
		{name: "unreadable resources do not reject", members: []Member{roomy("n1", unreadableNow)}, want: "n1"},
		{name: "no members", code: fleet.Unavailable, says: []string{"no member is known"}},
		{
			name: "pinned to nobody", members: []Member{roomy("n1", nil), roomy("n2", nil)}, wish: Wish{Member: "n9"},
			code: fleet.Invalid, says: []string{`member: there is no member "n9"`, "members: n1, n2"},
		},
		{
			name: "pinned and offline", members: []Member{roomy("n1", offlineNow), roomy("n2", nil)}, wish: Wish{Member: "n1"},
			code: fleet.Unavailable, says: []string{"n1 is offline: No heartbeat for 21s"},
		},
		{
			name: "pinned and cordoned", members: []Member{roomy("n1", cordonedNow), roomy("n2", nil)}, wish: Wish{Member: "n1"},
			code: fleet.Exhausted, says: []string{"n1 is cordoned"},
		},
		{
			name: "all offline", members: []Member{roomy("n1", offlineNow), roomy("n2", offlineNow)},
			code: fleet.Unavailable, says: []string{"n1 is offline", "n2 is offline"},
		},
		{
			name:    "each for its own reason",
			members: []Member{roomy("n1", offlineNow), roomy("n2", fullNow), roomy("n3", cordonedNow), roomy("n4", noMemoryNow)},
			code:    fleet.Exhausted,
			says: []string{
				"n1 is offline: No heartbeat for 21s",
				"n2 has a full pool: 4.0 GiB of 100.0 GiB free, 5.0 GiB kept as head-room",
				"n3 is cordoned", "n4 has no memory left",
			},
		},
		{
			name: "too little beyond the head-room", members: []Member{roomy("n1", nil)}, wish: Wish{Pool: 86 * fleet.GiB},
			code: fleet.Exhausted, says: []string{"n1 has a full pool"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			choice, err := Choose(View{Members: tt.members, Rules: Rules{PoolHeadRoom: DefaultHeadRoom()}}, tt.wish)
			if fleet.CodeOf(err) != tt.code || choice.Member != tt.want {
				t.Fatalf("got %q, %v; want %q, code %q", choice.Member, err, tt.want, tt.code)
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if len(choice.Verdicts) != len(tt.members) {
				t.Errorf("%d verdicts on %d members", len(choice.Verdicts), len(tt.members))
			}
		})
	}
}

func TestHeadRoom(t *testing.T) {
	h := DefaultHeadRoom()
	for total, want := range map[fleet.Size]fleet.Size{
		0: fleet.GiB, 10 * fleet.GiB: fleet.GiB, 100 * fleet.GiB: 5 * fleet.GiB, 1000 * fleet.GiB: 50 * fleet.GiB,
	} {
		if got := h.Of(total); got != want {
			t.Errorf("head-room of %s is %s, want %s", total, got, want)
		}
	}
}

// members draws up to six members in any state.
func members(t *rapid.T) []Member {
	size := rapid.Custom(func(t *rapid.T) fleet.Size {
		return fleet.Size(rapid.Int64Range(0, int64(4*fleet.TiB)).Draw(t, "size"))
	})
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"n1", "n2", "n3", "n4", "n5", "n6"}), 0, 6, rapid.ID[string]).Draw(t, "names")
	var ms []Member
	for _, n := range names {
		m := roomy(n, func(m *Member) {
			m.Online = rapid.Bool().Draw(t, "online")
			m.Cordoned = rapid.Bool().Draw(t, "cordoned")
			m.Tenants = rapid.IntRange(0, 1000).Draw(t, "tenants")
			if rapid.Bool().Draw(t, "odd") {
				m.PoolTotal, m.PoolUsed = size.Draw(t, "total"), size.Draw(t, "used")
				m.MemoryTotal, m.MemoryUsed = size.Draw(t, "memory"), size.Draw(t, "memory used")
			}
		})
		ms = append(ms, m)
	}
	return ms
}

func wish(t *rapid.T) Wish {
	return Wish{
		Member: rapid.SampledFrom([]string{"", "", "", "n1", "n2", "n7"}).Draw(t, "pin"),
		Pool:   fleet.Size(rapid.Int64Range(0, int64(fleet.TiB)).Draw(t, "need")),
	}
}

func TestChosenMemberIsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view, w := View{Members: members(t), Rules: Rules{PoolHeadRoom: DefaultHeadRoom()}}, wish(t)
		choice, err := Choose(view, w)
		if err != nil {
			e, ok := errors.AsType[*fleet.Error](err)
			if !ok || e.Hint == "" || choice.Member != "" {
				t.Fatalf("refused with %v and member %q", err, choice.Member)
			}
			return
		}
		i := slices.IndexFunc(view.Members, func(m Member) bool { return m.Name == choice.Member })
		m := view.Members[i]
		if !m.Online || m.Cordoned || w.Member != "" && w.Member != m.Name {
			t.Fatalf("chose %+v for %+v", m, w)
		}
		if m.PoolTotal > 0 && m.PoolTotal-m.PoolUsed-w.Pool < view.Rules.PoolHeadRoom.Of(m.PoolTotal) {
			t.Fatalf("chose a full pool: %+v", m)
		}
	})
}

func TestChoiceFollowsFromTheViewAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms, w := members(t), wish(t)
		shuffled := rapid.Permutation(ms).Draw(t, "shuffled")
		a, errA := Choose(View{Members: ms}, w)
		b, errB := Choose(View{Members: shuffled}, w)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("the order of members matters:\n%s", diff)
		}
		if (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error() {
			t.Fatalf("%v and %v", errA, errB)
		}
	})
}

func TestAnotherMemberNeverHurts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms, w := members(t), wish(t)
		more := slices.Clone(ms)
		for _, m := range members(t) {
			m.Name = "x" + m.Name
			more = append(more, m)
		}
		rules := Rules{PoolHeadRoom: DefaultHeadRoom()}
		if _, err := Choose(View{Members: ms, Rules: rules}, w); err != nil {
			return
		}
		if _, err := Choose(View{Members: more, Rules: rules}, w); err != nil {
			t.Fatalf("placeable among %d members but not among %d: %v", len(ms), len(more), err)
		}
	})
}

func TestIdenticalWishesSpread(t *testing.T) {
	view := View{Members: []Member{roomy("n1", nil), roomy("n2", nil), roomy("n3", nil)}}
	for range 12 {
		choice, err := Choose(view, Wish{})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(view.Members, func(m Member) bool { return m.Name == choice.Member })
		view.Members[i].Tenants++
	}
	for _, m := range view.Members {
		if m.Tenants != 4 {
			t.Errorf("%s has %d of 12 tenants, want 4", m.Name, m.Tenants)
		}
	}
}

func BenchmarkChoose(b *testing.B) {
	var view View
	for i := range 1000 {
		view.Members = append(view.Members, roomy("n"+strings.Repeat("x", i%7)+string(rune('a'+i%26)), func(m *Member) { m.Tenants = i }))
	}
	for b.Loop() {
		if _, err := Choose(view, Wish{}); err != nil {
			b.Fatal(err)
		}
	}
}
