package app

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// gates are those of all proxies, as jobs on tenants need them.
type gates struct{ *App }

// Follow implements tenants.Gates. What every proxy does it also does after it was killed.
func (g gates) Follow(ctx context.Context) error {
	if g.routes == nil {
		return nil
	}
	generation, err := g.routes.Refresh(ctx)
	if err != nil {
		return err
	}
	if g.proxy != nil {
		if err := g.proxy.WaitSaved(ctx); err != nil {
			return err
		}
	}
	return g.hub.WaitSeen(ctx, generation)
}

// Clear implements tenants.Gates.
func (g gates) Clear(ctx context.Context, tenant fleet.Name) error {
	if err := g.Follow(ctx); err != nil {
		return err
	}
	return g.hub.Drain(ctx, tenant)
}
