package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

func (c *crew) cordon(ctx context.Context, _ *jobs.Run, s *shiftState) error {
	return c.Planner.Cordon(ctx, s.Member, "drained")
}

func (c *crew) uncordon(ctx context.Context, _ *jobs.Run, s *shiftState) error {
	return c.Planner.Uncordon(ctx, s.Member)
}

// drainAll moves everything away from the member. What comes to be there meanwhile, such as a
// tenant whose creation was under way, goes too.
func (c *crew) drainAll(ctx context.Context, run *jobs.Run, s *shiftState) error {
	return c.shift(ctx, run, s, func(ctx context.Context) (placement.Plan, error) {
		p, err := c.Planner.DrainPlan(ctx, s.Member)
		if err != nil {
			return p, fmt.Errorf("plan to drain %s: %w", s.Member, err)
		}
		return p, nil
	})
}

func (c *crew) planRebalance(ctx context.Context, run *jobs.Run, s *shiftState) error {
	p, err := c.Planner.RebalancePlan(ctx, s.Consolidate)
	if err != nil {
		return fmt.Errorf("plan the moves: %w", err)
	}
	s.Plan = p.Moves
	for _, m := range p.Moves {
		_, _ = fmt.Fprintf(run.Output(), "%s from %s to %s: it %s.\n", m.Tenant, m.From, m.To, m.Why)
	}
	for _, l := range p.Left {
		_, _ = fmt.Fprintf(run.Output(), "%s stays on %s: it %s.\n", l.Tenant, l.Member, l.Why)
	}
	return nil
}

// planBack finds what the last drain of the member moved away and nobody has moved since.
func (c *crew) planBack(ctx context.Context, _ *jobs.Run, s *shiftState) error {
	last, err := c.lastDrain(ctx, s.Member)
	if err != nil || last.IsZero() {
		return err
	}
	seen := map[fleet.Name]bool{}
	for before := ""; ; {
		page, err := c.Jobs.Jobs(ctx, jobs.JobFilter{Kind: KindMove, State: fleet.JobDone, Before: before, Limit: 500})
		if err != nil {
			return fmt.Errorf("list moves: %w", err)
		}
		for _, job := range page {
			before = job.ID
			if job.CreatedAt.Before(last) {
				return nil
			}
			var m moveState
			if err := json.Unmarshal(job.Args, &m); err != nil || seen[m.Name] {
				continue // the newest move of a tenant is what counts
			}
			seen[m.Name] = true
			if m.For != "member/"+s.Member || m.From != s.Member {
				continue
			}
			if t, err := c.Store.TenantByID(ctx, m.ID); err == nil && t.Name == m.Name && t.Member == m.To {
				s.Plan = append(s.Plan, placement.Move{Tenant: m.Name.String(), From: m.To, To: s.Member, Why: "was there before the drain"})
			}
		}
		if len(page) < 500 {
			return nil
		}
	}
}

// lastDrain is when the last drain of the member was asked for; zero: never, as far as is known.
func (c *crew) lastDrain(ctx context.Context, member string) (time.Time, error) {
	found, err := c.Jobs.Jobs(ctx, jobs.JobFilter{Subject: "member/" + member, Kind: KindDrain, Limit: 1})
	if err != nil {
		return time.Time{}, fmt.Errorf("list drains: %w", err)
	}
	if len(found) == 0 {
		return time.Time{}, nil
	}
	return found[0].CreatedAt, nil
}
