package tenants

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// Present gives the members of tenants' instances that run, by name, as they were last seen.
func (o *Observer) Present() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[string]string, len(o.seen))
	for name, s := range o.seen {
		if s.inst.Status == fleet.InstanceRunning && o.cares(s.inst) {
			all[name] = s.inst.Location
		}
	}
	return all
}
