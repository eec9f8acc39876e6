package tenants

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// promise keeps a place on the member for the tenant until its instance is seen there.
func (s *survey) promise(name, member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promises[name] = promise{member: member, until: time.Now().Add(promiseFor)}
}

// release gives the place back.
func (s *survey) release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.promises, name)
}

// placementView is the members as last read, with the tenants on each: instances that are
// there and promises for those that are not yet.
func (o *Observer) placementView(rules placement.Rules) placement.View {
	tenants, there := map[string]int{}, map[string]bool{}
	o.mu.Lock()
	for name, s := range o.seen {
		if s.inst.Config[fleet.KeyRole] == fleet.RoleTenant {
			tenants[s.inst.Location]++
			there[name] = true
		}
	}
	o.mu.Unlock()
	s := o.survey
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for name, p := range s.promises {
		if there[name] || now.After(p.until) {
			delete(s.promises, name)
			continue
		}
		tenants[p.member]++
	}
	view := placement.View{Rules: rules}
	for _, m := range s.members {
		view.Members = append(view.Members, placement.Member{Member: m, Tenants: tenants[m.Name]})
	}
	return view
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
