package migration

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// took notes where the hold's time went.
func (s *moveState) took(what string, since time.Time) {
	if s.Times == nil {
		s.Times = map[string]time.Duration{}
	}
	s.Times[what] = time.Since(since)
}

const keyAutostart = "boot.autostart"

// hold has the tenant's requests wait.
func (c *crew) hold(ctx context.Context, run *jobs.Run, s *moveState) error {
	s.HeldAt = c.Now()
	defer s.took("hold", time.Now())
	if err := c.Tenants.Pause(ctx, run, s.ID, "move to "+s.To); err != nil {
		return fmt.Errorf("hold the requests of %s: %w", s.Name, err)
	}
	return nil
}

func (c *crew) unhold(ctx context.Context, run *jobs.Run, s *moveState) error {
	if err := c.Tenants.Resume(ctx, run, s.ID); err != nil {
		return fmt.Errorf("let the requests of %s go on: %w", s.Name, err)
	}
	if !s.HeldAt.IsZero() {
		s.Waited = c.Now().Sub(s.HeldAt)
	}
	return nil
}

func (c *crew) unstop(ctx context.Context, run *jobs.Run, s *moveState) error {
	if !s.WasUp {
		return nil
	}
	t, err := c.Store.TenantByID(ctx, s.ID)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Name, err)
	}
	if _, err := c.source(ctx, s); err != nil {
		return err
	}
	if err := c.Tenants.Start(ctx, t); err != nil {
		return err
	}
	if err := c.Tenants.Await(ctx, run, t); err != nil && fleet.CodeOf(err) != fleet.Unhealthy {
		return err
	}
	return nil
}

// swap gives the copy the tenant's name, its keys and its network addresses. The original keeps
// its keys under another role, and does not start by itself any more, not with its member either.
//
// Where the copy has to be Fresh, a clone of it, which shares its blocks, becomes the tenant: btrfs
// marks a subvolume with the one it was received from, for good, and LXD (5.0 to 6.3, by its source)
// compares those marks in the wrong way when a snapshot that was received is sent on. The next
// move could not send differences. A clone has no such marks. A tenant that has no snapshots of its
// own does without: those of the passes are deleted.
func (c *crew) swap(ctx context.Context, run *jobs.Run, s *moveState) error {
	defer s.took("swap", time.Now())
	defer c.Tenants.Grip(s.tenant())()
	t, err := c.Store.TenantByID(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Name, err)
	}
	original, err := c.original(ctx, run, s)
	if err != nil {
		return err
	}
	if original.Name == s.tenant() {
		if err := c.LXD.SetConfig(ctx, original.Name, leftKeys(run, s)); err != nil {
			return fmt.Errorf("set the original of %s aside: %w", s.Name, err)
		}
		if err := c.LXD.EnsureRenamed(ctx, original.Name, leftName(run.JobID)); err != nil {
			return fmt.Errorf("set the original of %s aside: %w", s.Name, err)
		}
	}
	keys := c.takenKeys(run, s, t, original)
	if s.Fresh {
		return c.cloneCopy(ctx, run, s, keys)
	}
	if err := c.LXD.EnsureRenamed(ctx, copyName(run.JobID), s.tenant()); err != nil {
		return fmt.Errorf("give the copy the name %s: %w", s.Name, err)
	}
	if err := c.LXD.SetConfig(ctx, s.tenant(), keys); err != nil {
		return fmt.Errorf("give the copy what makes it %s: %w", s.Name, err)
	}
	return nil
}

func (c *crew) cloneCopy(ctx context.Context, run *jobs.Run, s *moveState, keys map[string]string) error {
	inst, err := c.LXD.Instance(ctx, copyName(run.JobID))
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("read the copy of %s: %w", s.Name, err)
	}
	config := map[string]string{}
	for key, value := range inst.Config {
		if !strings.HasPrefix(key, "volatile.") {
			config[key] = value
		}
	}
	maps.Copy(config, keys)
	err = c.LXD.EnsureCopy(ctx, fleet.CopySpec{
		Source: copyName(run.JobID), Name: s.tenant(), Member: s.To, Config: config, Snapshots: true,
		KeepIDs: s.KeepIDs,
	}, nil)
	if err != nil {
		return fmt.Errorf("clone the copy of %s: %w", s.Name, err)
	}
	return nil
}

