package snapshots

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// restoreState is the state of snapshot.restore.
type restoreState struct {
	TenantID string     `json:"tenant_id"`
	Tenant   fleet.Name `json:"tenant"`
	Snapshot string     `json:"snapshot"`
	Holder   string     `json:"holder"` // the instance that has it
	Safety   string     `json:"safety"` // the snapshot taken before
	// WasUp: the instance ran when the job began, and runs again afterwards.
	WasUp bool `json:"was_up,omitempty"`

	Before facts `json:"before"`
	Worth  worth `json:"worth"` // of the safety snapshot
	// Copy and History are names of instances, where the snapshot cannot be restored in place: a
	// copy of it takes the place of the tenant's instance, which keeps its snapshots as History.
	Copy    string `json:"copy,omitempty"`
	History string `json:"history,omitempty"`
	Swap    bool   `json:"swap,omitempty"`
}

// facts are what a tenant's instance has besides its files, and keeps through a restore.
type facts struct {
	Config   map[string]string `json:"config,omitempty"`
	Profiles []string          `json:"profiles,omitempty"`
}

// restore brings a tenant back to a snapshot. All is undone until it has passed its health check.
func (c *crew) restore() jobs.Kind[restoreState] {
	return jobs.Kind[restoreState]{
		Name:    KindRestore,
		Version: 1,
		Steps: []jobs.Step[restoreState]{
			// Undo: nothing is written down of a safety snapshot.
			{Name: "reserve", Do: c.restoreReserve, Undo: c.restoreUnreserve},
			// Undo: visitors go on.
			{Name: "hold", Do: c.restoreHold, Undo: c.restoreShow},
			// Undo: the safety snapshot goes.
			{Name: "safety", Do: c.restoreSafety, Undo: c.restoreUnsafety},
			// Undo: a tenant that ran goes on serving.
			{Name: "stop", Do: c.restoreStop, Undo: c.restoreBack},
			// Undo: the files are those of the safety snapshot.
			{Name: "restore", Do: c.restoreFiles, Undo: c.restoreSafetyFiles},
			// Undo: the instance of before has its name again.
			{Name: "swap", Do: c.restoreSwap, Undo: c.restoreUnswap},
			// No undo: an instance that runs is stopped by the undos before.
			{Name: "start", Do: c.restoreStart},
			{Name: "await", Do: c.restoreAwait},
			// From here the tenant serves what was restored.
			{Name: "record", Do: c.restoreRecord},
		},
		Commit: "record",
	}
}

func (s *restoreState) instance() string { return s.Tenant.String() }

func (s *restoreState) safety() fleet.Snapshot {
	return fleet.Snapshot{
		Tenant: s.Tenant, Name: s.Safety, Origin: fleet.OriginSafety, Note: "before the restore of " + s.Snapshot,
		Consistency: s.Worth.Consistency, Why: s.Worth.Why, Held: s.Worth.Held,
	}
}

func (c *crew) restoreReserve(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if err := c.owned(ctx, s.instance(), s.TenantID); err != nil {
		return err
	}
	inst, err := c.LXD.Instance(ctx, s.instance())
	if err != nil {
		return fmt.Errorf("read instance %s: %w", s.Tenant, err)
	}
	// LXD is asked: a daemon that was just started has not seen the instance yet.
	s.Before, s.WasUp = factsOf(inst), inst.Status == fleet.InstanceRunning
	s.Copy = fleet.ReservedPrefix + "restore-" + run.JobID
	s.History = historyName(s.TenantID, run.JobID)
	n := s.safety()
	n.JobID, n.CreatedAt = run.JobID, c.Now()
	return c.book(ctx, run, s.TenantID, n)
}

// historyName is unlike that of any other history of the tenant, and tells whose it is.
func historyName(tenantID, jobID string) string {
	return fleet.ReservedPrefix + "history-" + tenantID + "-" + jobID[max(len(jobID)-8, 0):]
}

func factsOf(inst fleet.Instance) facts {
	f := facts{Config: map[string]string{}, Profiles: slices.Clone(inst.Profiles)}
	for key, value := range inst.Config {
		// An address is asked for by the hardware address.
		if !strings.HasPrefix(key, "volatile.") || strings.HasSuffix(key, ".hwaddr") {
			f.Config[key] = value
		}
	}
	return f
}

