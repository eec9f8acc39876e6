package migration

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// lastPass stops the original and sends what was written up to then, while nothing is. It begins
// to send as soon as no process is left in the instance: what LXD still does for another half a
// second, such as taking the network away and unmounting, changes no file.
func (c *crew) lastPass(ctx context.Context, run *jobs.Run, s *moveState) error {
	if _, err := c.source(ctx, s); err != nil {
		return err
	}
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		ended <- c.Tenants.Halt(ctx, run, fleet.Tenant{ID: s.ID, Name: s.Name}, s.StopTimeout)
	}()
	n, there, err := c.toSend(ctx, run, s)
	if err == nil {
		err = c.quiet(ctx, s, ended)
	}
	s.took("stop", began)
	began = time.Now()
	if err == nil && !there {
		err = c.snapshot(ctx, run, s, n)
	}
	if err == nil {
		s.BytesPerSecond = 0 // visitors wait
		err = c.send(ctx, run, s, began)
	}
	s.took("last pass", began)
	return cmp.Or(err, <-ended)
}

// toSend is the number of the snapshot that the last pass sends, and whether it is there: it was
// taken before visitors had to wait. LXD (5.0 on btrfs) sends everything again where there is no
// snapshot that the copy lacks; so where the step is done again after a crash, and the copy has it
// by now, it is another one. It also says whether a clone of the copy has to become the tenant;
// see swap.
func (c *crew) toSend(ctx context.Context, run *jobs.Run, s *moveState) (n int, there bool, err error) {
	mine, err := c.LXD.Snapshots(ctx, s.tenant())
	if err != nil {
		return 0, false, fmt.Errorf("list the snapshots of %s: %w", s.Name, err)
	}
	sent, err := c.LXD.Snapshots(ctx, copyName(run.JobID))
	if err != nil {
		return 0, false, fmt.Errorf("list the snapshots of the copy of %s: %w", s.Name, err)
	}
	s.Fresh = s.Marked && slices.ContainsFunc(mine, func(snapshot fleet.InstanceSnapshot) bool {
		return !strings.HasPrefix(snapshot.Name, passPrefix(run.JobID))
	})
	has := func(list []fleet.InstanceSnapshot, n int) bool {
		return slices.ContainsFunc(list, func(snapshot fleet.InstanceSnapshot) bool {
			return snapshot.Name == passSnapshot(run, n)
		})
	}
	for n = len(s.Passes); has(sent, n); n++ {
	}
	return n, has(mine, n), nil
}

// lookForQuiet is how often a stopping instance is looked at.
const lookForQuiet = 20 * time.Millisecond

// quiet returns when no process is left in the original, at the latest when its stop has ended,
// the error of which stays in ended.
func (c *crew) quiet(ctx context.Context, s *moveState, ended chan error) error {
	for {
		inst, err := c.LXD.Instance(ctx, s.tenant())
		if err == nil && inst.Status == fleet.InstanceStopped {
			return nil
		}
		timer := time.NewTimer(lookForQuiet)
		select {
		case err := <-ended:
			timer.Stop()
			ended <- err
			return err
		case <-timer.C:
		}
	}
}
