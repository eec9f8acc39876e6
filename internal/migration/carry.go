package migration

import (
	"context"
	"fmt"
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
	at := map[string]string{} // members, by name
	var names []string
	for _, inst := range all {
		if inst.Config[fleet.KeyRole] != fleet.RoleHistory || inst.Config[fleet.KeyHistory] != s.ID {
			continue
		}
		at[inst.Name] = inst.Location
		names = append(names, strings.TrimSuffix(inst.Name, carried))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if at[name] == s.To {
			continue
		}
		if at[name] != "" {
			say(run, fmt.Sprintf("Older snapshots of %s follow it from %s.", s.Name, at[name]))
		}
		err := c.carryOne(ctx, run, s, name, at[name] != "")
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			say(run, fmt.Sprintf("Older snapshots of %s stay on %s: %v", s.Name, at[name], err))
		}
	}
	return nil
}

// carryOne brings one history to the tenant's member. Where it is not there any more, an earlier
// try has deleted it, and its copy has all it had.
func (c *crew) carryOne(ctx context.Context, run *jobs.Run, s *moveState, name string, there bool) error {
	if there {
		config := map[string]string{
			fleet.KeyRole: fleet.RoleHistory, fleet.KeyHistory: s.ID, fleet.KeyJob: run.JobID, keyAutostart: "false",
		}
		err := c.LXD.EnsureCopy(ctx, fleet.CopySpec{
			Source: name, Name: name + carried, Member: s.To, Config: config, Snapshots: true,
		}, run.Progress)
		if err == nil {
			err = c.LXD.EnsureDeleted(ctx, name)
		}
		if err != nil {
			// Two with the same snapshots would be in each other's way.
			_ = c.deleteOwn(ctx, run, name+carried)
			return err
		}
	}
	return c.LXD.EnsureRenamed(ctx, name+carried, name)
}