func (c *crew) restoreUnreserve(ctx context.Context, run *jobs.Run, s *restoreState) error {
	return c.unbook(ctx, run, s.TenantID, s.safety())
}

func (c *crew) restoreHold(ctx context.Context, run *jobs.Run, s *restoreState) error {
	return c.Tenants.Hold(ctx, run, s.Tenant)
}

func (c *crew) restoreShow(_ context.Context, _ *jobs.Run, s *restoreState) error {
	c.Tenants.Show(s.Tenant)
	return nil
}

// restoreSafety takes the safety snapshot while the application is held still or, where it
// cannot be, has been stopped cleanly.
func (c *crew) restoreSafety(ctx context.Context, run *jobs.Run, s *restoreState) error {
	defer c.Tenants.Grip(s.instance())()
	t, err := c.Store.TenantByID(ctx, s.TenantID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Tenant, err)
	}
	if s.Worth, _, err = c.takeAnew(ctx, run, t, s.Safety, true); err != nil {
		return err
	}
	if s.Worth.Consistency == fleet.ConsistentApplication {
		return nil
	}
	if err := c.Tenants.Stop(ctx, run, t, 0); err != nil {
		return err
	}
	s.Worth, _, err = c.takeAnew(ctx, run, t, s.Safety, true)
	return err
}

func (c *crew) restoreUnsafety(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if ours, err := c.ours(ctx, run, s.TenantID, s.Safety); err != nil || !ours {
		return err
	}
	if err := c.LXD.EnsureSnapshotDeleted(ctx, s.instance(), s.Safety); err != nil {
		return fmt.Errorf("delete snapshot %s of %s: %w", s.Safety, s.Tenant, err)
	}
	return nil
}

// tenantOf is the job's tenant, for Tenants.
func (s *restoreState) tenant() fleet.Tenant { return fleet.Tenant{ID: s.TenantID, Name: s.Tenant} }

// restoreStop needs no clean stop: what the instance has now is in the safety snapshot.
func (c *crew) restoreStop(ctx context.Context, _ *jobs.Run, s *restoreState) error {
	defer c.Tenants.Grip(s.instance())()
	return c.Tenants.Kill(ctx, s.tenant())
}

func (c *crew) restoreBack(ctx context.Context, _ *jobs.Run, s *restoreState) error {
	if _, err := c.LXD.Instance(ctx, s.instance()); fleet.CodeOf(err) == fleet.NotFound {
		return nil // deleted by hand
	}
	if !s.WasUp {
		if err := c.Tenants.Kill(ctx, s.tenant()); err != nil {
			return err
		}
		return c.Tenants.Look(ctx, s.instance())
	}
	return c.Tenants.Start(ctx, s.tenant())
}

func (c *crew) restoreFiles(ctx context.Context, run *jobs.Run, s *restoreState) error {
	defer c.Tenants.Grip(s.instance())()
	run.Progress(fleet.Progress{Message: "restore " + s.Snapshot})
	s.Swap = s.Holder != s.instance()
	if !s.Swap {
		err := c.LXD.EnsureRestored(ctx, s.instance(), s.Snapshot)
		if err == nil {
			return c.reapply(ctx, s.instance(), s.Before)
		}
		if fleet.CodeOf(err) != fleet.Unsupported {
			return fmt.Errorf("restore %s: %w", s.Tenant, err)
		}
		s.Swap = true
	}
	inst, err := c.LXD.Instance(ctx, s.instance())
	if err != nil {
		return fmt.Errorf("read instance %s: %w", s.Tenant, err)
	}
	err = c.LXD.EnsureCopy(ctx, fleet.CopySpec{
		Source: s.Holder, Snapshot: s.Snapshot, Name: s.Copy, Member: inst.Location, Profiles: s.Before.Profiles,
		Config: map[string]string{fleet.KeyJob: run.JobID, fleet.KeyRole: fleet.RoleRestore},
	}, run.Progress)
	if err != nil {
		return fmt.Errorf("copy snapshot %s of %s: %w", s.Snapshot, s.Tenant, err)
	}
	return nil
}

