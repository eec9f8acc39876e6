package backups

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// restoreState is the state of backup.restore. What the tenant was is decided before the first
// step that changes it.
type restoreState struct {
	Backup fleet.Backup `json:"backup"`
	Kept   Keepsake     `json:"kept"`
	Tenant fleet.Tenant `json:"tenant"` // as it was when the job was asked for
	Member string       `json:"member,omitempty"`
	// Old says that the tenant had an instance, and OldKeys which of lxdfleet's keys and MAC
	// addresses that had.
	Old     bool              `json:"old,omitempty"`
	OldKeys map[string]string `json:"old_keys,omitempty"`
	WasUp   bool              `json:"was_up,omitempty"`
	Forced  bool              `json:"forced,omitempty"` // it was stopped by force
	// Safety is the snapshot of what the tenant was before. Without one, where there was no room
	// for it, the old instance is kept until Until.
	Safety string    `json:"safety,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

func (s *restoreState) instance() string { return s.Tenant.Name.String() }

// holdReason is that of requests which wait for a restore.
const holdReason = "restore"

// longestHold is how long requests wait at most, should this job never end.
const longestHold = 15 * time.Minute

// restore puts a tenant back in place. It serves until its new instance is ready to take over.
func (c *crew) restore() jobs.Kind[restoreState] {
	return jobs.Kind[restoreState]{
		Name:    KindRestore,
		Version: 1,
		Steps: []jobs.Step[restoreState]{
			{Name: "look", Do: c.lookAtOld},
			// Undo: the new instance and the image it came from go.
			{Name: "fetch", Do: c.fetchBeside, Undo: c.unfetchBeside},
			// Undo: requests go on.
			{Name: "hold", Do: c.holdRequests, Undo: c.letGo},
			// Undo: the old instance runs again, if it did.
			{Name: "stop", Do: c.stopOld, Undo: c.startOld},
			// Undo: the safety snapshot goes.
			{Name: "safety", Do: c.takeSafety, Undo: c.dropSafety},
			// Undo: each has its place and its keys again.
			{Name: "swap", Do: c.swap, Undo: c.swapBack},
			// Undo: the new instance is stopped, so that it can give the place back.
			{Name: "start", Do: c.startNew, Undo: c.stopNew},
			{Name: "await", Do: c.awaitNew},
			// From here the restored tenant serves.
			{Name: "finish", Do: c.finish},
		},
		Commit: "finish",
	}
}

// lookAtOld finds out what there is. It is not repeated once something was changed.
func (c *crew) lookAtOld(ctx context.Context, _ *jobs.Run, s *restoreState) error {
	b, err := c.Store.Backup(ctx, s.Backup.ID)
	if err != nil {
		return err
	}
	if err := undamaged(b); err != nil {
		return err
	}
	inst, there, err := c.instance(ctx, s.instance())
	if err != nil {
		return err
	}
	s.Member, s.Until = s.Tenant.Member, c.Now().Add(max(c.KeepOld, 0))
	if !there {
		if s.Member, err = c.Tenants.Place(ctx, s.Tenant); err != nil {
			return err
		}
		return nil
	}
	if inst.Config[fleet.KeyTenant] != s.Tenant.ID {
		return fleet.Errorf(fleet.Conflict, "the instance %s is not that of tenant %s", inst.Name, s.Tenant.Name).
			WithHint("see lxdfleet tenant show %s", s.Tenant.Name)
	}
	s.Old, s.Member, s.WasUp = true, inst.Location, inst.Status == fleet.InstanceRunning
	s.Safety = "before-restore-" + c.Now().UTC().Format("20060102-150405")
	s.OldKeys = macs(inst.Config)
	for _, key := range []string{fleet.KeyTenant, fleet.KeyRole, fleet.KeyReady, fleet.KeyJob} {
		s.OldKeys[key] = inst.Config[key]
	}
	return nil
}

func (c *crew) fetchBeside(ctx context.Context, run *jobs.Run, s *restoreState) error {
	config := s.Kept.plain()
	config[fleet.KeyRole] = fleet.RoleRestore
	return c.fetch(ctx, run, "", s.Backup, fleet.CloneSpec{
		Name: restoreName(run.JobID), Member: s.Member, Profiles: s.Kept.profiles(s.Tenant.Plan), Config: config, Devices: s.Kept.Devices,
	})
}

func (c *crew) unfetchBeside(ctx context.Context, run *jobs.Run, _ *restoreState) error {
	return c.unfetch(ctx, run, restoreName(run.JobID))
}

func (c *crew) holdRequests(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if err := c.Tenants.Hold(ctx, run, s.Tenant.Name, holdReason, longestHold); err != nil {
		if fleet.CodeOf(err) != fleet.Unavailable || ctx.Err() != nil {
			return err
		}
		say(run, "Not waited for any longer: %v", err)
	}
	return nil
}

func (c *crew) letGo(ctx context.Context, _ *jobs.Run, s *restoreState) error {
	if s.Old {
		if err := c.Tenants.Refresh(ctx, s.instance()); err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return err
		}
	}
	return c.resume(ctx, s)
}

// resume lets requests go on. A tenant that is gone has none.
func (c *crew) resume(ctx context.Context, s *restoreState) error {
	if err := c.Tenants.Resume(ctx, s.Tenant.Name, holdReason); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("let the requests of %s go on: %w", s.Tenant.Name, err)
	}
	return nil
}

// isOld reports whether the instance in the tenant's place is the one it had before.
func (c *crew) isOld(ctx context.Context, run *jobs.Run, s *restoreState) (bool, error) {
	inst, there, err := c.instance(ctx, s.instance())
	return there && inst.Config[fleet.KeyTenant] == s.Tenant.ID && inst.Config[fleet.KeyJob] != run.JobID, err
}

func (c *crew) stopOld(ctx context.Context, run *jobs.Run, s *restoreState) error {
	old, err := c.isOld(ctx, run, s)
	if err != nil || !old {
		return err
	}
	forced, err := c.LXD.EnsureStopped(ctx, s.instance(), c.StopTimeout)
	if err != nil {
		return fmt.Errorf("stop %s: %w", s.Tenant.Name, err)
	}
	if forced {
		s.Forced = true
		say(run, "%s did not stop cleanly within %s and was stopped by force", s.Tenant.Name, c.StopTimeout)
	}
	return nil
}

// takeSafety snapshots what the tenant is now. A pool or an instance without room must not be in
// the way of a restore, which may be the way out.
func (c *crew) takeSafety(ctx context.Context, run *jobs.Run, s *restoreState) error {
	old, err := c.isOld(ctx, run, s)
	if err != nil || !old || s.Safety == "" {
		return err
	}
	torn := ""
	if s.Forced {
		torn = "it was stopped by force"
	}
	err = c.Snapshots.Safety(ctx, run, s.Tenant, s.Safety, "before the restore of backup "+short(s.Backup.ID), torn)
	if fleet.CodeOf(err) != fleet.Exhausted {
		return err
	}
	say(run, "What %s is now cannot be kept as a snapshot: %v", s.Tenant.Name, err)
	if err := c.dropSafety(ctx, run, s); err != nil {
		return err
	}
	s.Safety = ""
	return nil
}

func (c *crew) dropSafety(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if s.Safety == "" {
		return nil
	}
	return c.Snapshots.Drop(ctx, run, s.Tenant.ID, s.Tenant.Name, s.Safety)
}

func (c *crew) startOld(ctx context.Context, run *jobs.Run, s *restoreState) error {
	old, err := c.isOld(ctx, run, s)
	if err != nil || !old || !s.WasUp {
		return err
	}
	if err := c.LXD.EnsureStarted(ctx, s.instance()); err != nil {
		return fmt.Errorf("start %s as it was: %w", s.Tenant.Name, err)
	}
	return nil
}

// swap puts the old instance aside and the new one in its place, with its MAC address, by which
// it keeps its IP address. Names change before keys: whoever writes the tenant's keys to the
// instance of its name must not reach the old one.
func (c *crew) swap(ctx context.Context, run *jobs.Run, s *restoreState) error {
	old, err := c.isOld(ctx, run, s)
	if err != nil {
		return err
	}
	if old {
		if err := c.LXD.EnsureRenamed(ctx, s.instance(), asideName(run.JobID)); err != nil {
			return fmt.Errorf("put %s aside: %w", s.Tenant.Name, err)
		}
	}
	if err := c.retire(ctx, run, s); err != nil {
		return err
	}
	if err := c.rename(ctx, restoreName(run.JobID), s.instance()); err != nil {
		return fmt.Errorf("put the restored instance into the place of %s: %w", s.Tenant.Name, err)
	}
	if err := c.mine(ctx, run, s.instance()); err != nil {
		return err
	}
	t, err := c.Store.TenantByID(ctx, s.Tenant.ID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Tenant.Name, err)
	}
	keys := c.Tenants.Keys(t)
	keys[fleet.KeyReady] = "true"
	addresses := macs(s.OldKeys)
	if !s.Old {
		addresses = macs(s.Kept.Config)
	}
	maps.Copy(keys, addresses)
	if err := c.LXD.SetConfig(ctx, s.instance(), keys); err != nil {
		return fmt.Errorf("write the keys of %s: %w", s.Tenant.Name, err)
	}
	return nil
}

// rename renames an instance that is there.
func (c *crew) rename(ctx context.Context, from, to string) error {
	_, there, err := c.instance(ctx, from)
	if err != nil || !there {
		return err
	}
	return c.LXD.EnsureRenamed(ctx, from, to)
}

// retire takes from the old instance, which was put aside, what makes it the tenant's. It goes on
// as the holder of the tenant's snapshots; without any it is kept for a while.
func (c *crew) retire(ctx context.Context, run *jobs.Run, s *restoreState) error {
	_, there, err := c.instance(ctx, asideName(run.JobID))
	if err != nil || !there {
		return err
	}
	if left, err := c.LXD.Snapshots(ctx, asideName(run.JobID)); err != nil {
		return fmt.Errorf("list the snapshots of %s: %w", s.Tenant.Name, err)
	} else if len(left) > 0 {
		return c.Snapshots.Retire(ctx, s.Tenant, asideName(run.JobID))
	}
	aside := map[string]string{
		fleet.KeyRole: fleet.RoleKept, fleet.KeyTenant: "", fleet.KeyReady: "", fleet.KeyJob: "",
		fleet.KeyKept: s.Tenant.ID, fleet.KeyUntil: s.Until.UTC().Format(time.RFC3339),
	}
	for key := range macs(s.OldKeys) {
		aside[key] = ""
	}
	if err := c.LXD.SetConfig(ctx, asideName(run.JobID), aside); err != nil {
		return fmt.Errorf("put %s aside: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) swapBack(ctx context.Context, run *jobs.Run, s *restoreState) error {
	inst, there, err := c.instance(ctx, s.instance())
	if err != nil {
		return err
	}
	if there && inst.Config[fleet.KeyJob] == run.JobID {
		if err := c.LXD.EnsureRenamed(ctx, s.instance(), restoreName(run.JobID)); err != nil {
			return fmt.Errorf("take the restored instance out of the place of %s: %w", s.Tenant.Name, err)
		}
	}
	if inst, there, err = c.instance(ctx, restoreName(run.JobID)); err != nil {
		return err
	} else if there {
		away := map[string]string{fleet.KeyRole: fleet.RoleRestore, fleet.KeyTenant: "", fleet.KeyReady: ""}
		for key := range macs(inst.Config) {
			away[key] = ""
		}
		if err := c.LXD.SetConfig(ctx, restoreName(run.JobID), away); err != nil {
			return fmt.Errorf("take the restored instance out of the place of %s: %w", s.Tenant.Name, err)
		}
	}
	if !s.Old {
		return nil
	}
	if err := c.rename(ctx, asideName(run.JobID), s.instance()); err != nil {
		return fmt.Errorf("put %s back into its place: %w", s.Tenant.Name, err)
	}
	keys := maps.Clone(s.OldKeys)
	keys[fleet.KeyKept], keys[fleet.KeyUntil], keys[fleet.KeyHistory] = "", "", ""
	err = c.LXD.SetConfig(ctx, s.instance(), keys)
	if err == nil {
		err = c.Snapshots.Regain(ctx, s.Tenant)
	}
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("give %s its keys and snapshots back: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) startNew(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if s.Tenant.Desired != fleet.DesiredRunning {
		return nil
	}
	if err := c.mine(ctx, run, s.instance()); err != nil {
		return err
	}
	if err := c.LXD.EnsureStarted(ctx, s.instance()); err != nil {
		return fmt.Errorf("start %s: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) stopNew(ctx context.Context, run *jobs.Run, s *restoreState) error {
	inst, there, err := c.instance(ctx, s.instance())
	if err != nil || !there || inst.Config[fleet.KeyJob] != run.JobID {
		return err
	}
	if _, err := c.LXD.EnsureStopped(ctx, s.instance(), 10*time.Second); err != nil {
		return fmt.Errorf("stop the restored instance: %w", err)
	}
	return nil
}

func (c *crew) awaitNew(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if s.Tenant.Desired != fleet.DesiredRunning {
		return nil
	}
	return c.Tenants.Await(ctx, run, s.Tenant)
}

func (c *crew) finish(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if err := c.Tenants.Refresh(ctx, s.instance()); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return err
	}
	if err := c.resume(ctx, s); err != nil {
		return err
	}
	c.Tenants.Nudge(s.Tenant.Name)
	aside, there, err := c.instance(ctx, asideName(run.JobID))
	if err != nil {
		return err
	}
	switch kept := there && aside.Config[fleet.KeyRole] == fleet.RoleKept; {
	case there && s.Safety != "":
		say(run, "What %s was before is its snapshot %s", s.Tenant.Name, s.Safety)
	case there && !kept:
		say(run, "What %s was before is kept, stopped, as the instance %s until its snapshots are deleted", s.Tenant.Name, asideName(run.JobID))
	case kept && c.KeepOld < 0:
		if err := c.LXD.EnsureDeleted(ctx, asideName(run.JobID)); err != nil {
			return fmt.Errorf("delete the old instance of %s: %w", s.Tenant.Name, err)
		}
	case kept:
		say(run, "What %s was before is kept, stopped, as the instance %s until %s", s.Tenant.Name, asideName(run.JobID), s.Until.UTC().Format(time.RFC3339))
	}
	c.tell("backup.restored", ofEntry(s.Backup.ID), s.Tenant.Name)
	return nil
}
