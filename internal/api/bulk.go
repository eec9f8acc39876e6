package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// BulkTenants does the same to many tenants.
func (s *Server) BulkTenants(ctx context.Context, r BulkTenantsRequestObject) (BulkTenantsResponseObject, error) {
	timeout, err := parseTimeout("timeout", r.Body.Timeout)
	if err != nil {
		return nil, err
	}
	who, err := choiceIn(r.Body)
	if err != nil {
		return nil, err
	}
	limits, err := moveLimits(r.Body.AtOnce, r.Body.MaxHold, r.Body.Limit)
	if err != nil {
		return nil, err
	}
	at, inWindow, err := momentOf(r.Body.At)
	if err != nil {
		return nil, err
	}
	job, err := s.Bulk.Begin(ctx, bulk.Request{
		Action: bulk.Action(r.Body.Action), AtOnce: limits.AtOnce, Timeout: timeout, To: r.Body.To, Note: r.Body.Note, Plan: r.Body.Plan,
		MaxHold: limits.MostHold, BytesPerSecond: limits.BytesPerSecond, At: at, InWindow: inWindow,
	}, who, bulk.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return BulkTenants202JSONResponse{s.accepted(ctx, job)}, nil
}

func choiceIn(body *TenantBulk) (who bulk.Choice, err error) {
	who.All = body.All
	for _, text := range body.Tenants {
		name, err := fleet.ParseName(text)
		if err != nil {
			return who, fleet.Errorf(fleet.Invalid, "%q is not a tenant name", text).WithField("tenants").WithHint("see them with: lxdfleet tenant list")
		}
		who.Names = append(who.Names, name)
	}
	if sel := body.Selector; sel != nil {
		who.Filter = &fleet.TenantFilter{Labels: sel.Labels, Plan: sel.Plan, Member: sel.Member, Search: sel.Search}
		if sel.Image != "" {
			ref, err := fleet.ParseImageRef(sel.Image)
			if err != nil {
				return who, err
			}
			who.Filter.Image, who.Filter.Version = ref.Name, ref.Version
		}
	}
	return who, nil
}
