package tenants

import (
	"context"
	"fmt"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// roster holds all tenants in memory and reads them anew when the store's generation has
// moved, so that loops over the fleet and routes cost one small query while nothing changes.
type roster struct {
	store Store

	reading sync.Mutex // one reader of the store at a time; guards generation
	gen     int64
	mu      sync.Mutex
	now     *rolls
}

// rolls is one state of the roster; it is not changed once made.
type rolls struct {
	all    []fleet.Tenant
	byID   map[string]int
	byName map[fleet.Name]int
}

func newRoster(store Store) *roster {
	return &roster{store: store, gen: -1, now: callRoll(nil)}
}

func callRoll(all []fleet.Tenant) *rolls {
	r := &rolls{all: all, byID: make(map[string]int, len(all)), byName: make(map[fleet.Name]int, len(all))}
	for i, t := range all {
		r.byID[t.ID], r.byName[t.Name] = i, i
	}
	return r
}

// id gives the tenant with this id.
func (r *rolls) id(id string) (fleet.Tenant, bool) {
	i, ok := r.byID[id]
	if !ok {
		return fleet.Tenant{}, false
	}
	return r.all[i], true
}

// name gives the tenant with this name.
func (r *rolls) name(name fleet.Name) (fleet.Tenant, bool) {
	i, ok := r.byName[name]
	if !ok {
		return fleet.Tenant{}, false
	}
	return r.all[i], true
}

// last gives the tenants as last read; empty before the first read.
func (r *roster) last() *rolls {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// read gives the tenants as the store has them now. With an error the last ones come along:
// loops go on with them while the database is away.
func (r *roster) read(ctx context.Context) (*rolls, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	gen, err := r.store.Generation(ctx) // before the list: a change in between is read again
	if err != nil {
		return r.last(), fmt.Errorf("read the generation of tenants: %w", err)
	}
	if gen == r.gen {
		return r.last(), nil
	}
	all, err := r.store.Tenants(ctx, fleet.TenantFilter{})
	if err != nil {
		return r.last(), fmt.Errorf("list tenants: %w", err)
	}
	now := callRoll(all)
	r.gen = gen
	r.mu.Lock()
	r.now = now
	r.mu.Unlock()
	return now, nil
}
