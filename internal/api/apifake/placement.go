package apifake

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Members lists n1, which is well, and n2, which is offline and cordoned.
func (f *Fleet) Members(context.Context) ([]tenants.MemberView, error) {
	load := 1.25
	return []tenants.MemberView{
		{
			Member: fleet.Member{
				Name: "n1", Online: true, Status: fleet.MemberOnline, Message: "Fully operational", Address: "https://10.0.0.1:8443",
				PoolTotal: 100 * fleet.GiB, PoolUsed: 25 * fleet.GiB, MemoryTotal: 16 * fleet.GiB, MemoryUsed: 4 * fleet.GiB, CPUs: 8,
				Load: &load, Groups: []string{"default"}, FailureDomain: "rack1", Roles: []string{"database"},
			},
			Record:  fleet.MemberRecord{Name: "n1", Labels: map[string]string{"disk": "nvme", "rack": "a"}},
			Tenants: 2, Reserved: placement.Needs{CPU: 2000, Memory: 2 * fleet.GiB, Disk: 20 * fleet.GiB},
			Level: placement.Level{Tenants: 2, Memory: 3.125, Pool: 25, MemoryUsed: 25},
		},
		{
			Member: fleet.Member{Name: "n2", Status: fleet.MemberOffline, Message: "No heartbeat for 40s"},
			Record: fleet.MemberRecord{Name: "n2", Cordoned: true, Reason: "new disk"},
		},
	}, f.called("Members")
}

// Member gives one of Members.
func (f *Fleet) Member(ctx context.Context, name string) (tenants.MemberView, error) {
	if err := f.called("Member", name); err != nil {
		return tenants.MemberView{}, err
	}
	all, err := f.Members(ctx)
	if err != nil {
		return tenants.MemberView{}, err
	}
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
	}
	return tenants.MemberView{}, fleet.Errorf(fleet.NotFound, "there is no member %q", name).WithField("member").WithHint("members: n1, n2")
}

// EditMember changes nothing, and shows the member as it would be.
func (f *Fleet) EditMember(ctx context.Context, name string, edit tenants.MemberEdit) (tenants.MemberView, error) {
	text := []any{name}
	if edit.Cordoned != nil {
		text = append(text, *edit.Cordoned)
	}
	if edit.Reason != nil {
		text = append(text, *edit.Reason)
	}
	if len(edit.Labels) > 0 {
		text = append(text, edit.Labels)
	}
	if err := f.called("EditMember", text...); err != nil {
		return tenants.MemberView{}, err
	}
	m, err := f.Member(ctx, name)
	if edit.Cordoned != nil {
		m.Record.Cordoned = *edit.Cordoned
	}
	return m, err
}

// Explain chooses n1, but for a tenant that requires a label.
func (f *Fleet) Explain(_ context.Context, req tenants.ExplainRequest) (tenants.Explanation, error) {
	x := tenants.Explanation{
		Member: "n1", Strategy: placement.Spread, Verdicts: []placement.Verdict{
			{Member: "n1", Score: 74.5, Parts: []placement.Part{{Name: "room", Points: 58}, {Name: "use", Points: 7.5}, {Name: "load", Points: 4}, {Name: "image", Points: 5}}},
			{Member: "n2", Filter: "online", Reason: "is offline: No heartbeat for 40s"},
		},
	}
	if req.Tenant != "" {
		x.Location = "n1"
	}
	if len(req.Wishes.Require) > 0 {
		x.Member = ""
		x.Verdicts[0] = placement.Verdict{Member: "n1", Filter: "labels", Reason: "has not the label " + req.Wishes.Require[0]}
		x.Refusal = fleet.Errorf(fleet.Exhausted, "no member can take the tenant: n1 %s; n2 %s", x.Verdicts[0].Reason, x.Verdicts[1].Reason).
			WithHint("change the tenant's wishes, or label a member: lxdfleet member label")
	}
	return x, f.called("Explain", req)
}

// DrainPlan moves one tenant and leaves one.
func (f *Fleet) DrainPlan(_ context.Context, member string) (placement.Plan, error) {
	plan := somePlan()
	plan.Over, plan.Emptied = nil, nil
	return plan, f.called("DrainPlan", member)
}

// RebalancePlan moves one tenant; to consolidate, it empties n1 with that.
func (f *Fleet) RebalancePlan(_ context.Context, consolidate bool) (placement.Plan, error) {
	plan := somePlan()
	if consolidate {
		plan.Over, plan.Left = nil, nil
		plan.Moves[0].Why, plan.Moves[0].Gain = "is on n1, which can be emptied", 1
	} else {
		plan.Emptied = nil
	}
	return plan, f.called("RebalancePlan", consolidate)
}

func somePlan() placement.Plan {
	return placement.Plan{
		Moves: []placement.Move{{
			Tenant: "acme", From: "n1", To: "n3", Bytes: 3 * fleet.GiB, Hold: 3800 * time.Millisecond, Gain: 7.5,
			Why: "is on n1, which has pool used 88 % (target 80 %)",
		}},
		Left:    []placement.Left{{Tenant: "globex", Member: "n1", Why: "is pinned to n1"}},
		Over:    []placement.Over{{Member: "n2", Why: "memory promised 95 % (target 90 %)"}},
		Emptied: []string{"n1"},
		Members: []placement.Change{
			{Member: "n1", Before: placement.Level{Tenants: 2, Memory: 40, Pool: 88}, After: placement.Level{Tenants: 1, Memory: 20, Pool: 80}},
			{Member: "n3", Before: placement.Level{Memory: 10, Pool: 12}, After: placement.Level{Tenants: 1, Memory: 30, Pool: 20}},
		},
	}
}