// original finds the instance the tenant had, under whichever of its two names.
func (c *crew) original(ctx context.Context, run *jobs.Run, s *moveState) (fleet.Instance, error) {
	for _, name := range []string{s.tenant(), leftName(run.JobID)} { // mostly it has the first still
		inst, err := c.LXD.Instance(ctx, name)
		if fleet.CodeOf(err) == fleet.NotFound {
			continue
		}
		if err != nil {
			return inst, fmt.Errorf("read instance %s: %w", name, err)
		}
		if !isCopy(run, inst) && (inst.Config[fleet.KeyTenant] == s.ID || inst.Config[fleet.KeyMoveOf] == s.ID) {
			return inst, nil
		}
	}
	return fleet.Instance{}, fleet.Errorf(fleet.NotFound, "the instance of %s is missing from LXD", s.Name).
		WithHint("restore it from a backup: lxdfleet backup list %s", s.Name)
}

// isCopy tells the copy from the original: the original was made by another job.
func isCopy(run *jobs.Run, inst fleet.Instance) bool { return inst.Config[fleet.KeyJob] == run.JobID }

// leftKeys make an instance one that was moved away.
func leftKeys(run *jobs.Run, s *moveState) map[string]string {
	return map[string]string{
		fleet.KeyRole: fleet.RoleLeft, fleet.KeyTenant: "", fleet.KeyMoveOf: s.ID, fleet.KeyMovedBy: run.JobID,
		keyAutostart: "false",
	}
}

// takenKeys make the copy the tenant's instance: whose it is, and the addresses by which the
// network knows it.
func (c *crew) takenKeys(run *jobs.Run, s *moveState, t fleet.Tenant, original fleet.Instance) map[string]string {
	keys := c.Tenants.Keys(t)
	maps.Copy(keys, map[string]string{
		fleet.KeyJob: run.JobID, fleet.KeyMoveOf: s.ID,
		"volatile.apply_template": "", // nothing in it is new: no template is to be applied
	})
	for key, value := range original.Config {
		if strings.HasPrefix(key, "volatile.") && strings.HasSuffix(key, ".hwaddr") {
			keys[key] = value
		}
	}
	return keys
}

// unswap gives each instance its name and keys again.
func (c *crew) unswap(ctx context.Context, run *jobs.Run, s *moveState) error {
	defer c.Tenants.Grip(s.tenant())()
	inst, err := c.LXD.Instance(ctx, s.tenant())
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("read instance %s: %w", s.Name, err)
	}
	if err == nil && isCopy(run, inst) && s.Fresh {
		if err := c.LXD.EnsureDeleted(ctx, inst.Name); err != nil {
			return fmt.Errorf("take the name %s from the copy: %w", s.Name, err)
		}
	} else if err == nil && isCopy(run, inst) {
		aside := map[string]string{fleet.KeyRole: fleet.RoleMove, fleet.KeyTenant: ""}
		if err := c.LXD.SetConfig(ctx, inst.Name, aside); err != nil {
			return fmt.Errorf("take the name %s from the copy: %w", s.Name, err)
		}
		if err := c.LXD.EnsureRenamed(ctx, inst.Name, copyName(run.JobID)); err != nil {
			return fmt.Errorf("take the name %s from the copy: %w", s.Name, err)
		}
	}
	original, err := c.original(ctx, run, s)
	if err != nil {
		return err
	}
	if err := c.LXD.EnsureRenamed(ctx, original.Name, s.tenant()); err != nil {
		return fmt.Errorf("give the original the name %s again: %w", s.Name, err)
	}
	t, err := c.Store.TenantByID(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Name, err)
	}
	keys := c.Tenants.Keys(t)
	maps.Copy(keys, map[string]string{fleet.KeyMoveOf: "", fleet.KeyMovedBy: "", keyAutostart: s.Autostart})
	if err := c.LXD.SetConfig(ctx, s.tenant(), keys); err != nil {
		return fmt.Errorf("give the original what makes it %s: %w", s.Name, err)
	}
	return nil
}

