package migration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// The kinds of jobs that move many tenants. Each tenant's move is a job of its own, so that a
// shift that is stopped leaves no tenant half-moved, and one that is taken up again goes on with
// the moves that are under way.
const (
	// KindDrain moves everything away from a member; its subject is "member/NAME".
	KindDrain = "member.drain"
	// KindRestore opens a member again and brings back what a drain moved away; likewise.
	KindRestore = "member.restore"
	// KindRebalance moves what brings the fleet under its targets; its subject is "fleet".
	KindRebalance = "fleet.rebalance"
)

// shiftState is the state of the jobs that move many tenants.
type shiftState struct {
	Member      string `json:"member,omitempty"` // that is drained or restored
	Consolidate bool   `json:"consolidate,omitempty"`
	Options
	// Plan is what is moved where; a drain plans anew as it goes on.
	Plan []placement.Move `json:"plan,omitempty"`
	// Moved and Left are the outcome, Left with the reason in words that follow the tenant's name.
	Moved []string          `json:"moved,omitempty"`
	Left  map[string]string `json:"left,omitempty"`
}

// Options are limits of a shift.
type Options struct {
	// AtOnce is how many tenants are moved at a time. 0: DefaultAtOnce.
	AtOnce int `json:"at_once,omitempty"`
	// MostHold and BytesPerSecond are those of each move.
	MostHold       time.Duration `json:"most_hold_ns,omitempty"`
	BytesPerSecond fleet.Size    `json:"bytes_per_second,omitempty"`
}

// DefaultAtOnce is how many tenants a shift moves at a time where it is not said. Of two, one
// copies while the visitors of the other wait.
const DefaultAtOnce = 2

func (c *crew) drain() jobs.Kind[shiftState] {
	return jobs.Kind[shiftState]{
		Name: KindDrain, Version: 1,
		Steps: []jobs.Step[shiftState]{
			// No undo: a member that was to be emptied gets no tenants because that was stopped.
			{Name: "cordon", Do: c.cordon},
			// No undo: what was moved is well where it is.
			{Name: "move", Do: c.drainAll},
		},
	}
}

func (c *crew) restoreMember() jobs.Kind[shiftState] {
	return jobs.Kind[shiftState]{
		Name: KindRestore, Version: 1,
		Steps: []jobs.Step[shiftState]{
			{Name: "open", Do: c.uncordon},
			{Name: "plan", Do: c.planBack},
			{Name: "move", Do: c.shiftAll},
		},
	}
}

func (c *crew) rebalance() jobs.Kind[shiftState] {
	return jobs.Kind[shiftState]{
		Name: KindRebalance, Version: 1,
		Steps: []jobs.Step[shiftState]{
			{Name: "plan", Do: c.planRebalance},
			{Name: "move", Do: c.shiftAll},
		},
	}
}

// shiftAll carries out a plan.
func (c *crew) shiftAll(ctx context.Context, run *jobs.Run, s *shiftState) error {
	return c.shift(ctx, run, s, func(context.Context) (placement.Plan, error) { return placement.Plan{Moves: s.Plan}, nil })
}

// shift carries out the moves of a plan, which is made anew whenever one has ended, until there is
// none left to begin. Where some tenants could not be moved the error is fleet.Failed and names them.
func (c *crew) shift(ctx context.Context, run *jobs.Run, s *shiftState, plan func(context.Context) (placement.Plan, error)) error {
	w := &shifter{crew: c, run: run, state: s, going: map[string]fleet.Job{}, tried: map[string]string{}}
	for {
		p, err := plan(ctx)
		if err != nil {
			return err
		}
		waiting, err := w.begin(ctx, p.Moves)
		if err != nil {
			return err
		}
		for _, l := range p.Left {
			if _, is := w.going[l.Tenant]; !is {
				waiting = waiting || w.stays(l)
			}
		}
		if len(w.going) == 0 && !waiting {
			return w.outcome(p)
		}
		w.tell(p)
		if err := w.await(ctx); err != nil {
			return err
		}
	}
}

// shifter is a shift at work.
type shifter struct {
	*crew
	run   *jobs.Run
	state *shiftState
	going map[string]fleet.Job // moves under way, by tenant
	tried map[string]string    // tenants whose move has ended: empty, or why it failed
	since time.Time            // when nothing could be begun any more; zero: something could
}

