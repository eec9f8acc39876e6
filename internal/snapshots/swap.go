package snapshots

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// A file system such as ZFS goes back only to its newest snapshot, and a copy of an older one has
// no snapshots. So the copy takes the place of the tenant's instance, and that one, stopped, goes
// on as its history: it has the snapshots, older and newer, and is deleted with the last of them.

func (c *crew) restoreSwap(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if !s.Swap {
		return nil
	}
	defer c.Tenants.Grip(s.instance())()
	swapped, err := c.has(ctx, s.instance(), fleet.KeyJob, run.JobID)
	if err != nil {
		return err
	}
	if !swapped {
		if there, err := c.has(ctx, s.instance(), fleet.KeyTenant, s.TenantID); err != nil {
			return err
		} else if there {
			if err := c.LXD.EnsureRenamed(ctx, s.instance(), s.History); err != nil {
				return fmt.Errorf("put the instance of %s aside: %w", s.Tenant, err)
			}
		}
	}
	if err := c.retire(ctx, s.tenant(), s.History); err != nil {
		return err
	}
	if !swapped {
		if err := c.LXD.EnsureRenamed(ctx, s.Copy, s.instance()); err != nil {
			return fmt.Errorf("put the restored instance in the place of %s: %w", s.Tenant, err)
		}
	}
	now := facts{Config: maps.Clone(s.Before.Config), Profiles: s.Before.Profiles}
	now.Config[fleet.KeyJob] = run.JobID
	return c.reapply(ctx, s.instance(), now)
}

// has reports whether the instance exists and carries the value under the key.
func (c *crew) has(ctx context.Context, instance, key, value string) (bool, error) {
	inst, err := c.LXD.Instance(ctx, instance)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read instance %s: %w", instance, err)
	}
	return inst.Config[key] == value, nil
}

// retire makes the instance that was put aside the tenant's history, and writes down that it has
// the snapshots.
func (c *crew) retire(ctx context.Context, t fleet.Tenant, history string) error {
	inst, err := c.LXD.Instance(ctx, history)
	if err != nil {
		return fmt.Errorf("read instance %s: %w", history, err)
	}
	set := map[string]string{fleet.KeyRole: fleet.RoleHistory, fleet.KeyHistory: t.ID, fleet.KeyTenant: "", fleet.KeyReady: ""}
	for key := range inst.Config {
		if strings.HasSuffix(key, ".hwaddr") { // LXD does not start an instance while another has its address
			set[key] = ""
		}
	}
	if err := c.LXD.SetConfig(ctx, history, set); err != nil {
		return fmt.Errorf("mark %s: %w", history, err)
	}
	return c.located(ctx, t, history)
}

// located writes down which instance has the snapshots that it has now.
func (c *crew) located(ctx context.Context, t fleet.Tenant, instance string) error {
	there, err := c.LXD.Snapshots(ctx, instance)
	if err != nil {
		return fmt.Errorf("list the snapshots of %s: %w", t.Name, err)
	}
	if instance == t.Name.String() {
		instance = ""
	}
	for _, is := range there {
		first := unknown(t, is.Name)
		first.CreatedAt = is.CreatedAt
		_, err := c.Store.EditSnapshot(ctx, t.ID, first, func(n *fleet.Snapshot) { n.Instance = instance })
		if err != nil {
			return fmt.Errorf("write down where snapshot %s of %s is: %w", is.Name, t.Name, err)
		}
	}
	return nil
}

func (c *crew) restoreUnswap(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if !s.Swap {
		return nil
	}
	defer c.Tenants.Grip(s.instance())()
	aside, err := c.has(ctx, s.History, fleet.KeyHistory, s.TenantID)
	if err == nil && !aside { // put aside, and not marked yet
		aside, err = c.has(ctx, s.History, fleet.KeyTenant, s.TenantID)
	}
	if err != nil || !aside {
		return err
	}
	if swapped, err := c.has(ctx, s.instance(), fleet.KeyJob, run.JobID); err != nil {
		return err
	} else if swapped {
		if err := c.Tenants.Kill(ctx, s.tenant()); err != nil {
			return err
		}
		if err := c.LXD.EnsureRenamed(ctx, s.instance(), s.Copy); err != nil {
			return fmt.Errorf("take the restored instance out of the place of %s: %w", s.Tenant, err)
		}
		// It is the tenant's no more; what undoes the step before deletes it.
		set := map[string]string{fleet.KeyRole: fleet.RoleRestore, fleet.KeyTenant: "", fleet.KeyReady: ""}
		if err := c.LXD.SetConfig(ctx, s.Copy, set); err != nil {
			return fmt.Errorf("mark %s: %w", s.Copy, err)
		}
	}
	if err := c.LXD.EnsureRenamed(ctx, s.History, s.instance()); err != nil {
		return fmt.Errorf("give the instance of %s its name again: %w", s.Tenant, err)
	}
	if err := c.reapply(ctx, s.instance(), s.Before); err != nil {
		return err
	}
	return c.located(ctx, s.tenant(), s.instance())
}

// clear deletes a history that has no snapshots any more.
func (c *crew) clear(ctx context.Context, history, tenantID string) error {
	mine, err := c.has(ctx, history, fleet.KeyHistory, tenantID)
	if err != nil || !mine {
		return err
	}
	left, err := c.LXD.Snapshots(ctx, history)
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && len(left) > 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the snapshots of %s: %w", history, err)
	}
	if err := c.LXD.EnsureDeleted(ctx, history); err != nil {
		return fmt.Errorf("delete %s, which has no snapshots any more: %w", history, err)
	}
	return nil
}