// restoreSafetyFiles takes back a restore in place, and removes the copy of another.
func (c *crew) restoreSafetyFiles(ctx context.Context, run *jobs.Run, s *restoreState) error {
	defer c.Tenants.Grip(s.instance())()
	if err := c.deleteCopy(ctx, run, s); err != nil || s.Swap {
		return err
	}
	if ours, err := c.ours(ctx, run, s.TenantID, s.Safety); err != nil || !ours {
		return err
	}
	if err := c.Tenants.Kill(ctx, s.tenant()); err != nil {
		return err
	}
	err := c.LXD.EnsureRestored(ctx, s.instance(), s.Safety)
	switch fleet.CodeOf(err) {
	case "":
		return c.reapply(ctx, s.instance(), s.Before)
	case fleet.NotFound: // the instance, or the snapshot, was deleted by hand
		_, _ = fmt.Fprintf(run.Output(), "The safety snapshot is gone: %v\n", err)
		return nil
	case fleet.Unsupported: // it is not the newest: then nothing was restored in place either
		return nil
	}
	return fmt.Errorf("bring %s back to its safety snapshot: %w", s.Tenant, err)
}

func (c *crew) deleteCopy(ctx context.Context, run *jobs.Run, s *restoreState) error {
	inst, err := c.LXD.Instance(ctx, s.Copy)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return nil
	case err != nil:
		return fmt.Errorf("read instance %s: %w", s.Copy, err)
	case inst.Config[fleet.KeyJob] != run.JobID:
		return nil
	}
	if err := c.LXD.EnsureDeleted(ctx, s.Copy); err != nil {
		return fmt.Errorf("delete instance %s: %w", s.Copy, err)
	}
	return nil
}

// reapply gives an instance the configuration and profiles it had: LXD brings back those of the
// snapshot.
func (c *crew) reapply(ctx context.Context, instance string, before facts) error {
	inst, err := c.LXD.Instance(ctx, instance)
	if err != nil {
		return fmt.Errorf("read instance %s: %w", instance, err)
	}
	now := factsOf(inst)
	set := map[string]string{}
	for key := range now.Config {
		if _, had := before.Config[key]; !had {
			set[key] = ""
		}
	}
	maps.Copy(set, before.Config)
	if !slices.Equal(now.Profiles, before.Profiles) {
		if err := c.LXD.SetProfiles(ctx, instance, before.Profiles); err != nil {
			return fmt.Errorf("give %s its profiles: %w", instance, err)
		}
	}
	if !maps.Equal(now.Config, before.Config) {
		if err := c.LXD.SetConfig(ctx, instance, set); err != nil {
			return fmt.Errorf("give %s its configuration: %w", instance, err)
		}
	}
	return nil
}

func (c *crew) restoreStart(ctx context.Context, _ *jobs.Run, s *restoreState) error {
	if !s.WasUp {
		return c.Tenants.Look(ctx, s.instance())
	}
	return c.Tenants.Start(ctx, s.tenant())
}

func (c *crew) restoreAwait(ctx context.Context, run *jobs.Run, s *restoreState) error {
	if !s.WasUp {
		return nil
	}
	t, err := c.Store.TenantByID(ctx, s.TenantID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Tenant, err)
	}
	if err := c.Tenants.Await(ctx, run, t); err != nil {
		if fleet.CodeOf(err) == fleet.Unhealthy {
			return fleet.Errorf(fleet.Unhealthy, "%s is not well with snapshot %s and is brought back to what it was: %w", s.Tenant, s.Snapshot, err).
				WithHint("look into the snapshot with a clone of it: lxdfleet snapshot clone %s %s NEW", s.Tenant, s.Snapshot)
		}
		return err
	}
	return nil
}

func (c *crew) restoreRecord(ctx context.Context, _ *jobs.Run, s *restoreState) error {
	_, err := c.Store.EditSnapshot(ctx, s.TenantID, s.safety(), func(n *fleet.Snapshot) {
		n.Consistency, n.Why, n.Held = s.Worth.Consistency, s.Worth.Why, s.Worth.Held
	})
	if err != nil {
		return fmt.Errorf("write down snapshot %s of %s: %w", s.Safety, s.Tenant, err)
	}
	c.Changed(s.Tenant)
	c.Tenants.Show(s.Tenant)
	return nil
}
