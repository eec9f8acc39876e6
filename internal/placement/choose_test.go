package placement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

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
func unreadableNow(m *Member) { m.PoolTotal, m.PoolUsed, m.MemoryTotal, m.MemoryUsed = 0, 0, 0, 0 }

func labelled(labels ...string) func(*Member) {
	return func(m *Member) {
		m.Labels = map[string]string{}
		for _, l := range labels {
			t := termOf(l)
			m.Labels[t.key] = t.value
		}
	}
}

// crowd is n tenants on a member.
func crowd(member string, n int) []Tenant {
	list := make([]Tenant, n)
	for i := range list {
		list[i] = Tenant{Name: fmt.Sprintf("%s-%d", member, i), Member: member}
	}
	return list
}

// small is what the plan small promises.
var small = Needs{CPU: 1000, Memory: fleet.GiB, Disk: 10 * fleet.GiB}

func TestChoose(t *testing.T) {
	acme := Tenant{Name: "acme", Member: "n1", Labels: map[string]string{"client": "x"}}
	load := 12.0
	tests := []struct {
		name    string
		members []Member
		tenants []Tenant
		rules   func(*Rules)
		wish    Wish
		want    string
		code    fleet.Code
		says    []string // parts of the error
	}{
		{name: "one roomy member", members: []Member{roomy("n1", nil)}, want: "n1"},
		{name: "equals go by name", members: []Member{roomy("n2", nil), roomy("n1", nil)}, want: "n1"},
		{name: "fewest tenants first", members: []Member{roomy("n1", nil), roomy("n2", nil)}, tenants: crowd("n1", 10), want: "n2"},
		{
			name: "tenants weigh by the size of the member",
			members: []Member{
				roomy("big", func(m *Member) { m.MemoryTotal = 64 * fleet.GiB }),
				roomy("small", nil),
			},
			tenants: append(crowd("big", 9), crowd("small", 5)...),
			want:    "big",
		},
		{
			name:    "more free pool tells equals apart",
			members: []Member{roomy("n1", func(m *Member) { m.PoolUsed = 50 * fleet.GiB }), roomy("n2", nil)},
			want:    "n2",
		},
		{name: "pinned", members: []Member{roomy("n1", nil), roomy("n2", nil)}, tenants: crowd("n2", 10), wish: Wish{Member: "n2"}, want: "n2"},
		{name: "skips the offline", members: []Member{roomy("n1", offlineNow), roomy("n2", nil)}, tenants: crowd("n2", 10), want: "n2"},
		{name: "skips the cordoned", members: []Member{roomy("n1", cordonedNow), roomy("n2", nil)}, tenants: crowd("n2", 10), want: "n2"},
		{name: "skips the full", members: []Member{roomy("n1", fullNow), roomy("n2", nil)}, tenants: crowd("n2", 10), want: "n2"},
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
			code: fleet.Exhausted, says: []string{"n1 has a full pool", "86.0 GiB needed"},
		},
		{
			name: "evacuated", code: fleet.Unavailable, says: []string{"n1 is evacuated: Unavailable due to maintenance"},
			members: []Member{roomy("n1", func(m *Member) {
				m.Online, m.Status, m.Message = false, fleet.MemberEvacuated, "Unavailable due to maintenance"
			})},
		},
		{
			name: "cordoned for a reason", members: []Member{roomy("n1", func(m *Member) { m.Cordoned, m.Reason = true, "new disk" })},
			code: fleet.Exhausted, says: []string{"n1 is cordoned: new disk"},
		},
		{
			name:    "labels required",
			members: []Member{roomy("n1", labelled("disk=hdd")), roomy("n2", labelled("disk=nvme"))},
			wish:    Wish{Wishes: fleet.Wishes{Require: []string{"disk=nvme"}}}, want: "n2",
		},
		{
			name:    "labels nobody has",
			members: []Member{roomy("n1", labelled("disk=hdd")), roomy("n2", nil)},
			wish:    Wish{Wishes: fleet.Wishes{Require: []string{"disk=nvme"}}},
			code:    fleet.Exhausted, says: []string{"n1 has not the label disk=nvme", "change the tenant's wishes"},
		},
		{
			name: "LXD's words are labels",
			members: []Member{roomy("n1", nil), roomy("n2", func(m *Member) {
				m.Groups, m.FailureDomain, m.Roles = []string{"default", "fast"}, "rack2", []string{"database"}
			})},
			wish: Wish{Wishes: fleet.Wishes{Require: []string{"group=fast", "failure-domain=rack2", "role=database", "name=n2"}}}, want: "n2",
		},
		{
			name:    "labels preferred",
			members: []Member{roomy("n1", nil), roomy("n2", labelled("disk=nvme"))}, tenants: crowd("n2", 2),
			wish: Wish{Wishes: fleet.Wishes{Prefer: []string{"disk=nvme"}}}, want: "n2",
		},
		{
			name:    "labels preferred that nobody has",
			members: []Member{roomy("n1", nil), roomy("n2", nil)}, wish: Wish{Wishes: fleet.Wishes{Prefer: []string{"disk=nvme"}}}, want: "n1",
		},
		{
			name: "apart from a tenant", members: []Member{roomy("n1", nil), roomy("n2", nil)},
			tenants: append(crowd("n2", 5), acme), wish: Wish{Wishes: fleet.Wishes{Apart: []string{"acme"}}}, want: "n2",
		},
		{
			name: "apart from those with a label", members: []Member{roomy("n1", nil), roomy("n2", nil)},
			tenants: append(crowd("n2", 5), acme), wish: Wish{Wishes: fleet.Wishes{Apart: []string{"client=x"}}}, want: "n2",
		},
		{
			name: "apart from one that wishes so", members: []Member{roomy("n1", nil), roomy("n2", nil)},
			tenants: append(crowd("n2", 5), Tenant{Name: "shy", Member: "n1", Wishes: fleet.Wishes{Apart: []string{"client=y"}}}),
			wish:    Wish{Tenant: "new", Labels: map[string]string{"client": "y"}}, want: "n2",
		},
		{
			name: "apart with no member left", members: []Member{roomy("n1", nil)}, tenants: []Tenant{acme},
			wish: Wish{Wishes: fleet.Wishes{Apart: []string{"acme"}}}, code: fleet.Exhausted, says: []string{"n1 has the tenant acme"},
		},
		{
			name: "together with a tenant", members: []Member{roomy("n1", nil), roomy("n2", nil)},
			tenants: append(crowd("n1", 5), acme), wish: Wish{Wishes: fleet.Wishes{Together: []string{"client=x"}}}, want: "n1",
		},
		{
			name: "together with nobody yet", members: []Member{roomy("n1", nil), roomy("n2", nil)},
			wish: Wish{Wishes: fleet.Wishes{Together: []string{"client=x"}}}, want: "n1",
		},
		{
			name: "together with one on a full member", members: []Member{roomy("n1", fullNow), roomy("n2", nil)}, tenants: []Tenant{acme},
			wish: Wish{Wishes: fleet.Wishes{Together: []string{"acme"}}},
			code: fleet.Exhausted, says: []string{"n1 has a full pool", "n2 has not the tenant acme"},
		},
		{
			name: "it is not in its own way", members: []Member{roomy("n1", nil)}, tenants: []Tenant{acme},
			wish: Wish{Tenant: "acme", Labels: acme.Labels, Wishes: fleet.Wishes{Apart: []string{"client=x"}}}, want: "n1",
		},
		{
			name: "promised memory", members: []Member{roomy("n1", nil), roomy("n2", nil)}, rules: func(r *Rules) { r.Overcommit.Memory = 0.5 },
			tenants: []Tenant{{Name: "a", Member: "n1", Needs: Needs{Memory: 3 * fleet.GiB}}, {Name: "b", Member: "n2", Needs: Needs{Memory: 4 * fleet.GiB}}},
			wish:    Wish{Needs: Needs{Memory: fleet.GiB}}, want: "n1",
		},
		{
			name: "promised processors", members: []Member{roomy("n1", nil)}, rules: func(r *Rules) { r.Overcommit.CPU = 1.5 },
			tenants: []Tenant{{Name: "a", Member: "n1", Needs: Needs{CPU: 5500}}}, wish: Wish{Needs: small},
			code: fleet.Exhausted, says: []string{"n1 has promised its CPU: 5.5 of 6, 1 more is asked for"},
		},
		{
			name: "promised disk", members: []Member{roomy("n1", nil)}, rules: func(r *Rules) { r.Overcommit.Disk = 1 },
			tenants: []Tenant{{Name: "a", Member: "n1", Needs: Needs{Disk: 95 * fleet.GiB}}}, wish: Wish{Needs: small},
			code: fleet.Exhausted, says: []string{"n1 has promised its disk: 95.0 GiB of 100.0 GiB, 10.0 GiB more is asked for"},
		},
		{
			name: "nothing asked for of what is promised too often", members: []Member{roomy("n1", nil)},
			tenants: []Tenant{{Name: "a", Member: "n1", Needs: Needs{Memory: fleet.TiB}}}, want: "n1",
		},
		{
			name: "room for a member that fails", members: []Member{roomy("n1", nil), roomy("n2", nil)},
			rules:   func(r *Rules) { r.Overcommit.Memory, r.SpareMembers = 1, 1 },
			tenants: []Tenant{{Name: "a", Member: "n1", Needs: Needs{Memory: 4 * fleet.GiB}}, {Name: "b", Member: "n2", Needs: Needs{Memory: 3 * fleet.GiB}}},
			wish:    Wish{Needs: small}, want: "n2",
		},
		{
			name: "no room for a member that fails", members: []Member{roomy("n1", nil), roomy("n2", nil)},
			rules:   func(r *Rules) { r.Overcommit.Memory, r.SpareMembers = 1, 1 },
			tenants: []Tenant{{Name: "a", Member: "n1", Needs: Needs{Memory: 4 * fleet.GiB}}, {Name: "b", Member: "n2", Needs: Needs{Memory: 4 * fleet.GiB}}},
			wish:    Wish{Needs: small}, code: fleet.Exhausted, says: []string{"n1 would leave too little memory for when a member fails: 1.0 GiB short"},
		},
		{
			name: "room for one that has failed", members: []Member{roomy("n1", nil), roomy("n2", offlineNow)},
			rules:   func(r *Rules) { r.Overcommit.Memory, r.SpareMembers = 1, 1 },
			tenants: []Tenant{{Name: "a", Member: "n2", Needs: Needs{Memory: 7 * fleet.GiB}}}, wish: Wish{Needs: small}, want: "n1",
		},
		{
			name: "to another member", members: []Member{roomy("n1", nil), roomy("n2", nil)}, tenants: append(crowd("n2", 5), acme),
			wish: Wish{Tenant: "acme", Leave: "n1"}, want: "n2",
		},
		{
			name: "to another member, and there is none", members: []Member{roomy("n1", nil), roomy("n2", offlineNow)}, tenants: []Tenant{acme},
			wish: Wish{Tenant: "acme", Leave: "n1"}, code: fleet.Exhausted, says: []string{"n1 is where it is"},
		},
		{
			name: "pack", members: []Member{roomy("n1", nil), roomy("n2", nil)}, rules: func(r *Rules) { r.Strategy = Pack },
			tenants: crowd("n2", 3), wish: Wish{Needs: small}, want: "n2",
		},
		{
			name:    "less load",
			members: []Member{roomy("n1", func(m *Member) { m.Load = &load }), roomy("n2", nil)}, want: "n2",
		},
		{
			name:    "an image that is unpacked",
			members: []Member{roomy("n1", nil), roomy("n2", func(m *Member) { m.Unpacked = map[string]bool{"f00": true} })},
			wish:    Wish{Image: "f00"}, want: "n2",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			view := View{Members: tt.members, Tenants: tt.tenants, Rules: DefaultRules()}
			if tt.rules != nil {
				tt.rules(&view.Rules)
			}
			choice, err := Choose(view, tt.wish)
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

func TestScoresAreShown(t *testing.T) {
	view := View{Members: []Member{roomy("n1", labelled("disk=nvme")), roomy("n2", offlineNow)}, Rules: DefaultRules()}
	choice, err := Choose(view, Wish{Needs: small, Image: "f00", Wishes: fleet.Wishes{Prefer: []string{"disk=nvme", "zone=a"}}})
	if err != nil {
		t.Fatal(err)
	}
	v, total := choice.Verdicts[0], 0.0
	var names []string
	for _, p := range v.Parts {
		total += p.Points
		names = append(names, p.Name)
	}
	if v.Score != total || v.Score <= 0 || v.Score > 100 || !slices.Equal(names, []string{"room", "labels", "use", "load", "image"}) {
		t.Errorf("%+v", v)
	}
	if v.Parts[1].Points != pointsLabels/2 {
		t.Errorf("half of what is preferred gives %v points", v.Parts[1].Points)
	}
	if rejected := choice.Verdicts[1]; rejected.Filter != "online" || rejected.Score != 0 || rejected.Parts != nil {
		t.Errorf("%+v", rejected)
	}
}

func TestStandings(t *testing.T) {
	view := three(living("n1", "a", "b"), living("n3", "c"), []Tenant{{Name: "lost", Member: "n9"}})
	var got []string
	for _, s := range Standings(view) {
		got = append(got, fmt.Sprintf("%s %d %s %.1f", s.Member.Name, s.Tenants, s.Reserved.Memory, s.Level.Memory))
	}
	if want := []string{"n1 2 2GiB 25.0", "n2 0 0B 0.0", "n3 1 1GiB 12.5"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestIdenticalWishesSpread(t *testing.T) {
	view := View{Members: []Member{roomy("n1", nil), roomy("n2", nil), roomy("n3", nil)}, Rules: DefaultRules()}
	on := map[string]int{}
	for i := range 12 {
		choice, err := Choose(view, Wish{Needs: small})
		if err != nil {
			t.Fatal(err)
		}
		on[choice.Member]++
		view.Tenants = append(view.Tenants, Tenant{Name: strconv.Itoa(i), Member: choice.Member, Needs: small})
	}
	for name, n := range on {
		if n != 4 {
			t.Errorf("%s has %d of 12 tenants, want 4", name, n)
		}
	}
}
