package tenants

import (
	"context"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// chosen is a tenant of a list, with the status that it is in the list for; empty: it is there
// whatever that is.
type chosen struct {
	tenant fleet.Tenant
	status fleet.TenantStatus
}

// choose lists the tenants the filter leaves. The store knows no status: where one is asked for, pages
// are cut from a ranking in memory.
func (s *Service) choose(ctx context.Context, f fleet.TenantFilter) ([]chosen, error) {
	if f.Order == fleet.TenantsByStatus || len(f.Statuses) > 0 {
		r, err := s.Observer.ranking(ctx)
		if err != nil {
			return nil, err
		}
		return r.page(f), nil
	}
	list, err := s.Store.Tenants(ctx, f)
	if err != nil {
		return nil, err
	}
	found := make([]chosen, len(list))
	for i, t := range list {
		found[i].tenant = t
	}
	return found, nil
}

// page gives the tenants that the filter leaves.
func (r *ranking) page(f fleet.TenantFilter) []chosen {
	order, compare := r.in(f.Order), comparing(f.Order)
	step, at := 1, 0
	if f.Down {
		step, at = -1, len(order)-1
	}
	if f.After != "" {
		last := key{f.After, f.AfterCreated.UnixMicro(), f.AfterStatus}
		i, found := slices.BinarySearchFunc(order, last, func(n int32, last key) int { return compare(r.key(n), last) })
		switch {
		case f.Down:
			at = i - 1
		case found:
			at = i + 1
		default:
			at = i
		}
	}
	var page []chosen
	for ; at >= 0 && at < len(order) && (f.Limit <= 0 || len(page) < f.Limit); at += step {
		n := order[at]
		if (len(f.Statuses) == 0 || slices.Contains(f.Statuses, r.status[n])) && f.Leaves(r.rolls.all[n]) {
			page = append(page, chosen{r.rolls.all[n], r.status[n]})
		}
	}
	return page
}
