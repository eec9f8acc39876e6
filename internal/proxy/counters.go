package proxy

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Count is how many requests of a tenant were answered with a status code since the start.
// Tenant is empty for hosts that lead nowhere. Code 499 is a client that left before an answer.
type Count struct {
	Tenant   fleet.Name `json:"tenant"`
	Code     int        `json:"code"`
	Requests uint64     `json:"requests"`
}

type countKey struct {
	tenant fleet.Name
	code   int
}

// counters count requests. They are bounded by the tenants there are: those of a tenant that
// is gone are dropped with keep.
type counters struct {
	byKey sync.Map // countKey → *atomic.Uint64
}

func (c *counters) add(tenant fleet.Name, code int) {
	key := countKey{tenant, code}
	n, ok := c.byKey.Load(key)
	if !ok {
		n, _ = c.byKey.LoadOrStore(key, new(atomic.Uint64))
	}
	n.(*atomic.Uint64).Add(1)
}

func (c *counters) keep(wanted func(fleet.Name) bool) {
	for key := range c.byKey.Range {
		if t := key.(countKey).tenant; t != "" && !wanted(t) {
			c.byKey.Delete(key)
		}
	}
}

func (c *counters) list() []Count {
	var all []Count
	for key, n := range c.byKey.Range {
		k := key.(countKey)
		all = append(all, Count{Tenant: k.tenant, Code: k.code, Requests: n.(*atomic.Uint64).Load()})
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Code, b.Code))
	})
	return all
}
