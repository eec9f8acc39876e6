package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/migration"
	"github.com/lxdfleet/lxdfleet/internal/placement"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// moveDeps are what the jobs that move tenants work with.
func (a *App) moveDeps(deps tenants.KindDeps) migration.Deps {
	return migration.Deps{
		LXD: a.lxd, Store: a.store, Tenants: tenants.NewHands(deps), Jobs: a.store, Mover: mover{a}, Planner: planner{a},
	}
}

func (a *App) wireMoves(deps tenants.KindDeps) {
	a.moves = migration.NewService(migration.ServiceDeps{
		LXD: a.lxd, Store: a.store, Tenants: tenants.NewHands(deps), Jobs: a.store, Planner: planner{a}, Place: a.place, Submit: a.engine,
		StopTimeout: a.cfg.Tenants.StopTimeout, GateTime: a.cfg.Proxy.HoldTimeout,
	})
}

// place implements migration.Place.
func (a *App) place(ctx context.Context, t fleet.Tenant, to string) (member, why string, err error) {
	choice, err := a.tenants.Destination(ctx, t, to)
	if err != nil {
		return "", "", err
	}
	if to != "" {
		return choice.Member, "it was asked for", nil
	}
	others := 0
	for _, v := range choice.Verdicts {
		if v.Filter == "" {
			others++
		}
	}
	at := slices.IndexFunc(choice.Verdicts, func(v placement.Verdict) bool { return v.Member == choice.Member })
	if at < 0 || others < 2 {
		return choice.Member, "no other member takes it", nil
	}
	return choice.Member, fmt.Sprintf("it has the most points of %d members that fit: %.1f", others, choice.Verdicts[at].Score), nil
}

// mover and planner are what jobs need of services, which are made after the kinds of jobs.
type mover struct{ *App }

// Move implements migration.Mover.
func (m mover) Move(ctx context.Context, name fleet.Name, req migration.Request, once migration.Once) (fleet.Job, error) {
	return m.moves.Move(ctx, name, req, once)
}

type planner struct{ *App }

// DrainPlan implements migration.Planner.
func (p planner) DrainPlan(ctx context.Context, member string) (placement.Plan, error) {
	return p.tenants.DrainPlan(ctx, member)
}

// RebalancePlan implements migration.Planner.
func (p planner) RebalancePlan(ctx context.Context, consolidate bool) (placement.Plan, error) {
	return p.tenants.RebalancePlan(ctx, consolidate)
}

// Cordon implements migration.Planner. A member that is cordoned keeps its reason.
func (p planner) Cordon(ctx context.Context, member, reason string) error {
	now, err := p.tenants.Member(ctx, member)
	if err != nil || now.Record.Cordoned {
		return err
	}
	_, err = p.tenants.EditMember(ctx, member, tenants.MemberEdit{Cordoned: new(true), Reason: &reason})
	return err
}

// Uncordon implements migration.Planner.
func (p planner) Uncordon(ctx context.Context, member string) error {
	_, err := p.tenants.EditMember(ctx, member, tenants.MemberEdit{Cordoned: new(false)})
	return err
}
