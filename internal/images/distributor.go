package images

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

const (
	// distributeEvery is the time between two looks where nobody nudges.
	distributeEvery = 5 * time.Minute
	// retryFirst and retryMost bound the wait after an unpack that failed; it doubles.
	retryFirst = time.Minute
	retryMost  = time.Hour
)

// Distributor keeps what clones may be made from unpacked where they may be made: the current
// version of each image, and every version a tenant has, on every member that is online. What
// is unpacked and no longer wanted stays until its image is deleted.
//
// It makes no jobs, so that it never keeps an operator from an image; an image that a job works
// on it leaves alone until the next look.
type Distributor struct {
	Deps
	jobs   Jobs
	nudged chan struct{}
	late   map[spot]delay // unpacks that failed; of Run's goroutine
}

// spot is an image on a member.
type spot struct{ fingerprint, member string }

type delay struct {
	until time.Time
	wait  time.Duration
}

// NewDistributor makes a Distributor.
func NewDistributor(deps Deps, jobs Jobs) *Distributor {
	return &Distributor{Deps: deps.withDefaults(), jobs: jobs, nudged: make(chan struct{}, 1), late: map[spot]delay{}}
}

// Nudge has the Distributor look soon. It never waits.
func (d *Distributor) Nudge() {
	select {
	case d.nudged <- struct{}{}:
	default:
	}
}

// Run distributes until ctx ends.
func (d *Distributor) Run(ctx context.Context) {
	for {
		next, err := d.Once(ctx)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("cannot see what is to be unpacked where", "error", err)
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-d.nudged:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Once unpacks what is missing now, one after the other, and says when to look again.
func (d *Distributor) Once(ctx context.Context) (next time.Duration, err error) {
	next = distributeEvery
	members, err := d.LXD.Members(ctx)
	if err != nil {
		return next, fmt.Errorf("list the members: %w", err)
	}
	wanted, err := d.wanted(ctx)
	if err != nil {
		return next, err
	}
	for _, g := range wanted {
		if err := d.forgetGone(ctx, g, members); err != nil {
			return next, err
		}
		for _, m := range members {
			if !m.Online || slices.Contains(g.Members, m.Name) {
				continue
			}
			wait, err := d.bring(ctx, g, m.Name)
			if err != nil {
				return next, err
			}
			if wait > 0 {
				next = min(next, wait)
			}
		}
	}
	return next, nil
}

// wanted lists the versions that should be unpacked everywhere.
func (d *Distributor) wanted(ctx context.Context) ([]fleet.GoldenImage, error) {
	all, err := d.Store.GoldenImages(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the images: %w", err)
	}
	var wanted []fleet.GoldenImage
	for _, g := range all {
		if !g.Current {
			users, err := d.Store.Tenants(ctx, fleet.TenantFilter{Image: g.Name, Version: g.Version, Limit: 1})
			if err != nil {
				return nil, fmt.Errorf("look for tenants of image %s: %w", g.Ref(), err)
			}
			if len(users) == 0 {
				continue
			}
		}
		wanted = append(wanted, g)
	}
	return wanted, nil
}

// forgetGone drops what was noted of members that left the cluster: one that comes back under
// the same name has an empty pool.
func (d *Distributor) forgetGone(ctx context.Context, g fleet.GoldenImage, members []fleet.Member) error {
	for _, name := range g.Members {
		if slices.ContainsFunc(members, func(m fleet.Member) bool { return m.Name == name }) {
			continue
		}
		if err := d.Store.SetUnpacked(ctx, g.Fingerprint, name, false); err != nil {
			return fmt.Errorf("forget the member %s: %w", name, err)
		}
	}
	return nil
}

// bring unpacks an image on a member, unless a job works on the image or it failed there a
// short while ago. It gives how long to wait before the next attempt; 0: none is needed.
func (d *Distributor) bring(ctx context.Context, g fleet.GoldenImage, member string) (time.Duration, error) {
	at := spot{g.Fingerprint, member}
	if left := d.late[at].until.Sub(d.Now()); left > 0 {
		return left, nil
	}
	busy, err := d.jobs.List(ctx, jobs.JobFilter{Subject: Subject(g.Name), Unfinished: true, Limit: 1})
	if err != nil {
		return 0, fmt.Errorf("look for jobs on image %s: %w", g.Name, err)
	}
	if len(busy) > 0 {
		return retryFirst, nil
	}
	err = unpackAhead(ctx, d.LXD, d.Store, g.Fingerprint, member)
	if err == nil {
		delete(d.late, at)
		d.Log.Info("unpacked an image ahead", "image", g.Ref().String(), "member", member)
		d.Changed(g.Name)
		return 0, nil
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	wait := min(max(2*d.late[at].wait, retryFirst), retryMost)
	d.late[at] = delay{until: d.Now().Add(wait), wait: wait}
	d.Log.Warn("cannot unpack an image ahead; clones there take longer", "image", g.Ref().String(), "error", err, "next", wait)
	return wait, nil
}
