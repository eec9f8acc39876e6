package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// StartMaintenance closes a tenant to visitors.
func (s *Server) StartMaintenance(ctx context.Context, r StartMaintenanceRequestObject) (StartMaintenanceResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	span, err := parseTimeout("for", r.Body.For)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.Maintain(ctx, name, tenants.MaintenanceRequest{Message: r.Body.Message, Page: r.Body.Page, For: span})
	if err != nil {
		return nil, err
	}
	return StartMaintenance200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

// EndMaintenance opens a tenant to visitors again.
func (s *Server) EndMaintenance(ctx context.Context, r EndMaintenanceRequestObject) (EndMaintenanceResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return EndMaintenance200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

// HoldTenant has a tenant's requests wait.
func (s *Server) HoldTenant(ctx context.Context, r HoldTenantRequestObject) (HoldTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	span, err := parseTimeout("for", r.Body.For)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.Hold(ctx, name, r.Body.Reason, span)
	if err != nil {
		return nil, err
	}
	return HoldTenant200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

// ResumeTenant takes reasons to hold away.
func (s *Server) ResumeTenant(ctx context.Context, r ResumeTenantRequestObject) (ResumeTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.Resume(ctx, name, r.Params.Reason)
	if err != nil {
		return nil, err
	}
	return ResumeTenant200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

func maintenanceOut(m *fleet.Maintenance) *Maintenance {
	if m == nil {
		return nil
	}
	return &Maintenance{Message: m.Message, Page: m.Page != "", Since: m.Since, Until: m.Until}
}

func holdsOut(holds []fleet.Hold) []Hold {
	var out []Hold
	for _, h := range holds {
		out = append(out, Hold{Reason: h.Reason, Since: h.Since, Until: h.Until})
	}
	return out
}
