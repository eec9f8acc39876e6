package tenants

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/hooks"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Hands lets the jobs of other packages, such as restores, work on a tenant as its own jobs do.
// The job's subject must be the tenant's.
type Hands struct{ c *crew }

// NewHands makes Hands.
func NewHands(deps KindDeps) *Hands { return &Hands{newCrew(deps)} }

// Grip says that a step works on the instance of that name: what LXD tells of it meanwhile is
// looked at when the step has let go.
func (h *Hands) Grip(name string) (release func()) { return h.c.Observer.hold(name) }

// Hold makes visitors of the tenant wait, and returns when those that are being answered have
// been, 10 s at most. Its route is in hold already while a job of fleet.KindRestore, or another
// that says so, is unfinished.
func (h *Hands) Hold(ctx context.Context, run *jobs.Run, name fleet.Name) error {
	return h.c.holdRoute(ctx, run, &powerState{whereabouts{Name: name}})
}

// Show says that the tenant's route may have changed.
func (h *Hands) Show(name fleet.Name) { h.c.Observer.Nudge(name) }

// Look has what the instance is now known.
func (h *Hands) Look(ctx context.Context, name string) error { return h.c.look(ctx, name) }

// Seen tells whether the tenant's instance ran when it was last seen.
func (h *Hands) Seen(t fleet.Tenant) fleet.Observation { return h.c.Observer.Observation(t) }

// Stop stops the tenant's instance cleanly within the timeout, by force when it is over; 0 is
// DefaultStopTimeout.
func (h *Hands) Stop(ctx context.Context, run *jobs.Run, t fleet.Tenant, timeout time.Duration) error {
	return h.c.down(ctx, run, &whereabouts{ID: t.ID, Name: t.Name, StopTimeout: timeout})
}

// Halt is Stop without the questions to LXD before and after it: for one who has just read that
// the instance is the tenant's, and while visitors wait.
func (h *Hands) Halt(ctx context.Context, run *jobs.Run, t fleet.Tenant, timeout time.Duration) error {
	defer h.c.Observer.hold(t.Name.String())()
	return h.c.halt(ctx, run, t.Name, timeout)
}

// Kill stops the tenant's instance at once. Only for one whose state is not kept.
func (h *Hands) Kill(ctx context.Context, t fleet.Tenant) error {
	defer h.c.Observer.hold(t.Name.String())()
	if _, err := h.c.LXD.EnsureStopped(ctx, t.Name.String(), 0); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("stop %s: %w", t.Name, err)
	}
	return nil
}

// Start starts the tenant's instance.
func (h *Hands) Start(ctx context.Context, t fleet.Tenant) error {
	return h.c.up(ctx, &whereabouts{ID: t.ID, Name: t.Name})
}

// Await waits until the started tenant passes its health check and has that known, so that its
// route leads to it. fleet.Unhealthy where it does not in time: what the instance can say of it
// is in the job's output then.
func (h *Hands) Await(ctx context.Context, run *jobs.Run, t fleet.Tenant) error {
	defer h.c.Observer.hold(t.Name.String())()
	backend, err := h.c.awaitHealthy(ctx, run, t, fleet.Backend{})
	if err != nil {
		if fleet.CodeOf(err) == fleet.Unhealthy {
			hooks.Autopsy(ctx, h.c.LXD, t.Name.String(), run.Output())
		}
		return err
	}
	inst, err := h.c.LXD.Instance(ctx, t.Name.String())
	if err != nil {
		return fmt.Errorf("read instance %s: %w", t.Name, err)
	}
	h.c.Observer.settle(inst, backend, new(true))
	return nil
}

// Pause makes visitors of the tenant wait for as long as the job says, and returns when those that
// were being answered have been, 10 s at most. It outlives the daemon.
func (h *Hands) Pause(ctx context.Context, run *jobs.Run, id, reason string) error {
	t, err := change(ctx, h.c.Store, id, func(t *fleet.Tenant) bool {
		if slices.ContainsFunc(t.Holds, heldBy(run.JobID)) {
			return false
		}
		held := fleet.Hold{Reason: fmt.Sprintf("%s (job %s)", reason, run.JobID), Since: h.c.Now(), Job: run.JobID}
		t.Holds = append(slices.Clone(t.Holds), held)
		slices.SortFunc(t.Holds, func(a, b fleet.Hold) int { return strings.Compare(a.Reason, b.Reason) })
		return true
	})
	if err != nil {
		return err
	}
	return h.Hold(ctx, run, t.Name)
}

func heldBy(job string) func(fleet.Hold) bool {
	return func(held fleet.Hold) bool { return held.Job == job }
}

// Resume ends the job's Pause. A tenant that is gone is success.
func (h *Hands) Resume(ctx context.Context, run *jobs.Run, id string) error {
	t, err := change(ctx, h.c.Store, id, func(t *fleet.Tenant) bool {
		was := len(t.Holds)
		t.Holds = orNone(slices.DeleteFunc(slices.Clone(t.Holds), heldBy(run.JobID)))
		return len(t.Holds) != was
	})
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err == nil {
		h.Show(t.Name)
	}
	return err
}

// Rehome writes down that the tenant lives on the member now. The place that was kept for it
// there is given up: it has it.
func (h *Hands) Rehome(ctx context.Context, id, member string) error {
	t, err := change(ctx, h.c.Store, id, func(t *fleet.Tenant) bool {
		if t.Member == member {
			return false
		}
		t.Member, t.UpdatedAt, t.MovedAt = member, h.c.Now(), h.c.Now()
		return true
	})
	if err == nil {
		h.GiveUpPlace(t.Name)
	}
	return err
}

// GiveUpPlace ends what Service.Destination keeps for the tenant.
func (h *Hands) GiveUpPlace(name fleet.Name) { h.c.Observer.survey.release(name.String()) }

// Keys gives the configuration keys that say whose the tenant's instance is.
func (*Hands) Keys(t fleet.Tenant) map[string]string { return keysOf(t) }

// Keys gives the configuration keys that say whose the tenant's instance is.
func Keys(t fleet.Tenant) map[string]string { return keysOf(t) }
