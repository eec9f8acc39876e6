package tenants

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// The kinds of jobs on a tenant. The subject of each is "tenant/NAME".
const (
	KindCreate   = "tenant.create"
	KindStart    = "tenant.start"
	KindStop     = "tenant.stop"
	KindRestart  = "tenant.restart"
	KindRemove   = "tenant.remove"
	KindUndelete = "tenant.undelete"
	KindPurge    = "tenant.purge"
	KindAdopt    = "tenant.adopt"
	KindResize   = "tenant.resize"
)

// KindDeps is what the steps of the jobs work with.
type KindDeps struct {
	LXD      LXD
	Store    Store
	Observer *Observer
	Prober   Prober
	Gates    Gates // nil: there are no proxies
	// HTTPSPort is where visitors reach the proxy, for the address that the personalize hook
	// is told. Default 443.
	HTTPSPort int
	// Direct reports whether the own addresses of instances on the member can be dialled; nil: they can.
	Direct func(ctx context.Context, member string) bool
	// Now is the clock of what is stored. Default time.Now.
	Now func() time.Time
}

// crew gives the steps their hands.
type crew struct {
	KindDeps
	// looking bounds the reads of addresses: each makes LXD start a helper process.
	looking chan struct{}
	nursery nursery
}

func newCrew(deps KindDeps) *crew {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	deps.HTTPSPort = cmp.Or(deps.HTTPSPort, 443)
	return &crew{KindDeps: deps, looking: make(chan struct{}, 4)}
}

// Register makes every kind of job on tenants known to the engine.
func Register(reg *jobs.Registry, deps KindDeps) error {
	c := newCrew(deps)
	return cmp.Or(
		jobs.Register(reg, c.create()),
		jobs.Register(reg, c.cloneTenant()),
		jobs.Register(reg, c.start()),
		jobs.Register(reg, c.stop()),
		jobs.Register(reg, c.restart()),
		jobs.Register(reg, c.remove()),
		jobs.Register(reg, c.undelete()),
		jobs.Register(reg, c.purge()),
		jobs.Register(reg, c.adopt()),
		jobs.Register(reg, c.resize()),
	)
}

// whereabouts is the part of a job's state that every kind on an existing tenant has. Was and
// the like are facts of the moment the job was asked for: the undo of a step restores them,
// however often the step ran.
type whereabouts struct {
	ID   string     `json:"id"`
	Name fleet.Name `json:"name"`
	// Was is the state that was wanted before.
	Was fleet.Desired `json:"was,omitempty"`
	// WasUp: the instance ran before.
	WasUp bool `json:"was_up,omitempty"`
	// PurgeWas is when it was to leave the trash, where it was in there.
	PurgeWas *time.Time `json:"purge_was,omitempty"`
	// StopTimeout bounds a clean stop.
	StopTimeout time.Duration `json:"stop_timeout_ns,omitempty"`
}

// want stores the state that is wanted of the tenant, in the store and on its instance, so
// that recover finds it. An instance that is missing is no failure here.
func (c *crew) want(ctx context.Context, w *whereabouts, desired fleet.Desired, purgeAt *time.Time) error {
	defer c.Observer.hold(w.Name.String())()
	t, err := change(ctx, c.Store, w.ID, func(t *fleet.Tenant) bool {
		t.Desired, t.PurgeAt, t.UpdatedAt = desired, purgeAt, c.Now()
		return true
	})
	if err != nil {
		return err
	}
	c.Observer.Nudge(t.Name)
	return c.mark(ctx, t)
}

// mark writes the tenant's keys on its instance.
func (c *crew) mark(ctx context.Context, t fleet.Tenant) error {
	own, err := c.owns(ctx, t.Name.String(), fleet.KeyTenant, t.ID)
	if err != nil || !own {
		return err
	}
	if err := c.LXD.SetConfig(ctx, t.Name.String(), keysOf(t)); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("write the keys of %s: %w", t.Name, err)
	}
	return nil
}

// owns reports whether the instance exists and carries the value under the key.
func (c *crew) owns(ctx context.Context, name, key, value string) (bool, error) {
	inst, err := c.LXD.Instance(ctx, name)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read instance %s: %w", name, err)
	}
	return value != "" && inst.Config[key] == value, nil
}

