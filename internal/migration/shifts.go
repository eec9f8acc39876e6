package migration

import (
	"cmp"
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// mostAtOnce bounds how many tenants a shift moves at a time.
const mostAtOnce = 32

func (o Options) check() error {
	if o.AtOnce < 0 || o.AtOnce > mostAtOnce {
		return fleet.Errorf(fleet.Invalid, "%d moves at once", o.AtOnce).WithField("at_once").WithHint("give 1 to %d", mostAtOnce)
	}
	return nil
}

// Drain makes a job that cordons a member and moves everything away from it. Where there is no
// room for all of it the error is fleet.Exhausted and says for what, and nothing is done, unless
// partial is set. fleet.NotFound where there is no such member.
func (s *Service) Drain(ctx context.Context, member string, partial bool, o Options, once Once) (fleet.Job, error) {
	if err := s.Check(o); err != nil {
		return fleet.Job{}, err
	}
	plan, err := s.Planner.DrainPlan(ctx, member)
	if err != nil {
		return fleet.Job{}, err
	}
	for _, l := range plan.Left {
		if !partial && !isBusy(l) {
			return fleet.Job{}, fleet.Errorf(fleet.Exhausted, "%s cannot be emptied: %s %s", member, l.Tenant, l.Why).
				WithHint("see the whole plan: lxdfleet member drain %s --plan; move what can be moved: --partial", member)
		}
	}
	return s.shift(ctx, KindDrain, "member/"+member, shiftState{Member: member, Options: o}, once)
}

// Restore makes a job that opens a member again and brings back what its last drain has moved
// away, where it still is where that moved it. fleet.NotFound where there is no such member.
func (s *Service) Restore(ctx context.Context, member string, o Options, once Once) (fleet.Job, error) {
	if err := s.Check(o); err != nil {
		return fleet.Job{}, err
	}
	if _, err := s.Planner.DrainPlan(ctx, member); err != nil { // there is such a member
		return fleet.Job{}, err
	}
	return s.shift(ctx, KindRestore, "member/"+member, shiftState{Member: member, Options: o}, once)
}

// Rebalance makes a job that moves what brings the fleet under its targets or, with consolidate,
// what empties as many members as can be.
func (s *Service) Rebalance(ctx context.Context, consolidate bool, o Options, once Once) (fleet.Job, error) {
	if err := s.Check(o); err != nil {
		return fleet.Job{}, err
	}
	return s.shift(ctx, KindRebalance, "fleet", shiftState{Consolidate: consolidate, Options: o}, once)
}

// Check fails with fleet.Invalid, and the field, where moves cannot be limited like this.
func (s *Service) Check(o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	_, err := s.mostHold(Request{MostHold: o.MostHold, BytesPerSecond: o.BytesPerSecond})
	return err
}

func (s *Service) shift(ctx context.Context, kind, subject string, state shiftState, once Once) (fleet.Job, error) {
	state.AtOnce = cmp.Or(state.AtOnce, DefaultAtOnce)
	job, err := s.Submit.Submit(ctx, jobs.Request{Kind: kind, Subject: subject, Args: state, Key: once.Key, KeyHash: once.Hash})
	if err != nil {
		return job, fmt.Errorf("begin the moves: %w", err)
	}
	return job, nil
}
