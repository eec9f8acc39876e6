package snapshots

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// hold is an application that is held still.
type hold interface {
	// release lets go and tells for how long writes were blocked. The error says that the hold
	// was lost before.
	release(ctx context.Context) (held time.Duration, err error)
}

// worth is what a snapshot is worth, and what it cost.
type worth struct {
	Consistency fleet.Consistency `json:"consistency"`
	Why         string            `json:"why,omitempty"`
	Held        time.Duration     `json:"held_ns,omitempty"`
}

func crash(why string) worth { return worth{Consistency: fleet.ConsistentCrash, Why: why} }

// take takes a snapshot of the tenant's instance while its application is held still. A failure
// to hold it is none of take's: the snapshot is crash-consistent then.
func (c *crew) take(ctx context.Context, run *jobs.Run, t fleet.Tenant, snapshot string, still bool) (worth, error) {
	shoot := func() error {
		if err := c.LXD.EnsureSnapshot(ctx, t.Name.String(), snapshot); err != nil {
			return fmt.Errorf("snapshot %s: %w", t.Name, err)
		}
		return nil
	}
	inst, err := c.LXD.Instance(ctx, t.Name.String())
	if err != nil {
		return worth{}, fmt.Errorf("read instance %s: %w", t.Name, err)
	}
	switch {
	case inst.Config[fleet.KeyTenant] != t.ID:
		return worth{}, fleet.Errorf(fleet.Conflict, "the instance %s is not that of the tenant", t.Name).
			WithHint("see whose it is: lxc config show %s", t.Name)
	case inst.Status == fleet.InstanceStopped: // nothing is written
		return worth{Consistency: fleet.ConsistentApplication}, shoot()
	case !still:
		return crash("it was asked for without holding the application still"), shoot()
	}
	limit := c.limitOf(t)
	began := c.Now()
	h, err := c.quiesce(ctx, run, t, limit)
	if err != nil {
		if ctx.Err() != nil {
			return worth{}, ctx.Err()
		}
		return crash(reason(err)), shoot()
	}
	taken := shoot()
	took := c.Now().Sub(began)
	held, lost := h.release(ctx)
	if taken != nil {
		return worth{}, taken
	}
	got := worth{Consistency: fleet.ConsistentApplication, Held: held}
	switch {
	case lost != nil:
		got.Consistency, got.Why = fleet.ConsistentCrash, reason(lost)
	case took > limit:
		got.Consistency = fleet.ConsistentCrash
		got.Why = fmt.Sprintf("the snapshot was not complete within the limit of %s", limit)
	}
	return got, nil
}

// reason is an error as it is written down with a snapshot.
func reason(err error) string {
	const most = 500
	text := err.Error()
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

func (c *crew) limitOf(t fleet.Tenant) time.Duration {
	if t.Quiesce != nil {
		return cmp.Or(t.Quiesce.Limit, c.HoldLimit)
	}
	return c.HoldLimit
}

// quiesce holds the tenant's application still in the way that is set. It ends within the limit,
// and the hold ends by itself when the limit is over.
func (c *crew) quiesce(ctx context.Context, run *jobs.Run, t fleet.Tenant, limit time.Duration) (hold, error) {
	by, q := fleet.QuiesceHook, fleet.Quiesce{}
	if t.Quiesce != nil {
		q = *t.Quiesce
		by = cmp.Or(q.By, by)
	}
	switch by {
	case fleet.QuiesceNone:
		return nil, fleet.Errorf(fleet.Unsupported, "the tenant is set not to be held still")
	case fleet.QuiesceMySQL:
		login, err := c.login(ctx, t, q)
		if err != nil {
			return nil, err
		}
		return lockMySQL(ctx, login, limit)
	}
	hooks, err := c.hooksOf(ctx, t)
	if err != nil {
		return nil, err
	}
	return c.holdByHook(ctx, run, t, hooks, limit)
}

// imageHooks are the hooks for snapshots that an instance has.
type imageHooks struct{ known, pre, post bool }

// hooksOf tells which hooks the tenant's image has. Of an image that is not known any more, or of
// a tenant that was adopted, nothing is known.
func (c *crew) hooksOf(ctx context.Context, t fleet.Tenant) (imageHooks, error) {
	if t.Image.Name == "" {
		return imageHooks{}, nil
	}
	image, err := c.Images.GoldenImage(ctx, t.Image)
	if fleet.CodeOf(err) == fleet.NotFound {
		return imageHooks{}, nil
	}
	if err != nil {
		return imageHooks{}, fmt.Errorf("read image %s: %w", t.Image, err)
	}
	h := imageHooks{known: true}
	for _, name := range image.Hooks {
		h.pre = h.pre || name == preHook
		h.post = h.post || name == postHook
	}
	if !h.pre {
		return h, fleet.Errorf(fleet.Unsupported, "the image %s has no %s hook", t.Image, preHook)
	}
	return h, nil
}
