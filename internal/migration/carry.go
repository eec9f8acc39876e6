package migration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// carried ends the name of the copy of a history until it takes the history's own.
const carried = "-m"

// carry has the tenant's histories follow it: the instances that restores have put aside, and that
// have the snapshots from before them. Visitors do not wait for that. One that cannot follow, for
// want of room or as its member is away, stays where it is, with all it has: its snapshots are
// restored from there.
func (c *crew) carry(ctx context.Context, run *jobs.Run, s *moveState) error {
	all, err := c.LXD.Instances(ctx, false)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	there := map[string]fleet.Instance{}
	var names []string
	for _, inst := range all {
		if inst.Config[fleet.KeyRole] != fleet.RoleHistory || inst.Config[fleet.KeyHistory] != s.ID {
			continue
		}
		there[inst.Name] = inst
		names = append(names, strings.TrimSuffix(inst.Name, carried))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		var err error
		original, is := there[name]
		if is && original.Location == s.To {
			continue
		}
		if is {
			say(run, fmt.Sprintf("Older snapshots of %s follow it from %s.", s.Name, original.Location))
			err = c.carryOne(ctx, run, s, original)
		}
		if err == nil {
			// Where the original is not there an earlier try has deleted it: the copy has all it had.
			err = c.LXD.EnsureRenamed(ctx, name+carried, name)
		}
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			say(run, fmt.Sprintf("Older snapshots of %s, in %s, cannot follow it: %v", s.Name, name, err))
		}
	}
	return nil
}

// carryOne copies a history, as it is, to the tenant's member, and deletes the original.
func (c *crew) carryOne(ctx context.Context, run *jobs.Run, s *moveState, original fleet.Instance) error {
	config := maps.Clone(original.Config)
	maps.DeleteFunc(config, func(key, _ string) bool { return strings.HasPrefix(key, "volatile.") })
	config[fleet.KeyJob] = run.JobID
	copied := original.Name + carried
	err := c.LXD.EnsureCopy(ctx, fleet.CopySpec{
		Source: original.Name, Name: copied, Member: s.To, Config: config, Snapshots: true,
	}, run.Progress)
	if err == nil {
		err = c.LXD.EnsureDeleted(ctx, original.Name)
	}
	if err != nil {
		// Two with the same snapshots would be in each other's way.
		_ = c.deleteOwn(ctx, run, copied)
	}
	return err
}
