package tenants

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// promise keeps a place for the tenant on its member: of a new tenant until it is known to live
// there, of one that moves until it is released.
func (s *survey) promise(t placement.Tenant, move bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promises[t.Name] = promise{tenant: t, move: move, until: time.Now().Add(promiseFor)}
}

// release gives the place back.
func (s *survey) release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.promises, name)
}

// instance gives the instance with this name as last seen.
func (o *Observer) instance(name string) (fleet.Instance, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.seen[name]
	if s == nil {
		return fleet.Instance{}, false
	}
	return s.inst, true
}
