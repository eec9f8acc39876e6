package tenants

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Draft checks what is asked for a copy of a tenant and gives the copy as it will be, with a
// member promised to it. Nothing is stored. Errors are those of Create.
func (s *Service) Draft(ctx context.Context, original fleet.Tenant, req CloneRequest) (fleet.Tenant, error) {
	name, err := fleet.ParseName(req.Name)
	if err != nil {
		return fleet.Tenant{}, err
	}
	if req.Plan == "" {
		req.Plan = original.Plan
	}
	t, err := s.draft(ctx, name, req.Domains, req.Plan)
	if err != nil {
		return fleet.Tenant{}, err
	}
	t.Image, t.Health, t.Desired = original.Image, original.Health, fleet.DesiredRunning
	t.DisplayName, t.Contact, t.Labels, t.Quiesce = original.DisplayName, original.Contact, original.Labels, original.Quiesce
	if job, ok := s.active(ctx, name); ok {
		return fleet.Tenant{}, busy(name, job)
	}
	if err := s.unclaimed(ctx, t); err != nil {
		return fleet.Tenant{}, err
	}
	t.Member, err = s.place(ctx, t, fleet.GoldenImage{}, req.Member)
	return t, err
}

// Place chooses a member for a tenant that is to come back, and promises it.
func (s *Service) Place(ctx context.Context, t fleet.Tenant) (string, error) {
	return s.place(ctx, t, fleet.GoldenImage{}, "")
}

// Estrange takes from a stopped copy of a tenant what makes it the original to others. Without
// mail, a copy that has no personalize hook to be told so writes to nobody.
func (h *Hands) Estrange(ctx context.Context, t fleet.Tenant, hooked, mail bool) error {
	return h.c.estrange(ctx, &createState{Tenant: t, Hook: hooked, From: &origin{Mail: mail}})
}

// Personalise runs the personalize hook, where there is one, in a started copy of a tenant.
// fleet.Failed where it fails.
func (h *Hands) Personalise(ctx context.Context, run *jobs.Run, t fleet.Tenant, hooked, mail bool) error {
	s := createState{Tenant: t, Hook: hooked, From: &origin{Mail: mail}}
	return h.c.personalise(ctx, run, &s)
}

// Personalized reports whether instances of the image may have a personalize hook.
func (s *Service) Personalized(ctx context.Context, ref fleet.ImageRef) (bool, error) {
	return s.personalized(ctx, ref)
}

// Refresh reads the instance of that name anew, so that the routes follow at once.
func (h *Hands) Refresh(ctx context.Context, name string) error {
	return h.c.Observer.Refresh(ctx, name)
}
