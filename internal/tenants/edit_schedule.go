package tenants

import (
	"context"
	"path"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// schedule takes over what the request says of snapshots.
func (r EditRequest) schedule(t *fleet.Tenant) {
	if r.Policy != nil {
		t.Policy = *r.Policy
	}
	if r.TimeZone != nil {
		t.TimeZone = *r.TimeZone
	}
	if r.Window != nil {
		t.Window = *r.Window
	}
	if r.Quiesce != nil {
		t.Quiesce = r.Quiesce
		if *r.Quiesce == (fleet.Quiesce{}) {
			t.Quiesce = nil
		}
	}
}

// policy checks that the policy is there; an empty name is none.
func (s *Service) policy(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	_, err := s.Store.Policy(ctx, name)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Errorf(fleet.Invalid, "there is no policy %q", name).WithField("policy").
			WithHint("lxdfleet policy list shows them; make one: lxdfleet policy create")
	}
	return err
}

// mostHeld is how long an application may be held still at most: visitors wait meanwhile.
const mostHeld = time.Minute

// checkSchedule checks what is said of a tenant's snapshots.
func checkSchedule(t fleet.Tenant) error {
	if _, err := schedule.Zone(t.TimeZone); err != nil {
		return err
	}
	if t.Window != "" {
		if _, err := fleet.ParseWindow(t.Window); err != nil {
			return err
		}
	}
	q := t.Quiesce
	if q == nil {
		return nil
	}
	switch q.By {
	case "", fleet.QuiesceHook, fleet.QuiesceMySQL, fleet.QuiesceNone:
	default:
		return fleet.Errorf(fleet.Invalid, "%q is no way to hold an application still", q.By).WithField("quiesce").
			WithHint("use %s, %s or %s", fleet.QuiesceHook, fleet.QuiesceMySQL, fleet.QuiesceNone)
	}
	if q.Limit < 0 || q.Limit > mostHeld || q.Limit%time.Second != 0 {
		return fleet.Errorf(fleet.Invalid, "a limit of %s", q.Limit).WithField("quiesce").
			WithHint("give whole seconds, %s at most; 0 is the default", mostHeld)
	}
	if q.Login != "" && !path.IsAbs(q.Login) || len(q.Login)+len(q.Address) > 300 {
		return fleet.Errorf(fleet.Invalid, "%q is no path", q.Login).WithField("quiesce").WithHint("give an absolute path in the instance")
	}
	return nil
}
