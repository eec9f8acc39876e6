package migration

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/placement"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// KindLater is the kind of a job that waits in the queue until its time and then moves a tenant;
// its subject is "planned/NAME", so that the tenant can be worked on until then.
const KindLater = "tenant.move-later"

func (c *crew) later() jobs.Kind[shiftState] {
	return jobs.Kind[shiftState]{
		Name: KindLater, Version: 1,
		Steps: []jobs.Step[shiftState]{{Name: "move", Do: c.moveInTurn}, {Name: "report", Do: c.report}},
		Facts: func(s shiftState) map[string]string {
			if len(s.Plan) == 0 || s.Plan[0].To == "" {
				return nil // placement chooses then
			}
			return map[string]string{"to": s.Plan[0].To}
		},
	}
}

// farthest is how far ahead a move can be planned.
const farthest = 90 * 24 * time.Hour

// MoveAt makes a job that moves the tenant at a time. What Move would refuse now is refused now;
// then, what Move refuses then. fleet.Busy where a move is planned already.
func (s *Service) MoveAt(ctx context.Context, name fleet.Name, req Request, at time.Time, once Once) (fleet.Job, error) {
	if repeated, err := s.repeated(ctx, once.Key); err != nil {
		return fleet.Job{}, err
	} else if !repeated {
		if err := s.checkTime(at); err != nil {
			return fleet.Job{}, err
		}
		if _, err := s.plan(ctx, name, req); err != nil && fleet.CodeOf(err) != fleet.Busy {
			return fleet.Job{}, err
		}
		s.Tenants.GiveUpPlace(name)
	}
	return s.Submit.Submit(ctx, jobs.Request{
		Kind: KindLater, Subject: "planned/" + name.String(), Key: once.Key, KeyHash: once.Hash, NotBefore: at,
		Args: shiftState{
			Options: Options{AtOnce: 1, MostHold: req.MostHold, BytesPerSecond: req.BytesPerSecond},
			Plan:    []placement.Move{{Tenant: name.String(), To: req.To}},
			At:      at, Group: req.Group,
		},
	})
}

// MoveInWindow is MoveAt as soon as the tenant's window allows. fleet.Conflict where it has none.
func (s *Service) MoveInWindow(ctx context.Context, name fleet.Name, req Request, once Once) (fleet.Job, error) {
	t, err := s.Store.Tenant(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	if t.Window == "" {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "tenant %s has no window", name).WithField("at").
			WithHint("give it one: lxdfleet tenant set %s window=02:00-05:00", name)
	}
	window, err := fleet.ParseWindow(t.Window)
	if err != nil {
		return fleet.Job{}, fmt.Errorf("read the window of %s: %w", name, err)
	}
	zone, err := schedule.Zone(t.TimeZone)
	if err != nil {
		return fleet.Job{}, fmt.Errorf("read the time zone of %s: %w", name, err)
	}
	return s.MoveAt(ctx, name, req, window.Next(time.Now().In(zone)), once)
}

func (s *Service) checkTime(at time.Time) error {
	now := time.Now()
	if at.Before(now.Add(-time.Minute)) || at.After(now.Add(farthest)) {
		return fleet.Errorf(fleet.Invalid, "%s is over, or too far ahead", at.Format(time.RFC3339)).WithField("at").
			WithHint("give a time within the next 90 days, such as %s", now.Add(time.Hour).Format(time.RFC3339))
	}
	return nil
}
