package tenants

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// failsToUnhealthy is how many checks in a row must fail before a tenant that was well is
// called unhealthy: one slow answer is no news.
const failsToUnhealthy = 2

// check asks a running tenant once whether it is well, and plans the next time.
func (o *Observer) check(ctx context.Context, name string) {
	o.mu.Lock()
	s := o.seen[name]
	if s == nil || !s.backend.Known() || s.inst.Status != fleet.InstanceRunning {
		o.mu.Unlock()
		return // planned again with its next address
	}
	backend := s.backend
	t, ok := o.roster.last().id(s.inst.Config[fleet.KeyTenant])
	o.mu.Unlock()
	if !ok || o.held(name) {
		o.checks.add(name, time.Now().Add(o.opt.HealthEvery))
		return
	}
	err := o.prober.Probe(ctx, backend.Dial(t.Health.Port), primary(t), t.Health)
	if ctx.Err() == nil {
		o.judge(name, backend, err)
	}
}

// judge takes in the outcome of a health check of the instance at the backend.
func (o *Observer) judge(name string, backend fleet.Backend, err error) {
	o.mu.Lock()
	s := o.seen[name]
	if s == nil || s.backend != backend {
		o.mu.Unlock()
		return
	}
	was, next := s.healthy, o.opt.HealthEvery
	if err == nil {
		s.fails = 0
		s.healthy = new(true)
	} else if s.fails++; s.fails >= failsToUnhealthy {
		s.healthy = new(false)
	} else {
		next = min(next, 2*time.Second) // sure of it soon
	}
	o.checks.add(name, time.Now().Add(next))
	changed := (was == nil) != (s.healthy == nil) || was != nil && *was != *s.healthy
	told := o.tenantName(s.inst)
	o.mu.Unlock()
	if changed {
		if err != nil {
			o.log.Warn("tenant is unhealthy", "tenant", told, "error", err)
		}
		o.opt.Changed(told)
	}
}

// primary is the host name health checks and hooks use.
func primary(t fleet.Tenant) string { return t.Primary().Base().String() }
