package tenants

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// removeState is the state of tenant.remove, tenant.undelete and tenant.purge.
type removeState struct {
	whereabouts
	// PurgeAt is when the tenant leaves the trash for good.
	PurgeAt *time.Time `json:"purge_at,omitempty"`
	// Due: only if the tenant is in the trash and its time has come.
	Due bool `json:"due,omitempty"`
}

// remove puts a tenant into the trash: stopped, without a route, its name and domains still
// its own.
func (c *crew) remove() jobs.Kind[removeState] {
	return jobs.Kind[removeState]{
		Name:    KindRemove,
		Version: 1,
		Steps: []jobs.Step[removeState]{
			// Undo: what was wanted before is wanted again.
			{Name: "want", Do: c.wantRemoved, Undo: c.unwantRemoved},
			// Undo: a tenant that ran goes on serving.
			{Name: "stop", Do: c.removeStop, Undo: c.removeBack},
		},
	}
}

// undelete takes a tenant out of the trash and starts it.
func (c *crew) undelete() jobs.Kind[removeState] {
	return jobs.Kind[removeState]{
		Name:    KindUndelete,
		Version: 1,
		Steps: []jobs.Step[removeState]{
			// Undo: back into the trash, until the time that was set.
			{Name: "want", Do: c.wantBack, Undo: c.unwantRemoved},
			// Undo: stopped again.
			{Name: "start", Do: c.removeStart, Undo: c.removeBack},
			{Name: "await", Do: c.removeAwait},
		},
	}
}

// purge ends a tenant for good. There is no way back once its instance is being deleted.
func (c *crew) purge() jobs.Kind[removeState] {
	return jobs.Kind[removeState]{
		Name:    KindPurge,
		Version: 1,
		Steps: []jobs.Step[removeState]{
			// Undo: what was wanted before is wanted again.
			{Name: "want", Do: c.wantPurged, Undo: c.unwantRemoved},
			{Name: "delete", Do: c.purgeInstance},
			{Name: "forget", Do: c.purgeRow},
		},
		Commit: "delete",
	}
}

func (c *crew) wantRemoved(ctx context.Context, _ *jobs.Run, s *removeState) error {
	return c.want(ctx, &s.whereabouts, fleet.DesiredRemoved, s.PurgeAt)
}

func (c *crew) unwantRemoved(ctx context.Context, _ *jobs.Run, s *removeState) error {
	return c.want(ctx, &s.whereabouts, s.Was, s.PurgeWas)
}

func (c *crew) removeStop(ctx context.Context, run *jobs.Run, s *removeState) error {
	return c.down(ctx, run, &s.whereabouts)
}

func (c *crew) removeBack(ctx context.Context, run *jobs.Run, s *removeState) error {
	return c.back(ctx, run, &s.whereabouts)
}

func (c *crew) wantBack(ctx context.Context, _ *jobs.Run, s *removeState) error {
	if err := c.mustOwn(ctx, &s.whereabouts); err != nil {
		return err
	}
	return c.want(ctx, &s.whereabouts, fleet.DesiredRunning, nil)
}

func (c *crew) removeStart(ctx context.Context, _ *jobs.Run, s *removeState) error {
	return c.up(ctx, &s.whereabouts)
}

func (c *crew) removeAwait(ctx context.Context, run *jobs.Run, s *removeState) error {
	return c.settleIn(ctx, run, &s.whereabouts)
}

func (c *crew) wantPurged(ctx context.Context, _ *jobs.Run, s *removeState) error {
	t, err := c.Store.TenantByID(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Name, err)
	}
	if s.Due && (t.Desired != fleet.DesiredRemoved || t.PurgeAt == nil || t.PurgeAt.After(c.Now())) {
		return fleet.Errorf(fleet.Conflict, "tenant %s is not due to leave the trash any more", s.Name)
	}
	return c.want(ctx, &s.whereabouts, fleet.DesiredRemoved, s.PurgeAt)
}

// purgeInstance needs no clean stop: nothing of the instance is kept.
func (c *crew) purgeInstance(ctx context.Context, run *jobs.Run, s *removeState) error {
	return c.deleteOwn(ctx, run, s.Name.String(), fleet.KeyTenant, s.ID)
}

func (c *crew) purgeRow(ctx context.Context, _ *jobs.Run, s *removeState) error {
	if err := c.Store.DeleteTenant(ctx, s.ID); err != nil {
		return fmt.Errorf("forget tenant %s: %w", s.Name, err)
	}
	c.Observer.Nudge(s.Name)
	return nil
}
