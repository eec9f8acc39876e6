package api

import (
	"context"
	"errors"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// ExplainPlacement tells where a tenant would be placed now, and why.
func (s *Server) ExplainPlacement(ctx context.Context, r ExplainPlacementRequestObject) (ExplainPlacementResponseObject, error) {
	x, err := s.Placement.Explain(ctx, tenants.ExplainRequest{
		Tenant: r.Body.Tenant, Plan: r.Body.Plan, Labels: r.Body.Labels, Image: r.Body.Image, Member: r.Body.Member, Wishes: wishesIn(r.Body.Wishes),
	})
	if err != nil {
		return nil, err
	}
	out := Explanation{
		Member: x.Member, Location: x.Location, Strategy: ExplanationStrategy(x.Strategy), Verdicts: make([]Verdict, len(x.Verdicts)),
	}
	if x.Refusal != nil {
		out.Refusal = x.Refusal.Error()
		if e, ok := errors.AsType[*fleet.Error](x.Refusal); ok {
			out.Refusal, out.Hint = e.Message, e.Hint
		}
	}
	for i, v := range x.Verdicts {
		out.Verdicts[i] = Verdict{
			Member: v.Member, Fits: v.Filter == "", Filter: v.Filter, Reason: v.Reason, Score: v.Score, Parts: make([]ScorePart, len(v.Parts)),
		}
		for j, p := range v.Parts {
			out.Verdicts[i].Parts[j] = ScorePart{Name: p.Name, Points: p.Points}
		}
	}
	return ExplainPlacement200JSONResponse(out), nil
}

// GetDrainPlan tells what would be moved where to empty a member.
func (s *Server) GetDrainPlan(ctx context.Context, r GetDrainPlanRequestObject) (GetDrainPlanResponseObject, error) {
	plan, err := s.Placement.DrainPlan(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	return GetDrainPlan200JSONResponse(planOut(plan)), nil
}

// GetRebalancePlan tells what would be moved where to bring the fleet under its targets.
func (s *Server) GetRebalancePlan(ctx context.Context, r GetRebalancePlanRequestObject) (GetRebalancePlanResponseObject, error) {
	plan, err := s.Placement.RebalancePlan(ctx, r.Params.Consolidate)
	if err != nil {
		return nil, err
	}
	return GetRebalancePlan200JSONResponse(planOut(plan)), nil
}

func planOut(p placement.Plan) MovePlan {
	out := MovePlan{
		Moves: make([]PlannedMove, len(p.Moves)), Left: make([]PlannedLeft, len(p.Left)), Over: make([]PlannedOver, len(p.Over)),
		Emptied: orEmpty(p.Emptied), Members: make([]PlannedMember, len(p.Members)), Bytes: int64(p.Bytes()), Hold: p.Hold().String(),
	}
	for i, m := range p.Moves {
		out.Moves[i] = PlannedMove{
			Tenant: m.Tenant, From: m.From, To: m.To, Bytes: int64(m.Bytes), Hold: m.Hold.String(), Why: m.Why, Gain: m.Gain,
		}
	}
	for i, l := range p.Left {
		out.Left[i] = PlannedLeft{Tenant: l.Tenant, Member: l.Member, Why: l.Why}
	}
	for i, o := range p.Over {
		out.Over[i] = PlannedOver{Member: o.Member, Why: o.Why}
	}
	for i, m := range p.Members {
		out.Members[i] = PlannedMember{Member: m.Member, Before: levelOut(m.Before), After: levelOut(m.After)}
	}
	return out
}

func wishesIn(w Wishes) fleet.Wishes {
	return fleet.Wishes{Require: w.Require, Prefer: w.Prefer, Apart: w.Apart, Together: w.Together, Pinned: w.Pinned}
}

func wishesEditIn(w WishesEdit) tenants.WishesEdit {
	return tenants.WishesEdit{Require: w.Require, Prefer: w.Prefer, Apart: w.Apart, Together: w.Together, Pinned: w.Pinned}
}

func wishesOut(w *fleet.Wishes) *Wishes {
	if w == nil {
		return nil
	}
	return &Wishes{Require: w.Require, Prefer: w.Prefer, Apart: w.Apart, Together: w.Together, Pinned: w.Pinned}
}
