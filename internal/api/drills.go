package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListDrills gives a page of drills.
func (s *Server) ListDrills(ctx context.Context, r ListDrillsRequestObject) (ListDrillsResponseObject, error) {
	size, after, err := pageOf(r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	filter := fleet.DrillFilter{Failed: r.Params.Failed, Before: after, Limit: size + 1}
	if filter.Tenant, err = optionalTenant(r.Params.Tenant); err != nil {
		return nil, err
	}
	if r.Params.Backup != "" && callerOf(ctx).Bound() {
		filter.Backup = r.Params.Backup // the whole id: how short one may be tells of others
	} else if r.Params.Backup != "" {
		b, err := s.Backups.Backup(ctx, r.Params.Backup)
		switch {
		case err == nil:
			filter.Backup = b.ID
		case fleet.CodeOf(err) == fleet.NotFound:
			filter.Backup = r.Params.Backup // drills outlive their backups
		default:
			return nil, err
		}
	}
	found, err := ofOwn(callerOf(ctx), filter.Tenant, func(tenant fleet.Name) ([]fleet.Drill, error) {
		filter.Tenant = tenant
		return s.Backups.Drills(ctx, filter)
	}, func(a, b fleet.Drill) int { return cmp.Compare(b.ID, a.ID) })
	if err != nil {
		return nil, err
	}
	found, next := cut(found, size, func(d fleet.Drill) string { return d.ID })
	list := DrillList{Items: make([]Drill, len(found)), NextCursor: next}
	for i, d := range found {
		list.Items[i] = drillOut(d)
	}
	return ListDrills200JSONResponse(list), nil
}

// GetDrill gives one drill.
func (s *Server) GetDrill(ctx context.Context, r GetDrillRequestObject) (GetDrillResponseObject, error) {
	all, err := s.Backups.Drills(ctx, fleet.DrillFilter{})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(d fleet.Drill) bool { return d.ID == r.Id })
	if i < 0 {
		return nil, fleet.Errorf(fleet.NotFound, "there is no drill %q", r.Id).WithField("id").WithHint("see them with: lxdfleet drill list")
	}
	return GetDrill200JSONResponse(drillOut(all[i])), nil
}

// RunDrill tries a restore out.
func (s *Server) RunDrill(ctx context.Context, r RunDrillRequestObject) (RunDrillResponseObject, error) {
	tenant, err := optionalTenant(r.Body.Tenant)
	if err != nil {
		return nil, err
	}
	job, err := s.Backups.Drill(ctx, backups.DrillRequest{Backup: r.Body.Backup, Tenant: tenant}, backups.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return RunDrill202JSONResponse{s.accepted(ctx, job)}, nil
}

func drillOut(d fleet.Drill) Drill {
	return Drill{
		Id: d.ID, Backup: d.BackupID, Tenant: d.Tenant.String(), At: d.At, Passed: d.Passed, Error: d.Error,
		Rpo: d.RPO.Round(time.Second).String(), Rto: d.RTO.Round(100 * time.Millisecond).String(),
		Bytes: int64(d.Bytes), Checks: orEmpty(d.Checks), Job: d.JobID,
	}
}
