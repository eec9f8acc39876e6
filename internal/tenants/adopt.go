package tenants

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// adoptState is the state of tenant.adopt.
type adoptState struct {
	Tenant fleet.Tenant `json:"tenant"`
	// Profiles and Keys are what the instance had before. Keys are those of lxdfleet only: a
	// copy of a tenant carries its original's.
	Profiles []string          `json:"profiles"`
	Keys     map[string]string `json:"keys,omitempty"`
}

// adopt takes in an instance that was made by hand. Its undo never deletes the instance: it
// was there before.
func (c *crew) adopt() jobs.Kind[adoptState] {
	return jobs.Kind[adoptState]{
		Name:    KindAdopt,
		Version: 1,
		Steps: []jobs.Step[adoptState]{
			// Undo: name and domains are free again.
			{Name: "reserve", Do: c.adoptReserve, Undo: c.adoptUnreserve},
			// Undo: the instance has the profiles it had.
			{Name: "plan", Do: c.adoptPlan, Undo: c.adoptUnplan},
			// Undo: the instance has the keys it had.
			{Name: "mark", Do: c.adoptMark, Undo: c.adoptUnmark},
			{Name: "activate", Do: c.adoptActivate},
		},
		Commit: "activate",
	}
}

func (s *adoptState) instance() string { return s.Tenant.Name.String() }

func (c *crew) adoptReserve(ctx context.Context, _ *jobs.Run, s *adoptState) error {
	if err := c.Store.InsertTenant(ctx, s.Tenant); err != nil {
		return fmt.Errorf("reserve %s: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) adoptUnreserve(ctx context.Context, _ *jobs.Run, s *adoptState) error {
	if err := c.Store.DeleteTenant(ctx, s.Tenant.ID); err != nil {
		return fmt.Errorf("give up the name %s: %w", s.Tenant.Name, err)
	}
	c.Observer.Nudge(s.Tenant.Name)
	return nil
}

func (c *crew) adoptPlan(ctx context.Context, _ *jobs.Run, s *adoptState) error {
	defer c.Observer.hold(s.instance())()
	if err := c.LXD.SetProfiles(ctx, s.instance(), withPlan(s.Profiles, "", s.Tenant.Plan)); err != nil {
		return fmt.Errorf("give %s the plan %s: %w", s.Tenant.Name, s.Tenant.Plan, err)
	}
	return nil
}

func (c *crew) adoptUnplan(ctx context.Context, _ *jobs.Run, s *adoptState) error {
	defer c.Observer.hold(s.instance())()
	if err := c.LXD.SetProfiles(ctx, s.instance(), s.Profiles); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("give %s its profiles back: %w", s.Tenant.Name, err)
	}
	return nil
}

// adoptedKeys sets every key of lxdfleet: those of an original the instance was copied from go.
func adoptedKeys(s *adoptState) map[string]string {
	keys := keysOf(s.Tenant)
	keys[fleet.KeyReady], keys[fleet.KeyJob] = "true", ""
	return keys
}

func (c *crew) adoptMark(ctx context.Context, _ *jobs.Run, s *adoptState) error {
	defer c.Observer.hold(s.instance())()
	if err := c.LXD.SetConfig(ctx, s.instance(), adoptedKeys(s)); err != nil {
		return fmt.Errorf("write the keys of %s: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) adoptUnmark(ctx context.Context, _ *jobs.Run, s *adoptState) error {
	defer c.Observer.hold(s.instance())()
	before := map[string]string{}
	for key := range adoptedKeys(s) {
		before[key] = s.Keys[key]
	}
	if err := c.LXD.SetConfig(ctx, s.instance(), before); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("give %s its keys back: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) adoptActivate(ctx context.Context, run *jobs.Run, s *adoptState) error {
	_, err := change(ctx, c.Store, s.Tenant.ID, func(t *fleet.Tenant) bool {
		was := t.Ready
		t.Ready, t.UpdatedAt = true, c.Now()
		return !was
	})
	if err != nil {
		return err
	}
	if err := c.Observer.Refresh(ctx, s.instance()); err != nil {
		return err
	}
	c.Observer.Nudge(s.Tenant.Name)
	return c.shown(ctx, run)
}
