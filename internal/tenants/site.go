package tenants

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// altered is a tenant that a request changes without a job: one that is in service and not in
// the trash.
func (s *Service) altered(ctx context.Context, name fleet.Name) (fleet.Tenant, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return fleet.Tenant{}, err
	}
	if t.Desired == fleet.DesiredRemoved {
		return fleet.Tenant{}, fleet.Errorf(fleet.Conflict, "tenant %s is in the trash", name).
			WithHint("take it back first: lxdfleet tenant undelete %s", name)
	}
	return t, s.made(ctx, t)
}

// made fails with fleet.Busy while the tenant's creation is not over: its job writes what it
// was asked to write.
func (s *Service) made(ctx context.Context, t fleet.Tenant) error {
	if t.Ready {
		return nil
	}
	if job, ok := s.active(ctx, t.Name); ok {
		return busy(t.Name, job)
	}
	return fleet.Errorf(fleet.Conflict, "tenant %s was never made", t.Name).
		WithHint("delete it: lxdfleet tenant delete --now %s", t.Name)
}

// alter edits the stored tenant and tells everybody: the routes at once, and LXD's keys soon.
// An edit that fails or changes nothing writes nothing. It may be repeated.
func (s *Service) alter(ctx context.Context, id string, edit func(*fleet.Tenant) (bool, error)) (fleet.Tenant, error) {
	var refused error
	edited := false
	t, err := change(ctx, s.Store, id, func(t *fleet.Tenant) bool {
		edited, refused = edit(t)
		if refused != nil || !edited {
			return false
		}
		t.UpdatedAt = s.opt.Now()
		return true
	})
	if refused != nil {
		return fleet.Tenant{}, refused
	}
	if err != nil {
		return fleet.Tenant{}, err
	}
	if edited {
		s.spread(t)
	}
	return t, nil
}

// spread tells of a change of the stored tenant: routes are listed anew, and its instance gets
// its keys.
func (s *Service) spread(t fleet.Tenant) {
	s.Observer.Nudge(t.Name)
	s.Observer.keys.add(s.instanceName(t), time.Now())
}
