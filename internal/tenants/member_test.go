package tenants

import (
	"maps"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestCordonHoldsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		view, err := w.service.EditMember(t.Context(), "n1", MemberEdit{Cordoned: new(true), Reason: new("new disk")})
		do(t, err)
		if !view.Record.Cordoned || view.Record.Reason != "new disk" || view.Record.Revision != 1 {
			t.Errorf("%+v", view.Record)
		}
		_, err = w.service.EditMember(t.Context(), "n1", MemberEdit{Cordoned: new(true)})
		do(t, err) // again: nothing changes
		_, err = w.service.EditMember(t.Context(), "n2", MemberEdit{Cordoned: new(true)})
		do(t, err)
		if got := w.tenant("acme").Member; got != "n3" {
			t.Errorf("placed on %s", got)
		}
		_, err = w.service.Create(t.Context(), CreateRequest{Name: "globex", Image: "wordpress", Member: "n1"}, Once{})
		wantError(t, err, fleet.Exhausted, "", "n1 is cordoned: new disk")

		list, err := w.service.Members(t.Context())
		do(t, err)
		if len(list) != 3 || !list[0].Record.Cordoned || list[2].Tenants != 1 || list[0].Status != fleet.MemberOnline || list[1].Record.Revision != 1 {
			t.Errorf("%+v", list)
		}
		_, err = w.service.EditMember(t.Context(), "n1", MemberEdit{Cordoned: new(false)})
		do(t, err)
		if m, err := w.service.Member(t.Context(), "n1"); err != nil || m.Record.Cordoned || m.Record.Reason != "" {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

func TestMemberLabels(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		edit := func(labels map[string]string) error {
			_, err := w.service.EditMember(t.Context(), "n2", MemberEdit{Labels: labels})
			return err
		}
		do(t, edit(map[string]string{"disk": "nvme", "zone": "a"}))
		do(t, edit(map[string]string{"zone": "", "rack": "1", "none": ""}))
		m, err := w.service.Member(t.Context(), "n2")
		if want := map[string]string{"disk": "nvme", "rack": "1"}; err != nil || !maps.Equal(m.Record.Labels, want) {
			t.Errorf("%v, %v", m.Record.Labels, err)
		}
		wantError(t, edit(map[string]string{"group": "fast"}), fleet.Invalid, "labels", "LXD's own")
		wantError(t, edit(map[string]string{"Disk": "nvme"}), fleet.Invalid, "labels", "not a label")
		_, err = w.service.EditMember(t.Context(), "n9", MemberEdit{Cordoned: new(true)})
		wantError(t, err, fleet.NotFound, "member", "members: n1, n2, n3")

		w.done(w.service.Create(t.Context(), CreateRequest{
			Name: "acme", Image: "wordpress", Wishes: fleet.Wishes{Require: []string{"disk=nvme"}, Pinned: true},
		}, Once{}))
		if got := w.get("acme"); got.Member != "n2" || !got.Wishes.Pinned {
			t.Errorf("%s, %+v", got.Member, got.Wishes)
		}
		_, err = w.service.Create(t.Context(), CreateRequest{Name: "globex", Image: "wordpress", Wishes: fleet.Wishes{Require: []string{"disk=tape"}}}, Once{})
		wantError(t, err, fleet.Exhausted, "", "has not the label disk=tape")
		_, err = w.service.Create(t.Context(), CreateRequest{Name: "globex", Image: "wordpress", Wishes: fleet.Wishes{Prefer: []string{"nvme"}}}, Once{})
		wantError(t, err, fleet.Invalid, "prefer")
	})
}

func TestWishesAreEditedAndKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		edit := func(e WishesEdit) *fleet.Wishes {
			t.Helper()
			v, err := w.service.Edit(t.Context(), "acme", EditRequest{Wishes: e})
			do(t, err)
			return v.Wishes
		}
		edit(WishesEdit{Apart: &[]string{"globex", "client=x"}, Pinned: new(true)})
		got := edit(WishesEdit{Require: &[]string{"disk=nvme"}})
		want := fleet.Wishes{Require: []string{"disk=nvme"}, Apart: []string{"client=x", "globex"}, Pinned: true}
		if got == nil || !got.Equal(want) {
			t.Errorf("%+v", got)
		}
		time.Sleep(10 * time.Second) // its keys are written
		inst, _ := w.lxd.Seen("acme")
		if rebuilt, err := tenantOf(inst); err != nil || rebuilt.Wishes == nil || !rebuilt.Wishes.Equal(want) {
			t.Errorf("from its keys: %+v, %v", rebuilt.Wishes, err)
		}
		if got := edit(WishesEdit{Require: &[]string{}, Apart: &[]string{}, Pinned: new(false)}); got != nil {
			t.Errorf("%+v", got)
		}
		_, err := w.service.Edit(t.Context(), "acme", EditRequest{Wishes: WishesEdit{Together: &[]string{"No"}}})
		wantError(t, err, fleet.Invalid, "together")
	})
}

// Creates that come together see each other's places, before any of their instances is there.
func TestCreatesThatComeTogetherSpread(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		_, err := w.lxd.EnsureProfile(t.Context(), fleet.ProfileSpec{Name: "small", Config: map[string]string{"limits.memory": "1GiB", "limits.cpu": "1"}})
		do(t, err)
		do(t, w.observer.survey.read(t.Context()))
		var made []fleet.Job
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
			job, err := w.service.Create(t.Context(), CreateRequest{Name: name, Image: "wordpress"}, Once{})
			do(t, err)
			made = append(made, job)
		}
		list, err := w.service.Members(t.Context())
		do(t, err)
		for _, m := range list {
			if m.Tenants != 3 || m.Reserved.Memory != 3*fleet.GiB {
				t.Errorf("%s has %d tenants, %s", m.Name, m.Tenants, m.Reserved.Memory)
			}
		}
		for _, job := range made {
			_, err := w.engine.Wait(t.Context(), job.ID)
			do(t, err)
		}
	})
}

func TestExplain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		acme := w.tenant("acme")
		w.lxd.SetOnline("n3", false)
		x, err := w.service.Explain(t.Context(), ExplainRequest{Tenant: "acme"})
		do(t, err)
		if x.Location != acme.Member || x.Member == "" || len(x.Verdicts) != 3 || x.Verdicts[2].Filter != "online" {
			t.Errorf("%+v", x)
		}
		x, err = w.service.Explain(t.Context(), ExplainRequest{Plan: "large", Image: "wordpress", Wishes: fleet.Wishes{Require: []string{"name=n3"}}})
		do(t, err)
		wantError(t, x.Refusal, fleet.Exhausted, "", "n1 has not the label name=n3")
		if x.Member != "" || len(x.Verdicts) != 3 {
			t.Errorf("%+v", x)
		}
		for field, req := range map[string]ExplainRequest{
			"plan": {Plan: "huge"}, "image": {Image: "nothing"}, "member": {Member: "n9"}, "require": {Wishes: fleet.Wishes{Require: []string{"x"}}},
			"labels": {Labels: map[string]string{"": ""}}, "name": {Tenant: "No"},
		} {
			_, err := w.service.Explain(t.Context(), req)
			wantError(t, err, fleet.Invalid, field)
		}
		_, err = w.service.Explain(t.Context(), ExplainRequest{Tenant: "nobody"})
		wantError(t, err, fleet.NotFound, "", "nobody")
	})
}
