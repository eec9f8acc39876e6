package images

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// online lists the members that are online.
func (c *crew) online(ctx context.Context) ([]string, error) {
	members, err := c.LXD.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the members: %w", err)
	}
	var names []string
	for _, m := range members {
		if m.Online {
			names = append(names, m.Name)
		}
	}
	return names, nil
}

// unpackNew unpacks the new version on every member that is online. A member where that
// fails does not hold the version back: clones there take longer, and the Distributor tries on.
func (c *crew) unpackNew(ctx context.Context, run *jobs.Run, e *edition) error {
	members, err := c.online(ctx)
	if err != nil {
		return err
	}
	for _, err := range c.unpackOn(ctx, run, e.Image.Fingerprint, members) {
		say(run, "Not unpacked ahead: %v; it is tried again later.", err)
	}
	return ctx.Err()
}

// forgetUnpacked is the undo of unpackNew. The unpacked copies go with the image; only what
// was noted of them is left.
func (c *crew) forgetUnpacked(ctx context.Context, _ *jobs.Run, e *edition) error {
	members, err := c.LXD.Members(ctx)
	if err != nil {
		return fmt.Errorf("list the members: %w", err)
	}
	for _, m := range members {
		if err := c.Store.SetUnpacked(ctx, e.Image.Fingerprint, m.Name, false); err != nil {
			return fmt.Errorf("forget that %s is unpacked on %s: %w", e.ref(), m.Name, err)
		}
	}
	return nil
}

// unpackOn unpacks an image on the members, all at once, notes it, and gives what failed.
func (c *crew) unpackOn(ctx context.Context, run *jobs.Run, fingerprint string, members []string) []error {
	var (
		mu     sync.Mutex
		done   int
		failed []error
		work   sync.WaitGroup
	)
	run.Progress(fleet.Progress{Message: "unpacking on " + strings.Join(members, ", ")})
	for _, member := range members {
		work.Go(func() {
			err := unpackAhead(ctx, c.LXD, c.Store, fingerprint, member)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
				return
			}
			done++
			run.Progress(fleet.Progress{Message: "unpacked on " + member, Percent: 100 * done / len(members)})
		})
	}
	work.Wait()
	// The order of their ends is chance.
	slices.SortFunc(failed, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return failed
}

// unpackAhead unpacks an image on a member and notes it.
func unpackAhead(ctx context.Context, lxd LXD, store Store, fingerprint, member string) error {
	if err := lxd.EnsureUnpacked(ctx, fingerprint, member); err != nil {
		return onMember(member, err)
	}
	return onMember(member, store.SetUnpacked(ctx, fingerprint, member, true))
}

// onMember names the member in an error and keeps its hint.
func onMember(member string, err error) error {
	if e, ok := errors.AsType[*fleet.Error](err); ok {
		return fleet.Errorf(e.Code, "member %s: %s", member, e.Message).WithHint("%s", e.Hint)
	}
	if err != nil {
		return fmt.Errorf("member %s: %w", member, err)
	}
	return nil
}
