package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// ListAdoptable lists instances that are no tenant's.
func (s *Server) ListAdoptable(ctx context.Context, _ ListAdoptableRequestObject) (ListAdoptableResponseObject, error) {
	candidates, err := s.Tenants.Adoptable(ctx)
	if err != nil {
		return nil, err
	}
	list := AdoptableList{Items: make([]Adoptable, len(candidates))}
	for i, c := range candidates {
		list.Items[i] = Adoptable{
			Name: c.Name, Status: string(c.Status), Location: c.Location,
			Image: c.Image, Obstacle: c.Obstacle,
		}
	}
	return ListAdoptable200JSONResponse(list), nil
}

// AdoptInstance makes a tenant of an instance.
func (s *Server) AdoptInstance(ctx context.Context, r AdoptInstanceRequestObject) (AdoptInstanceResponseObject, error) {
	health, err := healthIn(r.Body.Health)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Adopt(ctx, tenants.AdoptRequest{
		Name: r.Name, DisplayName: r.Body.DisplayName, Contact: r.Body.Contact, Labels: r.Body.Labels,
		Plan: r.Body.Plan, Domains: r.Body.Domains, Health: health,
	}, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return AdoptInstance202JSONResponse{s.accepted(ctx, job)}, nil
}
