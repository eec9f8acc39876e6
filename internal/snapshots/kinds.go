package snapshots

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// The kinds of jobs on a tenant's snapshots. The subject of each is "tenant/NAME".
const (
	KindCreate  = "snapshot.create"
	KindDelete  = "snapshot.delete"
	KindRestore = fleet.KindRestore
)

// KindDeps is what the steps of the jobs work with.
type KindDeps struct {
	LXD     LXD
	Store   Store
	Images  Images
	Tenants Tenants
	// Changed is told the name of a tenant whose snapshots changed; nil: nobody is.
	Changed func(tenant fleet.Name)
	// HoldLimit is how long an application is held still at most, where its tenant has no limit of
	// its own. Default 5 s.
	HoldLimit time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// crew gives the steps their hands.
type crew struct{ KindDeps }

func newCrew(deps KindDeps) *crew {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Changed == nil {
		deps.Changed = func(fleet.Name) {}
	}
	deps.HoldLimit = cmp.Or(deps.HoldLimit, 5*time.Second)
	return &crew{deps}
}

// Register makes every kind of job on snapshots known to the engine.
func Register(reg *jobs.Registry, deps KindDeps) error {
	c := newCrew(deps)
	return cmp.Or(
		jobs.Register(reg, c.create()),
		jobs.Register(reg, c.delete()),
		jobs.Register(reg, c.restore()),
	)
}

// createState is the state of snapshot.create.
type createState struct {
	TenantID string         `json:"tenant_id"`
	Snapshot fleet.Snapshot `json:"snapshot"`
	// Crash: without holding the application still.
	Crash bool `json:"crash,omitempty"`
}

// create takes a snapshot.
func (c *crew) create() jobs.Kind[createState] {
	return jobs.Kind[createState]{
		Name:    KindCreate,
		Version: 1,
		Steps: []jobs.Step[createState]{
			// Undo: nothing is written down.
			{Name: "reserve", Do: c.reserve, Undo: c.unreserve},
			// Undo: the snapshot goes. It is this job's: the name was free.
			{Name: "take", Do: c.takeNew, Undo: c.untake},
			{Name: "record", Do: c.record},
		},
		Commit: "record",
	}
}

func (c *crew) reserve(ctx context.Context, run *jobs.Run, s *createState) error {
	s.Snapshot.JobID, s.Snapshot.CreatedAt = run.JobID, c.Now()
	return c.book(ctx, run, s.TenantID, s.Snapshot)
}

// book takes a name for a snapshot of this job. It fails with fleet.Taken where LXD has one.
func (c *crew) book(ctx context.Context, run *jobs.Run, tenantID string, n fleet.Snapshot) error {
	records, err := c.Store.Snapshots(ctx, tenantID)
	if err != nil {
		return fmt.Errorf("read what is known of the snapshots of %s: %w", n.Tenant, err)
	}
	if records[n.Name].JobID == run.JobID {
		return nil // a repeat
	}
	there, err := c.LXD.Snapshots(ctx, n.Tenant.String())
	if err != nil {
		return fmt.Errorf("list the snapshots of %s: %w", n.Tenant, err)
	}
	if slices.ContainsFunc(there, func(is fleet.InstanceSnapshot) bool { return is.Name == n.Name }) {
		return fleet.Errorf(fleet.Taken, "tenant %s has a snapshot %s already", n.Tenant, n.Name).WithField("name").WithHint("choose another name")
	}
	// Should this process die, what is known is the worst.
	n.Consistency, n.Why = fleet.ConsistentCrash, "lxdfleet ended while it was taken"
	if err := c.Store.SaveSnapshot(ctx, tenantID, n); err != nil {
		return fmt.Errorf("write down snapshot %s of %s: %w", n.Name, n.Tenant, err)
	}
	return nil
}

func (c *crew) unreserve(ctx context.Context, run *jobs.Run, s *createState) error {
	return c.unbook(ctx, run, s.TenantID, s.Snapshot)
}

func (c *crew) unbook(ctx context.Context, run *jobs.Run, tenantID string, n fleet.Snapshot) error {
	if ours, err := c.ours(ctx, run, tenantID, n.Name); err != nil || !ours {
		return err
	}
	if err := c.Store.DeleteSnapshot(ctx, tenantID, n.Name); err != nil {
		return fmt.Errorf("forget snapshot %s of %s: %w", n.Name, n.Tenant, err)
	}
	c.Changed(n.Tenant)
	return nil
}

// ours reports whether this job has the name: only then is a snapshot of that name its own.
func (c *crew) ours(ctx context.Context, run *jobs.Run, tenantID, snapshot string) (bool, error) {
	records, err := c.Store.Snapshots(ctx, tenantID)
	if err != nil {
		return false, fmt.Errorf("read what is known of the tenant's snapshots: %w", err)
	}
	return records[snapshot].JobID == run.JobID, nil
}

// takeNew takes the snapshot. One that is there already was taken by this step, which did not
// come to say what it is worth: it is taken anew.
func (c *crew) takeNew(ctx context.Context, run *jobs.Run, s *createState) error {
	t, err := c.Store.TenantByID(ctx, s.TenantID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Snapshot.Tenant, err)
	}
	got, at, err := c.takeAnew(ctx, run, t, s.Snapshot.Name, !s.Crash)
	if err != nil {
		return err
	}
	s.Snapshot.CreatedAt = at
	s.Snapshot.Consistency, s.Snapshot.Why, s.Snapshot.Held = got.Consistency, got.Why, got.Held
	return nil
}

