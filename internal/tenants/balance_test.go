package tenants

import (
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

func TestDrainPlanMeasuresWhatItMoves(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress", Member: "n1"}, Once{}))
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "globex", Image: "wordpress", Member: "n1", Wishes: fleet.Wishes{Pinned: true}}, Once{}))
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "initech", Image: "wordpress", Member: "n2"}, Once{}))
		time.Sleep(time.Second)
		plan, err := w.service.DrainPlan(t.Context(), "n1")
		do(t, err)
		if len(plan.Moves) != 1 || len(plan.Left) != 1 {
			t.Fatalf("%+v", plan)
		}
		if m := plan.Moves[0]; m.Tenant != "acme" || m.To != "n3" || m.Bytes != 64*fleet.MiB || m.Hold < holdFloor || m.Hold > holdFloor+holdPerGiB {
			t.Errorf("%+v", m)
		}
		if l := plan.Left[0]; l.Tenant != "globex" || l.Why != "is pinned to n1" {
			t.Errorf("%+v", l)
		}
		asked := w.lxd.Calls("Use")
		_, err = w.service.DrainPlan(t.Context(), "n1")
		do(t, err)
		if asked != 1 || w.lxd.Calls("Use") != asked {
			t.Errorf("asked %d times, then %d", asked, w.lxd.Calls("Use"))
		}
		_, err = w.service.DrainPlan(t.Context(), "n9")
		wantError(t, err, fleet.NotFound, "member")
	})
}

func TestRebalancePlan(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, name := range []string{"acme", "globex", "initech"} {
			w.done(w.service.Create(t.Context(), CreateRequest{Name: name, Image: "wordpress", Member: "n1"}, Once{}))
		}
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme2", Image: "wordpress", Member: "n2"}, Once{}))
		time.Sleep(time.Second)
		plan, err := w.service.RebalancePlan(t.Context(), false)
		do(t, err)
		if len(plan.Moves)+len(plan.Left)+len(plan.Over) > 0 {
			t.Errorf("all is well, and the plan is %+v", plan)
		}
		_, err = w.service.Edit(t.Context(), "globex", EditRequest{Wishes: WishesEdit{Apart: &[]string{"acme"}}})
		do(t, err)
		plan, err = w.service.RebalancePlan(t.Context(), false)
		do(t, err)
		if len(plan.Moves) != 1 || plan.Moves[0].Tenant != "acme" || !strings.Contains(plan.Moves[0].Why, "apart from acme") {
			t.Errorf("%+v", plan.Moves)
		}

		plan, err = w.service.RebalancePlan(t.Context(), true)
		do(t, err)
		if len(plan.Emptied) != 1 || plan.Emptied[0] != "n2" || len(plan.Moves) != 1 {
			t.Errorf("%+v", plan)
		}
		// Moved by an operator just now, it is left alone for an hour.
		do(t, w.lxd.LxcStop("acme2"))
		do(t, w.lxd.LxcMove("acme2", "n3"))
		do(t, w.lxd.LxcStart("acme2"))
		time.Sleep(time.Minute)
		plan, err = w.service.RebalancePlan(t.Context(), true)
		do(t, err)
		if got := w.get("acme2"); got.Member != "n3" || got.MovedAt.IsZero() || len(plan.Emptied) != 0 {
			t.Errorf("%s, moved at %s; %+v", got.Member, got.MovedAt, plan)
		}
		time.Sleep(time.Hour)
		if plan, err = w.service.RebalancePlan(t.Context(), true); err != nil || len(plan.Emptied) != 1 {
			t.Errorf("%v, %+v", err, plan)
		}
	})
}

func TestDestinationKeepsThePlace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress", Member: "n1"}, Once{}))
		time.Sleep(time.Second)
		acme := w.get("acme").Tenant
		for range 2 {
			choice, err := w.service.Destination(t.Context(), acme, "")
			do(t, err)
			if choice.Member != "n2" {
				t.Errorf("goes to %s", choice.Member)
			}
		}
		tenants := func() (counts [3]int) {
			list, err := w.service.Members(t.Context())
			do(t, err)
			for i, m := range list {
				counts[i] = m.Tenants
			}
			return counts
		}
		if got := tenants(); got != [3]int{1, 1, 0} {
			t.Errorf("while it moves: %v", got)
		}
		_, err := w.service.Destination(t.Context(), acme, "n1")
		wantError(t, err, fleet.Exhausted, "", "n1 is where it is")
		choice, err := w.service.Destination(t.Context(), acme, "n3")
		do(t, err)
		if got := tenants(); got != [3]int{1, 0, 1} || choice.Member != "n3" {
			t.Errorf("to n3: %v, %+v", got, choice)
		}
		w.service.GiveUpPlace("acme")
		if got := tenants(); got != [3]int{1, 0, 0} {
			t.Errorf("given up: %v", got)
		}
		if _, err := w.service.Destination(t.Context(), acme, "n3"); err != nil {
			t.Error(err)
		}
		time.Sleep(promiseFor + time.Second)
		if got := tenants(); got != [3]int{1, 0, 0} {
			t.Errorf("nobody came: %v", got)
		}
	})
}

func TestTrashTakesDiskAlone(t *testing.T) {
	o := &Observer{}
	needs := placement.Needs{CPU: 1000, Memory: fleet.GiB, Disk: fleet.GiB}
	if got := o.lodger(fleet.Tenant{Desired: fleet.DesiredRemoved}, "n1", needs).Needs; got != (placement.Needs{Disk: fleet.GiB}) {
		t.Errorf("%+v", got)
	}
}
