package tenants

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// outlook is what placement is to see: the members as LXD told of them last and as operators
// spoke of them, and every tenant where it is, or where a place is promised to it.
func (s *Service) outlook(ctx context.Context) (placement.View, error) {
	if err := s.Observer.survey.fresh(ctx); err != nil {
		return placement.View{}, err
	}
	records, err := s.Store.MemberRecords(ctx)
	if err != nil {
		return placement.View{}, fmt.Errorf("read what is recorded of members: %w", err)
	}
	view := s.Observer.outlook(*s.opt.Rules)
	byName := make(map[string]fleet.MemberRecord, len(records))
	for _, r := range records {
		byName[r.Name] = r
	}
	for i := range view.Members {
		m := &view.Members[i]
		r := byName[m.Name]
		m.Cordoned, m.Reason, m.Labels = r.Cordoned, r.Reason, r.Labels
	}
	return view, nil
}

// outlook is the part of it that the Observer knows.
func (o *Observer) outlook(rules placement.Rules) placement.View {
	rolls := o.roster.last()
	view := placement.View{Rules: rules, Tenants: make([]placement.Tenant, 0, len(rolls.all))}
	s := o.survey
	s.mu.Lock()
	needs := s.needs
	for _, m := range s.members {
		view.Members = append(view.Members, placement.Member{Member: m})
	}
	s.mu.Unlock()

	known := make(map[string]bool, len(rolls.all))
	o.mu.Lock()
	for _, t := range rolls.all {
		known[t.Name.String()] = true
		member := t.Member
		if _, at := o.instanceOf(t); at != nil && at.inst.Location != "" {
			member = at.inst.Location
		}
		view.Tenants = append(view.Tenants, o.lodger(t, member, needs[t.Plan]))
	}
	for name, at := range o.seen { // tenants the store does not know, or not yet
		if at.inst.Config[fleet.KeyRole] == fleet.RoleTenant && !known[name] && !o.known(rolls, at.inst) {
			known[name] = true
			view.Tenants = append(view.Tenants, placement.Tenant{
				Name: name, Member: at.inst.Location, Needs: needs[at.inst.Config[fleet.KeyPlan]], Stay: "is not lxdfleet's yet",
			})
		}
	}
	o.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for name, p := range s.promises {
		if now.After(p.until) || known[name] && !p.move {
			delete(s.promises, name)
			continue
		}
		view.Tenants = append(view.Tenants, p.tenant)
	}
	return view
}

// known reports whether the instance is one that a tenant in the store goes by.
func (o *Observer) known(rolls *rolls, inst fleet.Instance) bool {
	t, ok := rolls.id(inst.Config[fleet.KeyTenant])
	if !ok {
		return false
	}
	name, _ := o.instanceOf(t)
	return name == inst.Name
}

// lodger is a tenant as placement sees it. One in the trash is stopped, and takes disk alone.
func (o *Observer) lodger(t fleet.Tenant, member string, needs placement.Needs) placement.Tenant {
	if t.Desired == fleet.DesiredRemoved {
		needs.CPU, needs.Memory = 0, 0
	}
	out := placement.Tenant{Name: t.Name.String(), Member: member, Labels: t.Labels, Needs: needs}
	if t.Wishes != nil {
		out.Wishes = *t.Wishes
	}
	return out
}

// wishOf is what a tenant asks of its place.
func (s *Service) wishOf(t fleet.Tenant) placement.Wish {
	survey := s.Observer.survey
	survey.mu.Lock()
	needs := survey.needs[t.Plan]
	survey.mu.Unlock()
	w := placement.Wish{Tenant: t.Name.String(), Labels: t.Labels, Needs: needs}
	if t.Wishes != nil {
		w.Wishes = *t.Wishes
	}
	return w
}

// unpackedOn notes which members have the image unpacked.
func unpackedOn(view placement.View, image fleet.GoldenImage) {
	there := make(map[string]bool, len(image.Members))
	for _, name := range image.Members {
		there[name] = true
	}
	unpacked := map[string]bool{image.Fingerprint: true}
	for i := range view.Members {
		if there[view.Members[i].Name] {
			view.Members[i].Unpacked = unpacked
		}
	}
}

// place chooses a member for a new tenant and promises it to it; one at a time, so that each
// choice sees the promises of those before. A refusal on what was last known of the members is
// looked at again with fresh eyes. pinned is the only member in question; empty: any.
func (s *Service) place(ctx context.Context, t fleet.Tenant, image fleet.GoldenImage, pinned string) (string, error) {
	s.placing.Lock()
	defer s.placing.Unlock()
	choose := func() (placement.Choice, error) {
		view, err := s.outlook(ctx)
		if err != nil {
			return placement.Choice{}, err
		}
		unpackedOn(view, image)
		w := s.wishOf(t)
		w.Member, w.Image = pinned, image.Fingerprint
		return placement.Choose(view, w)
	}
	choice, err := choose()
	if err != nil {
		if err := s.Observer.survey.read(ctx); err != nil {
			return "", err
		}
		choice, err = choose()
	}
	if err != nil {
		return "", err
	}
	w := s.wishOf(t)
	s.Observer.survey.promise(placement.Tenant{
		Name: w.Tenant, Member: choice.Member, Labels: w.Labels, Needs: w.Needs, Wishes: w.Wishes, Stay: "is being created",
	}, false)
	return choice.Member, nil
}