func (c *crew) takeAnew(ctx context.Context, run *jobs.Run, t fleet.Tenant, snapshot string, still bool) (worth, time.Time, error) {
	there, err := c.LXD.Snapshots(ctx, t.Name.String())
	if err != nil {
		return worth{}, time.Time{}, fmt.Errorf("list the snapshots of %s: %w", t.Name, err)
	}
	if slices.ContainsFunc(there, func(is fleet.InstanceSnapshot) bool { return is.Name == snapshot }) {
		if err := c.LXD.EnsureSnapshotDeleted(ctx, t.Name.String(), snapshot); err != nil {
			return worth{}, time.Time{}, fmt.Errorf("delete snapshot %s of %s: %w", snapshot, t.Name, err)
		}
	}
	at := c.Now()
	got, err := c.take(ctx, run, t, snapshot, still)
	if err == nil && got.Why != "" {
		_, _ = fmt.Fprintf(run.Output(), "The snapshot is crash-consistent: %s.\n", got.Why)
	}
	return got, at, err
}

func (c *crew) untake(ctx context.Context, run *jobs.Run, s *createState) error {
	if ours, err := c.ours(ctx, run, s.TenantID, s.Snapshot.Name); err != nil || !ours {
		return err
	}
	if err := c.LXD.EnsureSnapshotDeleted(ctx, s.Snapshot.Tenant.String(), s.Snapshot.Name); err != nil {
		return fmt.Errorf("delete snapshot %s of %s: %w", s.Snapshot.Name, s.Snapshot.Tenant, err)
	}
	return nil
}

func (c *crew) record(ctx context.Context, _ *jobs.Run, s *createState) error {
	if err := c.Store.SaveSnapshot(ctx, s.TenantID, s.Snapshot); err != nil {
		return fmt.Errorf("write down snapshot %s of %s: %w", s.Snapshot.Name, s.Snapshot.Tenant, err)
	}
	c.Changed(s.Snapshot.Tenant)
	return nil
}

// owned fails with fleet.Conflict where the instance is there and not the tenant's: what is in it
// is not ours to change.
func (c *crew) owned(ctx context.Context, instance, tenantID string) error {
	inst, err := c.LXD.Instance(ctx, instance)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return nil
	case err != nil:
		return fmt.Errorf("read instance %s: %w", instance, err)
	case inst.Config[fleet.KeyTenant] != tenantID && inst.Config[fleet.KeyHistory] != tenantID:
		return fleet.Errorf(fleet.Conflict, "the instance %s is not that of the tenant", instance).
			WithHint("see whose it is: lxc config show %s", instance)
	}
	return nil
}

// deleteState is the state of snapshot.delete.
type deleteState struct {
	TenantID  string     `json:"tenant_id"`
	Tenant    fleet.Name `json:"tenant"`
	Snapshots []string   `json:"snapshots"`
	// Force: also those that are pinned.
	Force bool `json:"force,omitempty"`
	// Policy is whose rules do not keep them; empty: somebody asked.
	Policy string `json:"policy,omitempty"`
}

// delete deletes snapshots. What is deleted cannot be brought back.
func (c *crew) delete() jobs.Kind[deleteState] {
	return jobs.Kind[deleteState]{
		Name:    KindDelete,
		Version: 1,
		Steps: []jobs.Step[deleteState]{
			{Name: "delete", Do: c.deleteAll},
		},
		Commit: "delete",
	}
}

func (c *crew) deleteAll(ctx context.Context, run *jobs.Run, s *deleteState) error {
	records, err := c.Store.Snapshots(ctx, s.TenantID)
	if err != nil {
		return fmt.Errorf("read what is known of the snapshots of %s: %w", s.Tenant, err)
	}
	for i, name := range s.Snapshots {
		record := records[name]
		if record.Pinned && !s.Force {
			_, _ = fmt.Fprintf(run.Output(), "The snapshot %s is pinned by now; it stays.\n", name)
			continue
		}
		from := cmp.Or(record.Instance, s.Tenant.String())
		if err := c.owned(ctx, from, s.TenantID); err != nil {
			return err
		}
		run.Progress(fleet.Progress{Message: "delete " + name, Percent: 100 * i / len(s.Snapshots)})
		if err := c.LXD.EnsureSnapshotDeleted(ctx, from, name); err != nil {
			return fmt.Errorf("delete snapshot %s of %s: %w", name, s.Tenant, err)
		}
		if err := c.Store.DeleteSnapshot(ctx, s.TenantID, name); err != nil {
			return fmt.Errorf("forget snapshot %s of %s: %w", name, s.Tenant, err)
		}
		if record.Instance != "" {
			if err := c.clear(ctx, record.Instance, s.TenantID); err != nil {
				return err
			}
		}
	}
	c.Changed(s.Tenant)
	return nil
}
