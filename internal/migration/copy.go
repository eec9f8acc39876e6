package migration

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// spec is the copy on the target. Until it takes the tenant's name it carries none of the
// tenant's keys: nobody takes it for the tenant.
func (c *crew) spec(run *jobs.Run, s *moveState, source fleet.Instance) fleet.CopySpec {
	config := maps.Clone(source.Config)
	for key := range config {
		if strings.HasPrefix(key, fleet.KeyPrefix) || strings.HasPrefix(key, "volatile.") {
			delete(config, key)
		}
	}
	for _, key := range []string{keyIDBase, keyIDSize} { // of an earlier move
		switch {
		case config[key] == "":
		case s.KeepIDs:
			delete(config, key)
		default:
			config[key] = ""
		}
	}
	maps.Copy(config, map[string]string{
		fleet.KeyRole: fleet.RoleMove, fleet.KeyJob: run.JobID, fleet.KeyMoveOf: s.ID,
	})
	return fleet.CopySpec{
		Source: s.tenant(), Name: copyName(run.JobID), Member: s.To, Config: config, Snapshots: true,
		BytesPerSecond: s.BytesPerSecond, KeepIDs: s.KeepIDs,
	}
}

// passSnapshot is the name of the snapshot that the n-th pass sends.
func passSnapshot(run *jobs.Run, n int) string {
	return passPrefix(run.JobID) + strconv.Itoa(n)
}

// copyAll is the first pass: everything, while the tenant runs.
func (c *crew) copyAll(ctx context.Context, run *jobs.Run, s *moveState) error {
	source, err := c.source(ctx, s)
	if err != nil {
		return err
	}
	s.Autostart = source.Config[keyAutostart]
	driver, err := c.LXD.DriverOn(ctx, s.To)
	if err != nil {
		return fmt.Errorf("look at the pool: %w", err)
	}
	s.Marked = driver == "btrfs"
	if s.KeepIDs, err = c.idsAreFree(ctx, run, s, source); err != nil {
		return err
	}
	say(run, fmt.Sprintf("Copying %s from %s to %s while it runs.", s.Name, s.From, s.To))
	if err := c.snapshot(ctx, run, s, 0); err != nil {
		return err
	}
	began, sent := time.Now(), fleet.Size(0)
	err = c.LXD.EnsureCopy(ctx, c.spec(run, s, source), counting(run, &sent))
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", s.Name, s.To, err)
	}
	s.Passes = []Pass{{Bytes: sent, Took: time.Since(began)}}
	return nil
}

// source is the tenant's instance, on the member it is moved from.
func (c *crew) source(ctx context.Context, s *moveState) (fleet.Instance, error) {
	source, err := c.LXD.Instance(ctx, s.tenant())
	switch {
	case err != nil:
		return source, fmt.Errorf("read instance %s: %w", s.Name, err)
	case source.Config[fleet.KeyTenant] != s.ID:
		return source, fleet.Errorf(fleet.Conflict, "the instance %s is not this tenant's any more", s.Name).
			WithHint("see what it is: lxc config show %s", s.Name)
	case source.Location != s.From:
		return source, fleet.Errorf(fleet.Conflict, "%s is on %s, no longer on %s", s.Name, source.Location, s.From).
			WithHint("ask for the move again, if it is still wanted")
	}
	return source, nil
}

// counting passes progress on, and keeps the most bytes it told of.
func counting(run *jobs.Run, sent *fleet.Size) func(fleet.Progress) {
	return func(p fleet.Progress) {
		*sent = max(*sent, fleet.Size(p.Bytes))
		run.Progress(p)
	}
}

// catchUp sends what was written meanwhile until that is little. The snapshot that the last pass
// sends is taken at the end, as visitors do not wait for it yet.
func (c *crew) catchUp(ctx context.Context, run *jobs.Run, s *moveState) error {
	if err := c.shrink(ctx, run, s); err != nil {
		return err
	}
	if err := c.dropOlder(ctx, run, s); err != nil {
		return err
	}
	return c.snapshot(ctx, run, s, len(s.Passes))
}

// shrink repeats passes until they are short, or do not get shorter.
func (c *crew) shrink(ctx context.Context, run *jobs.Run, s *moveState) error {
	for s.WasUp {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch Judge(s.Passes, s.MostHold) {
		case CutOver:
			return nil
		case Hopeless:
			return c.hopeless(s)
		}
		if err := c.pass(ctx, run, s); err != nil {
			return err
		}
		p := s.Passes[len(s.Passes)-1]
		say(run, fmt.Sprintf("Pass %d took %s.", len(s.Passes), p.Took.Round(10*time.Millisecond)))
	}
	return nil
}

