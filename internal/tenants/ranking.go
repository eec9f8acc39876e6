package tenants

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ranking is all tenants with the status each was last seen in, and in the orders that pages are cut
// from. It is made anew when a tenant, or what is seen of one, has changed; until then a page costs
// no more than its own tenants and those the filter leaves out before them.
type ranking struct {
	rolls  *rolls
	news   int64                // of the Observer, when it was made
	status []fleet.TenantStatus // of each of rolls.all

	mu     sync.Mutex
	orders map[fleet.TenantOrder][]int32 // numbers in rolls.all
}

// key is what a tenant is ranked by.
type key struct {
	name    fleet.Name
	created int64 // microseconds, as exact as a cursor is
	status  fleet.TenantStatus
}

// ranking gives the tenants as the store has them now. Where the store is away its error is given.
func (o *Observer) ranking(ctx context.Context) (*ranking, error) {
	now, err := o.roster.read(ctx)
	if err != nil {
		return nil, err
	}
	o.ranks.Lock()
	defer o.ranks.Unlock()
	news := o.news.Load() // before the statuses: a change in between is seen the next time
	if r := o.ranked; r != nil && r.rolls == now && r.news == news {
		return r, nil
	}
	r := &ranking{rolls: now, news: news, status: make([]fleet.TenantStatus, len(now.all)), orders: map[fleet.TenantOrder][]int32{}}
	o.mu.Lock()
	for i, t := range now.all {
		r.status[i] = fleet.StatusOf(t, o.observation(t))
	}
	o.mu.Unlock()
	o.ranked = r
	return r, nil
}

func (r *ranking) key(n int32) key {
	t := &r.rolls.all[n]
	return key{t.Name, t.CreatedAt.UnixMicro(), r.status[n]}
}

// in gives the numbers of the tenants in an order, the smallest first.
func (r *ranking) in(o fleet.TenantOrder) []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if order, ok := r.orders[o]; ok {
		return order
	}
	order, compare := make([]int32, len(r.rolls.all)), comparing(o)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return compare(r.key(a), r.key(b)) })
	r.orders[o] = order
	return order
}

// comparing is what an order goes by; among equals the name.
func comparing(o fleet.TenantOrder) func(a, b key) int {
	switch o {
	case fleet.TenantsByStatus:
		return func(a, b key) int { return cmp.Or(cmp.Compare(a.status, b.status), cmp.Compare(a.name, b.name)) }
	case fleet.TenantsByCreated:
		return func(a, b key) int { return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.name, b.name)) }
	case fleet.TenantsByName:
	}
	return func(a, b key) int { return cmp.Compare(a.name, b.name) }
}
