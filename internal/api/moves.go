package api

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/migration"
)

// MoveTenant moves a tenant to another member.
func (s *Server) MoveTenant(ctx context.Context, r MoveTenantRequestObject) (MoveTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	limits, err := moveLimits(0, r.Body.MaxHold, r.Body.Limit)
	if err != nil {
		return nil, err
	}
	job, err := s.move(ctx, name, migration.Request{
		To: r.Body.To, MostHold: limits.MostHold, BytesPerSecond: limits.BytesPerSecond,
	}, r.Body.At)
	if err != nil {
		return nil, err
	}
	return MoveTenant202JSONResponse{s.accepted(ctx, job)}, nil
}

// move moves at once, or when at says.
func (s *Server) move(ctx context.Context, name fleet.Name, req migration.Request, at string) (fleet.Job, error) {
	once := migration.Once(onceOf(ctx))
	when, inWindow, err := momentOf(at)
	switch {
	case err != nil:
		return fleet.Job{}, err
	case inWindow:
		return s.Moves.MoveInWindow(ctx, name, req, once)
	case when.IsZero():
		return s.Moves.Move(ctx, name, req, once)
	}
	return s.Moves.MoveAt(ctx, name, req, when, once)
}

// momentOf reads when a move is to begin; zero and false: at once.
func momentOf(at string) (when time.Time, inWindow bool, err error) {
	if at == "" || at == "window" {
		return time.Time{}, at == "window", nil
	}
	if when, err = time.Parse(time.RFC3339, at); err != nil || when.IsZero() {
		return time.Time{}, false, fleet.Errorf(fleet.Invalid, "%q is no time", at).WithField("at").
			WithHint("give a time such as %s, or window", time.Now().Add(time.Hour).Format(time.RFC3339))
	}
	return when, false, nil
}

// PlanMove tells what a move would do.
func (s *Server) PlanMove(ctx context.Context, r PlanMoveRequestObject) (PlanMoveResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	limits, err := moveLimits(0, "", r.Params.Limit)
	if err != nil {
		return nil, err
	}
	e, err := s.Moves.Estimate(ctx, name, migration.Request{To: r.Params.To, BytesPerSecond: limits.BytesPerSecond})
	if err != nil {
		return nil, err
	}
	return PlanMove200JSONResponse(MoveEstimate{
		From: e.From, To: e.To, Why: e.Why, Bytes: int64(e.Bytes), Copy: e.Copy.String(), Hold: e.Hold.String(),
	}), nil
}

// DrainMember moves everything away from a member.
func (s *Server) DrainMember(ctx context.Context, r DrainMemberRequestObject) (DrainMemberResponseObject, error) {
	limits, err := moveLimits(r.Body.AtOnce, r.Body.MaxHold, r.Body.Limit)
	if err != nil {
		return nil, err
	}
	job, err := s.Moves.Drain(ctx, r.Name, r.Body.Partial, limits, migration.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return DrainMember202JSONResponse{s.accepted(ctx, job)}, nil
}

// RestoreMember brings back what the last drain of a member moved away.
func (s *Server) RestoreMember(ctx context.Context, r RestoreMemberRequestObject) (RestoreMemberResponseObject, error) {
	limits, err := moveLimits(r.Body.AtOnce, r.Body.MaxHold, r.Body.Limit)
	if err != nil {
		return nil, err
	}
	job, err := s.Moves.Restore(ctx, r.Name, limits, migration.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return RestoreMember202JSONResponse{s.accepted(ctx, job)}, nil
}

// Rebalance moves what brings the fleet under its targets.
func (s *Server) Rebalance(ctx context.Context, r RebalanceRequestObject) (RebalanceResponseObject, error) {
	limits, err := moveLimits(r.Body.AtOnce, r.Body.MaxHold, r.Body.Limit)
	if err != nil {
		return nil, err
	}
	job, err := s.Moves.Rebalance(ctx, r.Body.Consolidate, limits, migration.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return Rebalance202JSONResponse{s.accepted(ctx, job)}, nil
}

func moveLimits(atOnce int, maxHold, limit string) (o migration.Options, err error) {
	o.AtOnce = atOnce
	if maxHold != "" {
		if o.MostHold, err = parseTimeout("max_hold", maxHold); err != nil {
			return o, err
		}
	}
	if limit == "" {
		return o, nil
	}
	if o.BytesPerSecond, err = fleet.ParseSize(limit); err != nil || o.BytesPerSecond == 0 {
		return o, fleet.Errorf(fleet.Invalid, "%q is no limit of the copy", limit).WithField("limit").
			WithHint("give bytes each second, such as 50MiB")
	}
	return o, nil
}
