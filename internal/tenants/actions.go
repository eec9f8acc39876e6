package tenants

import (
	"cmp"
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// whereabouts notes what the tenant is at this moment, for the undo of its job.
func (s *Service) whereabouts(t fleet.Tenant, stopTimeout time.Duration) whereabouts {
	return whereabouts{
		ID: t.ID, Name: t.Name, Was: t.Desired, PurgeWas: t.PurgeAt,
		WasUp:       s.Observer.Observation(t).Status == fleet.InstanceRunning,
		StopTimeout: cmp.Or(stopTimeout, s.opt.StopTimeout),
	}
}

// Start makes a job that starts the tenant, also one that was stopped with lxc. A tenant in
// the trash is fleet.Conflict.
func (s *Service) Start(ctx context.Context, name fleet.Name, once Once) (fleet.Job, error) {
	return s.power(ctx, KindStart, name, 0, once)
}

// Stop makes a job that stops the tenant: cleanly, by force after the timeout (0: the default).
func (s *Service) Stop(ctx context.Context, name fleet.Name, timeout time.Duration, once Once) (fleet.Job, error) {
	return s.power(ctx, KindStop, name, timeout, once)
}

// Restart makes a job that stops and starts the tenant while its requests are held.
func (s *Service) Restart(ctx context.Context, name fleet.Name, timeout time.Duration, once Once) (fleet.Job, error) {
	return s.power(ctx, KindRestart, name, timeout, once)
}

func (s *Service) power(ctx context.Context, kind string, name fleet.Name, timeout time.Duration, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	if timeout < 0 || timeout > time.Hour {
		return fleet.Job{}, fleet.Errorf(fleet.Invalid, "a timeout of %s", timeout).WithField("timeout").
			WithHint("give more than 0 and at most 1h")
	}
	t, err := s.present(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	if kind == KindRestart && t.Desired == fleet.DesiredStopped {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "tenant %s is stopped", name).
			WithHint("start it: lxdfleet tenant start %s", name)
	}
	return s.submit(ctx, kind, name, powerState{s.whereabouts(t, timeout)}, once)
}

// present reads a tenant that is not in the trash and whose instance is there.
func (s *Service) present(ctx context.Context, name fleet.Name) (fleet.Tenant, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return fleet.Tenant{}, err
	}
	if !t.Ready {
		if job, ok := s.active(ctx, name); ok {
			return fleet.Tenant{}, busy(name, job)
		}
	}
	if t.Desired == fleet.DesiredRemoved {
		return fleet.Tenant{}, fleet.Errorf(fleet.Conflict, "tenant %s is in the trash", name).
			WithHint("take it back first: lxdfleet tenant undelete %s", name)
	}
	return t, s.here(t)
}

// Remove makes a job that puts the tenant into the trash or, with now, deletes it for good.
// A tenant that is being created is fleet.Busy: its job is to be cancelled.
func (s *Service) Remove(ctx context.Context, name fleet.Name, now bool, once Once) (fleet.Job, error) {
	kind := KindRemove
	if now || s.opt.TrashFor < 0 {
		kind = KindPurge
	}
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	t, err := s.tenant(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	at := s.opt.Now()
	if kind == KindRemove {
		if t.Desired == fleet.DesiredRemoved {
			return fleet.Job{}, fleet.Errorf(fleet.Conflict, "tenant %s is in the trash already", name).
				WithHint("delete it for good: lxdfleet tenant delete --now %s", name)
		}
		at = at.Add(s.opt.TrashFor)
	}
	return s.submit(ctx, kind, name, removeState{whereabouts: s.whereabouts(t, 0), PurgeAt: &at}, once)
}

// Undelete makes a job that takes the tenant out of the trash and starts it. fleet.Conflict
// when it is not in the trash.
func (s *Service) Undelete(ctx context.Context, name fleet.Name, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	t, err := s.tenant(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	if t.Desired != fleet.DesiredRemoved {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "tenant %s is not in the trash", name).
			WithHint("lxdfleet tenant show %s tells its state", name)
	}
	if err := s.here(t); err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindUndelete, name, removeState{whereabouts: s.whereabouts(t, 0)}, once)
}

// CheckPlan fails with fleet.Invalid where there is no such plan.
func (s *Service) CheckPlan(ctx context.Context, plan string) error { return s.plan(ctx, plan) }

// Resize makes a job that gives the tenant another plan.
func (s *Service) Resize(ctx context.Context, name fleet.Name, plan string, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	t, err := s.present(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	if err := s.plan(ctx, plan); err != nil {
		return fleet.Job{}, err
	}
	if plan == t.Plan {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "tenant %s has the plan %s already", name, plan).
			WithField("plan").WithHint("choose another plan")
	}
	return s.submit(ctx, KindResize, name, resizeState{whereabouts: s.whereabouts(t, 0), From: t.Plan, To: plan}, once)
}