// start starts the copy, which has the tenant's name now.
func (c *crew) start(ctx context.Context, run *jobs.Run, s *moveState) error {
	defer s.took("start", time.Now())
	if !s.WasUp {
		return nil
	}
	inst, err := c.LXD.Instance(ctx, s.tenant())
	if err != nil {
		return fmt.Errorf("read instance %s: %w", s.Name, err)
	}
	if !isCopy(run, inst) {
		return fleet.Errorf(fleet.Conflict, "the instance %s is not the copy on %s", s.Name, s.To)
	}
	defer c.Tenants.Grip(s.tenant())()
	if err := c.LXD.EnsureStarted(ctx, s.tenant()); err != nil {
		return fmt.Errorf("start %s on %s: %w", s.Name, s.To, err)
	}
	return nil
}

// unstart stops the copy: no visitor has reached it, so nothing of it is kept.
func (c *crew) unstart(ctx context.Context, run *jobs.Run, s *moveState) error {
	inst, err := c.LXD.Instance(ctx, s.tenant())
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && !isCopy(run, inst) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read instance %s: %w", s.Name, err)
	}
	if _, err := c.LXD.EnsureStopped(ctx, s.tenant(), 0); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("stop the copy of %s: %w", s.Name, err)
	}
	return nil
}

func (c *crew) await(ctx context.Context, run *jobs.Run, s *moveState) error {
	defer s.took("health", time.Now())
	if !s.WasUp {
		return nil
	}
	t, err := c.Store.TenantByID(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Name, err)
	}
	// While visitors wait there is no time for an application that takes long to start; where it
	// cannot be well in time on the target, it goes on where it was.
	t.Health.Timeout = min(t.Health.Timeout, max(s.MostHold-c.Now().Sub(s.HeldAt), leastAwait))
	return c.Tenants.Await(ctx, run, t)
}

// leastAwait is how long a copy may take to be well even where the visitors' time is over.
const leastAwait = 5 * time.Second

// release lets the requests go on, to the copy.
func (c *crew) release(ctx context.Context, run *jobs.Run, s *moveState) error {
	defer s.took("release", time.Now())
	if err := c.Tenants.Rehome(ctx, s.ID, s.To); err != nil {
		return fmt.Errorf("write down that %s lives on %s: %w", s.Name, s.To, err)
	}
	if err := c.unhold(ctx, run, s); err != nil {
		return err
	}
	say(run, s.summary(c.Now()))
	return nil
}

// summary tells where the hold's time went.
func (s *moveState) summary(now time.Time) string {
	var parts []string
	for _, what := range []string{"hold", "stop", "last pass", "swap", "start", "health"} {
		parts = append(parts, fmt.Sprintf("%s %s", what, s.Times[what].Round(10*time.Millisecond)))
	}
	return fmt.Sprintf("%s lives on %s. Its requests waited %s: %s.", s.Name, s.To,
		now.Sub(s.HeldAt).Round(10*time.Millisecond), strings.Join(parts, ", "))
}

// clean deletes the original and what the passes left, and has the tenant's histories follow.
func (c *crew) clean(ctx context.Context, run *jobs.Run, s *moveState) error {
	if err := c.dropPasses(ctx, run, s.tenant()); err != nil {
		return err
	}
	ready := map[string]string{fleet.KeyMoveOf: "", fleet.KeyReady: "true"}
	if err := c.LXD.SetConfig(ctx, s.tenant(), ready); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("write the keys of %s: %w", s.Name, err)
	}
	if s.Fresh {
		if err := c.deleteOwn(ctx, run, copyName(run.JobID)); err != nil {
			return err
		}
	}
	if err := c.dropOriginal(ctx, run, s); err != nil {
		return err
	}
	return c.carry(ctx, run, s)
}

// dropOriginal deletes the original. Where its member is away, the sweep deletes it once the member
// is back: the tenant does not wait for that.
func (c *crew) dropOriginal(ctx context.Context, run *jobs.Run, s *moveState) error {
	left := leftName(run.JobID)
	inst, err := c.LXD.Instance(ctx, left)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err == nil && (inst.Config[fleet.KeyRole] != fleet.RoleLeft || inst.Config[fleet.KeyMovedBy] != run.JobID) {
		say(run, fmt.Sprintf("The instance %s is not this move's; it is left as it is.", left))
		return nil
	}
	if err == nil {
		err = c.LXD.EnsureDeleted(ctx, left)
	}
	if fleet.CodeOf(err) == fleet.Unavailable {
		say(run, fmt.Sprintf("%s is away: the original of %s there is deleted when it is back.", s.From, s.Name))
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete the original of %s: %w", s.Name, err)
	}
	return nil
}
