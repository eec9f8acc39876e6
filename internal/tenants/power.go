package tenants

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/hooks"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// DefaultStopTimeout is how long a clean stop may take before force is used.
const DefaultStopTimeout = time.Minute

// clearTime is how long a restart waits for requests that are being answered.
const clearTime = 10 * time.Second

// powerState is the state of tenant.start, tenant.stop and tenant.restart.
type powerState struct {
	whereabouts
}

// start starts a stopped tenant. One that does not become well is left running, so that
// somebody can look into it; its status says unhealthy.
func (c *crew) start() jobs.Kind[powerState] {
	return jobs.Kind[powerState]{
		Name:    KindStart,
		Version: 1,
		Steps: []jobs.Step[powerState]{
			// Undo: what was wanted before is wanted again.
			{Name: "want", Do: c.wantRunning, Undo: c.wantAsBefore},
			// Undo: a tenant that was stopped is stopped again.
			{Name: "start", Do: c.powerUp, Undo: c.powerBack},
			{Name: "await", Do: c.powerAwait},
		},
	}
}

// stop stops a tenant cleanly, by force when the timeout is over.
func (c *crew) stop() jobs.Kind[powerState] {
	return jobs.Kind[powerState]{
		Name:    KindStop,
		Version: 1,
		Steps: []jobs.Step[powerState]{
			// Undo: what was wanted before is wanted again.
			{Name: "want", Do: c.wantStopped, Undo: c.wantAsBefore},
			// Undo: a tenant that ran goes on serving.
			{Name: "stop", Do: c.powerDown, Undo: c.powerBack},
		},
	}
}

// restart stops and starts a tenant while its requests are held: its route is in hold as long
// as this job is unfinished.
func (c *crew) restart() jobs.Kind[powerState] {
	return jobs.Kind[powerState]{
		Name:    KindRestart,
		Version: 1,
		Steps: []jobs.Step[powerState]{
			// Undo: the route shows what the instance is.
			{Name: "hold", Do: c.holdRoute, Undo: c.showRoute},
			// Undo: a tenant that ran goes on serving.
			{Name: "stop", Do: c.powerDown, Undo: c.powerBack},
			// No undo: it is the one of stop.
			{Name: "start", Do: c.powerUp},
			{Name: "await", Do: c.powerAwait},
		},
	}
}

func (c *crew) wantRunning(ctx context.Context, _ *jobs.Run, s *powerState) error {
	return c.want(ctx, &s.whereabouts, fleet.DesiredRunning, nil)
}

func (c *crew) wantStopped(ctx context.Context, _ *jobs.Run, s *powerState) error {
	return c.want(ctx, &s.whereabouts, fleet.DesiredStopped, nil)
}

func (c *crew) wantAsBefore(ctx context.Context, _ *jobs.Run, s *powerState) error {
	return c.want(ctx, &s.whereabouts, s.Was, s.PurgeWas)
}

// holdRoute waits until new requests are held and the others answered. What takes longer, such as
// a large download, is broken off by the restart.
func (c *crew) holdRoute(ctx context.Context, run *jobs.Run, s *powerState) error {
	c.Observer.Nudge(s.Name)
	if c.Gates == nil {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, clearTime)
	defer cancel()
	if err := c.Gates.Clear(short, s.Name); err != nil && ctx.Err() == nil {
		say(run, fmt.Sprintf("not waited for any longer: %v", err))
	}
	return ctx.Err()
}

func (c *crew) showRoute(_ context.Context, _ *jobs.Run, s *powerState) error {
	c.Observer.Nudge(s.Name)
	return nil
}

func (c *crew) powerUp(ctx context.Context, _ *jobs.Run, s *powerState) error {
	return c.up(ctx, &s.whereabouts)
}

func (c *crew) powerDown(ctx context.Context, run *jobs.Run, s *powerState) error {
	return c.down(ctx, run, &s.whereabouts)
}

func (c *crew) powerBack(ctx context.Context, run *jobs.Run, s *powerState) error {
	return c.back(ctx, run, &s.whereabouts)
}

func (c *crew) powerAwait(ctx context.Context, run *jobs.Run, s *powerState) error {
	return c.settleIn(ctx, run, &s.whereabouts)
}

// back brings the instance to where it was before the job: running or stopped. One that is
// missing stays so.
func (c *crew) back(ctx context.Context, run *jobs.Run, w *whereabouts) error {
	if !w.WasUp {
		return c.down(ctx, run, w)
	}
	own, err := c.owns(ctx, w.Name.String(), fleet.KeyTenant, w.ID)
	if err != nil || !own {
		return err
	}
	return c.up(ctx, w)
}

// settleIn waits for a started tenant to become well and tells the Observer. One that does
// not is no failure of the job: it runs, as asked, and its status and the job's output say
// what is wrong.
func (c *crew) settleIn(ctx context.Context, run *jobs.Run, w *whereabouts) error {
	defer c.Observer.hold(w.Name.String())()
	t, err := c.Store.TenantByID(ctx, w.ID)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", w.Name, err)
	}
	backend, err := c.awaitHealthy(ctx, run, t, fleet.Backend{})
	if err != nil && fleet.CodeOf(err) != fleet.Unhealthy {
		return err
	}
	if err != nil {
		say(run, fmt.Sprintf("%s runs, but is not well: %v", t.Name, err))
		hooks.Autopsy(ctx, c.LXD, t.Name.String(), run.Output())
		return nil // the Observer goes on looking
	}
	inst, err := c.LXD.Instance(ctx, t.Name.String())
	if err != nil {
		return fmt.Errorf("read instance %s: %w", t.Name, err)
	}
	c.Observer.settle(inst, backend, new(true))
	return nil
}
