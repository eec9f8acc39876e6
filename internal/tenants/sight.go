package tenants

import (
	"cmp"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// saw takes in what a read that began at the given time said of an instance. An older read
// never overwrites a newer one.
func (o *Observer) saw(inst fleet.Instance, at time.Time) {
	o.mu.Lock()
	changed := o.take(inst, at)
	o.mu.Unlock()
	if changed != "" {
		o.opt.Changed(changed)
	}
}

// take is saw with the lock held; it gives the name to tell when the observation changed.
func (o *Observer) take(inst fleet.Instance, at time.Time) (changed string) {
	s := o.seen[inst.Name]
	isNew := s == nil
	if isNew {
		s = &sight{}
		o.seen[inst.Name] = s
	} else if s.readAt.After(at) {
		return ""
	}
	if unread(inst) {
		inst.Config, inst.Profiles = s.inst.Config, s.inst.Profiles
	}
	before, was := *s, s.inst.Config[fleet.KeyTenant]
	s.inst, s.readAt = inst, at
	id := inst.Config[fleet.KeyTenant]
	if was != id || isNew {
		o.disown(was, inst.Name)
		if id != "" {
			if o.owners[id] == nil {
				o.owners[id] = map[string]bool{}
			}
			o.owners[id][inst.Name] = true
		}
	}
	if inst.Status != fleet.InstanceRunning && inst.Status != fleet.InstanceError {
		s.backend, s.healthy, s.fails, s.misses = fleet.Backend{}, nil, 0, 0 // an unreachable member changes nothing: instances run on
	} else if !s.backend.Known() {
		s.backend = inst.Backend
		if !s.backend.Known() && len(inst.Addresses) > 0 {
			s.backend.Address = inst.Addresses[0]
		}
	}
	o.plan(inst.Name, s)
	if isNew || before.inst.Status != inst.Status || before.inst.Location != inst.Location ||
		before.backend != s.backend || was != id || before.inst.Config[fleet.KeyReady] != inst.Config[fleet.KeyReady] {
		return o.tenantName(inst)
	}
	return ""
}

// unread reports whether LXD could tell little more than the name: the member is away. It
// leaves the configuration out then.
func unread(inst fleet.Instance) bool {
	return inst.Status == fleet.InstanceError && len(inst.Config) == 0
}

// plan sees to it that a running tenant's address is looked up, its backend watched and its
// health checked.
func (o *Observer) plan(name string, s *sight) {
	if s.inst.Status != fleet.InstanceRunning || !o.cares(s.inst) {
		return
	}
	now := time.Now()
	if !s.backend.Known() {
		o.lookups.add(name, now)
		return
	}
	o.dials.add(name, now.Add(o.dialEvery()))
	if s.healthy == nil {
		o.checks.add(name, now)
	}
}

// cares reports whether the instance is one whose backend is watched: a tenant's that is
// ready. A tenant that is being created is its job's to watch.
func (o *Observer) cares(inst fleet.Instance) bool {
	if t, ok := o.roster.last().id(inst.Config[fleet.KeyTenant]); ok {
		return t.Ready
	}
	return inst.Config[fleet.KeyReady] == "true"
}

// gone takes in that an instance does not exist, as of a read that began at the given time.
func (o *Observer) gone(name string, at time.Time) {
	o.mu.Lock()
	s := o.seen[name]
	if s == nil || s.readAt.After(at) {
		o.mu.Unlock()
		return
	}
	told := o.tenantName(s.inst)
	delete(o.seen, name)
	o.disown(s.inst.Config[fleet.KeyTenant], name)
	o.mu.Unlock()
	for _, q := range []*queue{o.lookups, o.dials, o.checks} {
		q.drop(name)
	}
	o.opt.Changed(told)
}

func (o *Observer) disown(id, name string) {
	if delete(o.owners[id], name); len(o.owners[id]) == 0 {
		delete(o.owners, id)
	}
}

// tenantName is the name the instance's tenant has in the store, or else the instance's.
func (o *Observer) tenantName(inst fleet.Instance) string {
	t, _ := o.roster.last().id(inst.Config[fleet.KeyTenant])
	return cmp.Or(t.Name.String(), inst.Name)
}

// settle takes in what a job found out itself, so that the route follows at once and nothing
// is asked of LXD again.
func (o *Observer) settle(inst fleet.Instance, backend fleet.Backend, healthy *bool) {
	o.mu.Lock()
	inst.Addresses, inst.Backend = nil, fleet.Backend{}
	if s := o.seen[inst.Name]; s != nil {
		s.backend, s.healthy, s.fails, s.misses = backend, healthy, 0, 0
	} else {
		o.seen[inst.Name] = &sight{backend: backend, healthy: healthy}
		o.seen[inst.Name].inst.Name = inst.Name
		if id := inst.Config[fleet.KeyTenant]; id != "" {
			if o.owners[id] == nil {
				o.owners[id] = map[string]bool{}
			}
			o.owners[id][inst.Name] = true
		}
	}
	o.take(inst, time.Now())
	told := o.tenantName(inst)
	o.mu.Unlock()
	o.opt.Changed(told)
}
