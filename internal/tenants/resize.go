package tenants

import (
	"context"
	"fmt"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// resizeState is the state of tenant.resize.
type resizeState struct {
	whereabouts
	From string `json:"from"` // plan
	To   string `json:"to"`
}

// resize gives a tenant another plan. LXD applies the new limits to a running instance.
func (c *crew) resize() jobs.Kind[resizeState] {
	return jobs.Kind[resizeState]{
		Name:    KindResize,
		Version: 1,
		Steps: []jobs.Step[resizeState]{
			// Undo: the old plan's profile is back.
			{Name: "profile", Do: c.swapPlan, Undo: c.unswapPlan},
			// Undo: the old plan is written down again.
			{Name: "record", Do: c.recordPlan, Undo: c.unrecordPlan},
		},
	}
}

func (c *crew) swapPlan(ctx context.Context, _ *jobs.Run, s *resizeState) error {
	return c.setPlan(ctx, s, s.From, s.To)
}

func (c *crew) unswapPlan(ctx context.Context, _ *jobs.Run, s *resizeState) error {
	if own, err := c.owns(ctx, s.Name.String(), fleet.KeyTenant, s.ID); err != nil || !own {
		return err
	}
	return c.setPlan(ctx, s, s.To, s.From)
}

func (c *crew) setPlan(ctx context.Context, s *resizeState, from, to string) error {
	defer c.Observer.hold(s.Name.String())()
	if err := c.mustOwn(ctx, &s.whereabouts); err != nil {
		return err
	}
	inst, err := c.LXD.Instance(ctx, s.Name.String())
	if err != nil {
		return fmt.Errorf("read instance %s: %w", s.Name, err)
	}
	if err := c.LXD.SetProfiles(ctx, s.Name.String(), withPlan(inst.Profiles, from, to)); err != nil {
		return fmt.Errorf("give %s the plan %s: %w", s.Name, to, err)
	}
	return nil
}

func (c *crew) recordPlan(ctx context.Context, _ *jobs.Run, s *resizeState) error {
	return c.writePlan(ctx, s, s.To)
}

func (c *crew) unrecordPlan(ctx context.Context, _ *jobs.Run, s *resizeState) error {
	return c.writePlan(ctx, s, s.From)
}

func (c *crew) writePlan(ctx context.Context, s *resizeState, plan string) error {
	defer c.Observer.hold(s.Name.String())()
	t, err := change(ctx, c.Store, s.ID, func(t *fleet.Tenant) bool {
		if t.Plan == plan {
			return false
		}
		t.Plan, t.UpdatedAt = plan, c.Now()
		return true
	})
	if err != nil {
		return err
	}
	c.Observer.Nudge(t.Name)
	return c.mark(ctx, t)
}

// withPlan replaces the profile of the old plan by that of the new, which comes last where
// the old one is not there.
func withPlan(profiles []string, from, to string) []string {
	after := slices.DeleteFunc(slices.Clone(profiles), func(p string) bool { return p == to && p != from })
	if i := slices.Index(after, from); from != "" && i >= 0 {
		after[i] = to
		return after
	}
	return append(after, to)
}