// dropOlder deletes the snapshots of all passes but the last, which alone the next one needs, from
// both instances: what is done with each snapshot while visitors wait takes time.
func (c *crew) dropOlder(ctx context.Context, run *jobs.Run, s *moveState) error {
	for n := range len(s.Passes) - 1 {
		for _, instance := range []string{s.tenant(), copyName(run.JobID)} {
			if err := c.LXD.EnsureSnapshotDeleted(ctx, instance, passSnapshot(run, n)); err != nil {
				return fmt.Errorf("delete the snapshot %s of %s: %w", passSnapshot(run, n), instance, err)
			}
		}
	}
	return nil
}

func (c *crew) hopeless(s *moveState) error {
	last := s.Passes[len(s.Passes)-1].Took
	return fleet.Errorf(fleet.Conflict,
		"%s writes as fast as it can be copied: after %d passes its visitors would still wait about %s, and %s are allowed",
		s.Name, len(s.Passes), (last+fixed).Round(time.Second), s.MostHold).
		WithHint("move it at a quieter time, or allow a longer hold: --max-hold %s", (last + 2*fixed).Round(time.Second))
}

// pass sends one difference. Done again after a crash it sends another, which is as good.
func (c *crew) pass(ctx context.Context, run *jobs.Run, s *moveState) error {
	began := time.Now()
	if err := c.snapshot(ctx, run, s, len(s.Passes)); err != nil {
		return err
	}
	return c.send(ctx, run, s, began)
}

// send sends to the copy the snapshots that it lacks, and what was written since.
func (c *crew) send(ctx context.Context, run *jobs.Run, s *moveState, began time.Time) error {
	source, err := c.source(ctx, s)
	if err != nil {
		return err
	}
	sent := fleet.Size(0)
	if err := c.LXD.EnsureRefreshed(ctx, c.spec(run, s, source), counting(run, &sent)); err != nil {
		return fmt.Errorf("send what %s has written to %s: %w", s.Name, s.To, err)
	}
	s.Passes = append(s.Passes, Pass{Bytes: sent, Took: time.Since(began)})
	return nil
}

func (c *crew) snapshot(ctx context.Context, run *jobs.Run, s *moveState, n int) error {
	if err := c.LXD.EnsureSnapshot(ctx, s.tenant(), passSnapshot(run, n)); err != nil {
		return fmt.Errorf("take a snapshot of %s to send: %w", s.Name, err)
	}
	return nil
}

// uncopy deletes the copy, and the snapshots that were taken for it.
func (c *crew) uncopy(ctx context.Context, run *jobs.Run, s *moveState) error {
	c.Tenants.GiveUpPlace(s.Name)
	err := c.deleteOwn(ctx, run, copyName(run.JobID))
	switch fleet.CodeOf(err) {
	case "":
	case fleet.Unavailable:
		say(run, fmt.Sprintf("%s is away: the copy of %s there is deleted when it is back.", s.To, s.Name))
	case fleet.Failed: // LXD can break a copy that it could not refresh so that it cannot delete it either
		say(run, fmt.Sprintf("The copy on %s cannot be deleted, and is tried again later: %v", s.To, err))
	default:
		return err
	}
	return c.dropPasses(ctx, run, s.tenant())
}

// deleteOwn deletes an instance that this job made, and no other.
func (c *crew) deleteOwn(ctx context.Context, run *jobs.Run, name string) error {
	inst, err := c.LXD.Instance(ctx, name)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read instance %s: %w", name, err)
	}
	if inst.Config[fleet.KeyJob] != run.JobID || inst.Config[fleet.KeyRole] == fleet.RoleTenant {
		say(run, fmt.Sprintf("The instance %s is not this move's; it is left as it is.", name))
		return nil
	}
	if err := c.LXD.EnsureDeleted(ctx, name); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// dropPasses deletes this job's snapshots of an instance.
func (c *crew) dropPasses(ctx context.Context, run *jobs.Run, instance string) error {
	list, err := c.LXD.Snapshots(ctx, instance)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the snapshots of %s: %w", instance, err)
	}
	for _, snapshot := range list {
		if !strings.HasPrefix(snapshot.Name, passPrefix(run.JobID)) {
			continue
		}
		if err := c.LXD.EnsureSnapshotDeleted(ctx, instance, snapshot.Name); err != nil {
			return fmt.Errorf("delete the snapshot %s of %s: %w", snapshot.Name, instance, err)
		}
	}
	return nil
}

// say tells watchers, and keeps it with the job.
func say(run *jobs.Run, line string) {
	run.Progress(fleet.Progress{Message: line})
	_, _ = fmt.Fprintln(run.Output(), line)
}
