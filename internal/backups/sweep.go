package backups

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Sweep deletes the instances that restores have kept, when their time is over.
type Sweep struct {
	Deps Deps
	// Every is the time between two looks. Default a minute.
	Every time.Duration
}

// Run sweeps until ctx ends.
func (w *Sweep) Run(ctx context.Context) {
	w.Deps = w.Deps.withDefaults()
	for {
		if err := w.Once(ctx); err != nil && ctx.Err() == nil {
			w.Deps.Log.Warn("instances that restores have kept cannot be swept", "error", err)
		}
		if pause(ctx, cmp.Or(w.Every, time.Minute)) != nil {
			return
		}
	}
}

// Once deletes those whose time is over now. One that runs is somebody's concern and stays.
func (w *Sweep) Once(ctx context.Context) error {
	d := w.Deps.withDefaults()
	all, err := d.LXD.Instances(ctx, false)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	for _, inst := range all {
		if !over(inst, d.Now()) {
			continue
		}
		// Read again: an operator may have taken it back in between.
		again, err := d.LXD.Instance(ctx, inst.Name)
		if fleet.CodeOf(err) == fleet.NotFound || err == nil && !over(again, d.Now()) {
			continue
		}
		if err == nil {
			err = d.LXD.EnsureDeleted(ctx, inst.Name)
		}
		if err != nil {
			return fmt.Errorf("delete the kept instance %s: %w", inst.Name, err)
		}
		d.Log.Info("deleted an instance that a restore had kept", "instance", inst.Name)
	}
	return nil
}

func over(inst fleet.Instance, now time.Time) bool {
	if inst.Config[fleet.KeyRole] != fleet.RoleKept || inst.Status != fleet.InstanceStopped {
		return false
	}
	until, err := time.Parse(time.RFC3339, inst.Config[fleet.KeyUntil])
	return err == nil && now.After(until)
}
