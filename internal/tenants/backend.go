package tenants

import (
	"context"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// maxDials bounds the connects to backends, for each second, in a large fleet.
const maxDials = 400

// dialEvery is the time between two connects to one backend. The lock is held.
func (o *Observer) dialEvery() time.Duration {
	return max(o.opt.DialEvery, time.Duration(len(o.seen))*time.Second/maxDials)
}

// lookup reads where an instance is reached, and again with growing pauses until it is.
func (o *Observer) lookup(ctx context.Context, name string) {
	if o.held(name) {
		o.lookups.add(name, time.Now().Add(holdPause))
		return
	}
	o.mu.Lock()
	s := o.seen[name]
	if s == nil || s.inst.Status != fleet.InstanceRunning || !o.cares(s.inst) {
		o.mu.Unlock()
		return
	}
	current, port := s.backend, o.portOf(s.inst)
	o.mu.Unlock()

	found, err := o.lxd.Backends(ctx, name, port)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		o.refreshes.add(name, time.Now()) // it may be stopped or gone
		o.lookAgain(name)
		return
	}
	if len(found) == 0 {
		o.lookAgain(name)
		return
	}
	o.setBackend(name, o.pick(ctx, found, current, port))
}

// lookAgain plans the next look for an address: tight after a start, then rarer.
func (o *Observer) lookAgain(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.seen[name]; s != nil {
		wait := min(50*time.Millisecond<<min(s.misses, 7), 5*time.Second)
		s.misses++
		o.lookups.add(name, time.Now().Add(wait))
	}
}

// pick chooses among the backends of an instance: the one that answers, else the current one if
// it is still there, else the first.
func (o *Observer) pick(ctx context.Context, found []fleet.Backend, current fleet.Backend, port int) fleet.Backend {
	if len(found) == 1 {
		return found[0]
	}
	for _, b := range found {
		if o.answers(ctx, b.Dial(port)) {
			return b
		}
	}
	if slices.Contains(found, current) {
		return current
	}
	return found[0]
}

func (o *Observer) setBackend(name string, backend fleet.Backend) {
	o.mu.Lock()
	s := o.seen[name]
	if s == nil || s.inst.Status != fleet.InstanceRunning {
		o.mu.Unlock()
		return
	}
	was := s.backend
	s.backend, s.misses = backend, 0
	if was != backend {
		s.fails, s.pause = 0, 0
		o.checks.add(name, time.Now())
	}
	o.dials.add(name, time.Now().Add(o.dialEvery()))
	told := o.tenantName(s.inst)
	for other, os := range o.seen { // what changed hands: whose it was must be read anew
		if was != backend && other != name && os.backend.Known() && os.backend.Via == backend.Via && os.backend.Address == backend.Address {
			o.lookups.add(other, time.Now())
		}
	}
	o.mu.Unlock()
	if was != backend {
		o.opt.Changed(told)
	}
}

// portOf is the port the tenant's application listens on. The lock is held.
func (o *Observer) portOf(inst fleet.Instance) int {
	if t, ok := o.roster.last().id(inst.Config[fleet.KeyTenant]); ok {
		return t.Health.Port
	}
	return 0
}

// answers reports whether a TCP connect succeeds.
func (o *Observer) answers(ctx context.Context, backend string) bool {
	ctx, cancel := context.WithTimeout(ctx, o.opt.DialTimeout)
	defer cancel()
	conn, err := o.opt.Dial(ctx, "tcp", backend)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

// dial connects to the backend of a running tenant and, where that fails, has its addresses
// read anew: an address changed inside the instance makes no LXD event.
func (o *Observer) dial(ctx context.Context, name string) {
	o.mu.Lock()
	s := o.seen[name]
	if s == nil || !s.backend.Known() || s.inst.Status != fleet.InstanceRunning {
		o.mu.Unlock()
		return // planned again with its next address
	}
	backend, port := s.backend, o.portOf(s.inst)
	o.dials.add(name, time.Now().Add(o.dialEvery()))
	o.mu.Unlock()
	if port == 0 {
		return
	}
	if !backend.Leads(port) || !o.answers(ctx, backend.Dial(port)) {
		if ctx.Err() == nil {
			o.suspect(name)
		}
		return
	}
	o.mu.Lock()
	if s := o.seen[name]; s != nil {
		s.pause, s.suspectAt = 0, time.Time{}
	}
	o.mu.Unlock()
}

// suspect has the addresses of an instance read anew, at most twice each second, and ever
// more rarely while its backend stays silent.
func (o *Observer) suspect(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.seen[name]
	now := time.Now()
	if s == nil || now.Before(s.suspectAt) {
		return
	}
	s.pause = min(max(2*s.pause, 250*time.Millisecond), 10*time.Second)
	s.suspectAt = now.Add(s.pause)
	o.lookups.add(name, now)
}

// Observe tells that the tenant's backend did not answer the proxy: its instance's address
// is read anew, at a bounded rate. It returns at once.
func (o *Observer) Observe(name fleet.Name) {
	t, ok := o.roster.last().name(name)
	if !ok {
		return
	}
	o.mu.Lock()
	instance, _ := o.instanceOf(t)
	o.mu.Unlock()
	if instance != "" {
		o.suspect(instance)
	}
}