// begin submits moves, as many as may be under way. waiting: some may be begun later.
func (w *shifter) begin(ctx context.Context, moves []placement.Move) (waiting bool, err error) {
	for _, m := range moves {
		if _, done := w.tried[m.Tenant]; done {
			continue
		}
		if _, is := w.going[m.Tenant]; is {
			continue
		}
		if len(w.going) >= max(1, w.state.AtOnce) {
			return true, nil
		}
		job, err := w.Mover.Move(ctx, fleet.Name(m.Tenant), Request{
			To: m.To, MostHold: w.state.MostHold, BytesPerSecond: w.state.BytesPerSecond, For: w.run.Subject,
		}, Once{Key: w.run.JobID + "/" + m.Tenant, Hash: w.run.JobID})
		switch fleet.CodeOf(err) {
		case "":
			w.going[m.Tenant], w.since = job, time.Time{}
		case fleet.Busy, fleet.Exhausted: // another job, or room that another move frees
			if len(w.going) == 0 && !w.patient() {
				w.fail(m.Tenant, err)
				continue
			}
			waiting = true
		case fleet.NotFound:
			w.tried[m.Tenant] = "" // it was deleted meanwhile
		case fleet.Unavailable:
			return false, err // the step is tried again
		default:
			w.fail(m.Tenant, err)
		}
	}
	return waiting, ctx.Err()
}

func (w *shifter) fail(tenant string, err error) {
	w.tried[tenant] = err.Error()
	say(w.run, fmt.Sprintf("%s is not moved: %v", tenant, err))
}

// patience is how long a shift waits for tenants that are busy with something else.
const patience = 10 * time.Minute

// patient reports whether it is still time to wait, while no move is under way.
func (w *shifter) patient() bool {
	if w.since.IsZero() {
		w.since = w.Now()
	}
	return w.Now().Sub(w.since) < patience
}

// stays takes in that the plan leaves a tenant where it is; wait: it may be moved later.
func (w *shifter) stays(l placement.Left) (wait bool) {
	if _, done := w.tried[l.Tenant]; done {
		return false
	}
	if !isBusy(l) {
		return false
	}
	return len(w.going) > 0 || w.patient()
}

// isBusy reports whether a plan leaves a tenant because a job works on it, as tenants.Service says.
func isBusy(l placement.Left) bool {
	return strings.HasPrefix(l.Why, "is busy") || strings.HasPrefix(l.Why, "is being moved")
}

// tell shows how far the shift is.
func (w *shifter) tell(p placement.Plan) {
	names := make([]string, 0, len(w.going))
	for name := range w.going {
		names = append(names, name)
	}
	slices.Sort(names)
	done, open := len(w.state.Moved), 0
	for _, m := range p.Moves {
		if _, is := w.tried[m.Tenant]; !is {
			open++
		}
	}
	total := max(done+open, done+len(w.going))
	progress := fleet.Progress{Message: fmt.Sprintf("%d of %d moved; moving %s", done, total, strings.Join(names, ", "))}
	if len(names) == 0 {
		progress.Message = fmt.Sprintf("%d of %d moved; waiting for tenants that are busy", done, total)
	}
	if total > 0 {
		progress.Percent = done * 100 / total
	}
	w.run.Progress(progress)
}

// lookEvery is how often moves under way are looked at.
const lookEvery = 250 * time.Millisecond

// await returns when one of the moves has ended, or after a while where none is under way.
func (w *shifter) await(ctx context.Context) error {
	for looks := 0; ; looks++ {
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		ended, err := w.look(ctx)
		if err != nil || ended || len(w.going) == 0 && looks > 8 {
			return err
		}
	}
}

func (w *shifter) look(ctx context.Context) (ended bool, err error) {
	for tenant, job := range w.going {
		now, err := w.Jobs.Job(ctx, job.ID)
		if fleet.CodeOf(err) == fleet.NotFound {
			now, err = fleet.Job{ID: job.ID, State: fleet.JobUndone, Error: "its record is gone"}, nil
		}
		if err != nil {
			return false, fmt.Errorf("read job %s: %w", job.ID, err)
		}
		if !now.State.Finished() {
			continue
		}
		delete(w.going, tenant)
		ended = true
		if now.State == fleet.JobDone {
			w.tried[tenant] = ""
			w.state.Moved = append(w.state.Moved, tenant)
			_, _ = fmt.Fprintf(w.run.Output(), "%s is moved (job %s).\n", tenant, now.ID)
			continue
		}
		w.tried[tenant] = fmt.Sprintf("job %s is %s: %s", now.ID, now.State, now.Error)
		say(w.run, fmt.Sprintf("%s is not moved: %s", tenant, w.tried[tenant]))
	}
	return ended, nil
}

// outcome tells what came of the shift.
func (w *shifter) outcome(p placement.Plan) error {
	left := map[string]string{}
	for _, l := range p.Left {
		left[l.Tenant] = l.Why
	}
	for tenant, why := range w.tried {
		if why != "" {
			left[tenant] = why
		}
	}
	w.state.Left = left
	if len(left) == 0 {
		say(w.run, fmt.Sprintf("Moved %d.", len(w.state.Moved)))
		return nil
	}
	var words []string
	for tenant, why := range left {
		words = append(words, tenant+" "+why)
	}
	slices.Sort(words)
	return fleet.Errorf(fleet.Failed, "%d moved, %d not: %s", len(w.state.Moved), len(left), strings.Join(words, "; ")).
		WithHint("what is moved stays moved; ask again once the reasons are gone")
}
