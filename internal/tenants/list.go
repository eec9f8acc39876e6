package tenants

import (
	"cmp"
	"context"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// readAtOnce is how many tenants are read at least where some of them are left out for their status.
const readAtOnce = 500

// chosen lists the tenants the filter leaves. The store knows no status: what is to be of one is
// looked for in portions; what is to be sorted by it is read whole.
func (s *Service) chosen(ctx context.Context, f fleet.TenantFilter) ([]fleet.Tenant, error) {
	if f.Order == fleet.TenantsByStatus {
		return s.byStatus(ctx, f)
	}
	if len(f.Statuses) == 0 {
		return s.Store.Tenants(ctx, f)
	}
	var found []fleet.Tenant
	portion := f
	if f.Limit > 0 {
		portion.Limit = max(f.Limit, readAtOnce)
	}
	for {
		list, err := s.Store.Tenants(ctx, portion)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			if slices.Contains(f.Statuses, s.status(t)) {
				found = append(found, t)
			}
			if f.Limit > 0 && len(found) == f.Limit {
				return found, nil
			}
		}
		if portion.Limit <= 0 || len(list) < portion.Limit {
			return found, nil
		}
		last := list[len(list)-1]
		portion.After, portion.AfterCreated = last.Name, last.CreatedAt
	}
}

func (s *Service) byStatus(ctx context.Context, f fleet.TenantFilter) ([]fleet.Tenant, error) {
	all := f
	all.Order, all.Down, all.After, all.Limit = fleet.TenantsByName, false, "", 0
	list, err := s.Store.Tenants(ctx, all)
	if err != nil {
		return nil, err
	}
	type seen struct {
		tenant fleet.Tenant
		status fleet.TenantStatus
	}
	compare := func(a, b seen) int {
		order := cmp.Or(cmp.Compare(a.status, b.status), cmp.Compare(a.tenant.Name, b.tenant.Name))
		if f.Down {
			return -order
		}
		return order
	}
	last := seen{fleet.Tenant{Name: f.After}, f.AfterStatus}
	rows := make([]seen, 0, len(list))
	for _, t := range list {
		row := seen{t, s.status(t)}
		if (len(f.Statuses) == 0 || slices.Contains(f.Statuses, row.status)) && (f.After == "" || compare(row, last) > 0) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, compare)
	if f.Limit > 0 {
		rows = rows[:min(f.Limit, len(rows))]
	}
	found := make([]fleet.Tenant, len(rows))
	for i, row := range rows {
		found[i] = row.tenant
	}
	return found, nil
}

func (s *Service) status(t fleet.Tenant) fleet.TenantStatus {
	return fleet.StatusOf(t, s.Observer.Observation(t))
}
