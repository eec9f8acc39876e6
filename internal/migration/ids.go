package migration

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// LXD gives each isolated instance a range of user ids of its own, chosen from those that are free
// on its member. Where a copy gets another range than its files on the disk have, LXD changes the
// owner of every file at the first start, which takes seconds in which visitors wait.
const (
	keyIDBase = "security.idmap.base"
	keyIDSize = "security.idmap.size"
	keyIDsNow = "volatile.idmap.base"
	idRange   = 65536 // ids of an instance, where nothing else is said
)

// idsAreFree reports whether no other instance on the target has any of the original's user ids:
// then the copy may keep them.
func (c *crew) idsAreFree(ctx context.Context, run *jobs.Run, s *moveState, source fleet.Instance) (bool, error) {
	mine, err := strconv.ParseInt(source.Config[keyIDsNow], 10, 64)
	if err != nil || mine == 0 {
		return false, nil // it has the ids that all instances share: they are the same everywhere
	}
	all, err := c.LXD.Instances(ctx, false)
	if err != nil {
		return false, fmt.Errorf("list instances: %w", err)
	}
	for _, inst := range all {
		theirs, err := strconv.ParseInt(inst.Config[keyIDsNow], 10, 64)
		if inst.Config[fleet.KeyJob] == run.JobID {
			continue // the copy itself, where the step is done again
		}
		if err == nil && inst.Location == s.To && theirs < mine+idRange && mine < theirs+idRange {
			return false, nil
		}
	}
	return true, nil
}