// deleteOwn deletes the instance only if it carries the value under the key: an instance that
// somebody made by hand under this name is not ours to delete.
func (c *crew) deleteOwn(ctx context.Context, run *jobs.Run, name, key, value string) error {
	defer c.Observer.hold(name)()
	inst, err := c.LXD.Instance(ctx, name)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return nil
	case err != nil:
		return fmt.Errorf("read instance %s: %w", name, err)
	case inst.Config[key] != value:
		_, _ = fmt.Fprintf(run.Output(), "The instance %s is not this tenant's; it is left as it is.\n", name)
		return nil
	}
	if err := c.LXD.EnsureDeleted(ctx, name); err != nil {
		return fmt.Errorf("delete instance %s: %w", name, err)
	}
	c.Observer.gone(name, time.Now())
	return nil
}

// up starts the instance.
func (c *crew) up(ctx context.Context, w *whereabouts) error {
	defer c.Observer.hold(w.Name.String())()
	if err := c.mustOwn(ctx, w); err != nil {
		return err
	}
	if err := c.LXD.EnsureStarted(ctx, w.Name.String()); err != nil {
		return fmt.Errorf("start %s: %w", w.Name, err)
	}
	return c.look(ctx, w.Name.String())
}

// down stops the instance cleanly, and says so when it had to use force. An instance that is
// missing is stopped.
func (c *crew) down(ctx context.Context, run *jobs.Run, w *whereabouts) error {
	defer c.Observer.hold(w.Name.String())()
	own, err := c.owns(ctx, w.Name.String(), fleet.KeyTenant, w.ID)
	if err != nil || !own {
		return err
	}
	if err := c.halt(ctx, run, w.Name, w.StopTimeout); err != nil {
		return err
	}
	return c.look(ctx, w.Name.String())
}

// halt stops the instance cleanly within the timeout, 0 being DefaultStopTimeout, and says so when
// it had to use force.
func (c *crew) halt(ctx context.Context, run *jobs.Run, name fleet.Name, timeout time.Duration) error {
	timeout = cmp.Or(timeout, DefaultStopTimeout)
	forced, err := c.LXD.EnsureStopped(ctx, name.String(), timeout)
	if err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	if forced {
		say(run, fmt.Sprintf("%s did not stop cleanly within %s and was stopped by force; its databases will recover at the next start",
			name, timeout))
	}
	return nil
}

// look tells the Observer what the instance is now.
func (c *crew) look(ctx context.Context, name string) error {
	at := time.Now()
	inst, err := c.LXD.Instance(ctx, name)
	if err != nil {
		return fmt.Errorf("read instance %s: %w", name, err)
	}
	c.Observer.saw(inst, at)
	return nil
}

// mustOwn fails with fleet.Conflict when the instance is missing or another's.
func (c *crew) mustOwn(ctx context.Context, w *whereabouts) error {
	own, err := c.owns(ctx, w.Name.String(), fleet.KeyTenant, w.ID)
	if err != nil || own {
		return err
	}
	return fleet.Errorf(fleet.Conflict, "the instance of tenant %s is missing from LXD", w.Name).
		WithHint("restore it from a backup, or delete the tenant: lxdfleet tenant delete --now %s", w.Name)
}

// shownTime is how long a new tenant waits for the proxies to know it.
const shownTime = 2 * time.Second

// shown returns when every proxy knows the tenant, so that its page is there when its job is done.
// A proxy that cannot be reached does not hold up the job: it is told later.
func (c *crew) shown(ctx context.Context, run *jobs.Run) error {
	if c.Gates == nil {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, shownTime)
	defer cancel()
	if err := c.Gates.Follow(short); err != nil && ctx.Err() == nil {
		say(run, fmt.Sprintf("not served by every proxy yet: %v", err))
	}
	return ctx.Err()
}

// say tells watchers, and keeps it with the job.
func say(run *jobs.Run, line string) {
	run.Progress(fleet.Progress{Message: line})
	_, _ = fmt.Fprintln(run.Output(), line)
}
