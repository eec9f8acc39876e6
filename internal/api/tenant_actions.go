package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// DeleteTenant puts a tenant into the trash, or deletes it for good.
func (s *Server) DeleteTenant(ctx context.Context, r DeleteTenantRequestObject) (DeleteTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Remove(ctx, name, r.Params.Now, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return DeleteTenant202JSONResponse{s.accepted(ctx, job)}, nil
}

// UndeleteTenant takes a tenant out of the trash.
func (s *Server) UndeleteTenant(ctx context.Context, r UndeleteTenantRequestObject) (UndeleteTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Undelete(ctx, name, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return UndeleteTenant202JSONResponse{s.accepted(ctx, job)}, nil
}

// StartTenant starts a tenant.
func (s *Server) StartTenant(ctx context.Context, r StartTenantRequestObject) (StartTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Start(ctx, name, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return StartTenant202JSONResponse{s.accepted(ctx, job)}, nil
}

// StopTenant stops a tenant.
func (s *Server) StopTenant(ctx context.Context, r StopTenantRequestObject) (StopTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	timeout, err := parseTimeout("timeout", r.Params.Timeout)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Stop(ctx, name, timeout, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return StopTenant202JSONResponse{s.accepted(ctx, job)}, nil
}

// RestartTenant stops a tenant and starts it.
func (s *Server) RestartTenant(ctx context.Context, r RestartTenantRequestObject) (RestartTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	timeout, err := parseTimeout("timeout", r.Params.Timeout)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Restart(ctx, name, timeout, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return RestartTenant202JSONResponse{s.accepted(ctx, job)}, nil
}

// ResizeTenant gives a tenant another plan.
func (s *Server) ResizeTenant(ctx context.Context, r ResizeTenantRequestObject) (ResizeTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Resize(ctx, name, r.Body.Plan, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return ResizeTenant202JSONResponse{s.accepted(ctx, job)}, nil
}
