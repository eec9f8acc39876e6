package migration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/batch"
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
	// At is when a planned move was to begin, and Group what it is one of.
	At    time.Time `json:"at,omitzero"`
	Group Group     `json:"group,omitzero"`
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

// DefaultAtOnce is how many tenants a shift moves at a time where it is not said: some copy while
// others stop and start. More make each of them, and so each hold, slower.
const DefaultAtOnce = 3

func (c *crew) drain() jobs.Kind[shiftState] {
	return jobs.Kind[shiftState]{
		Name: KindDrain, Version: 1,
		Steps: []jobs.Step[shiftState]{
			// No undo: a member that was to be emptied gets no tenants because that was stopped.
			{Name: "cordon", Do: c.cordon},
			// No undo: what was moved is well where it is.
			{Name: "move", Do: c.drainAll},
			{Name: "report", Do: c.report},
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
			{Name: "report", Do: c.report},
		},
	}
}

func (c *crew) rebalance() jobs.Kind[shiftState] {
	return jobs.Kind[shiftState]{
		Name: KindRebalance, Version: 1,
		Steps: []jobs.Step[shiftState]{
			{Name: "plan", Do: c.planRebalance},
			{Name: "move", Do: c.shiftAll},
			{Name: "report", Do: c.report},
		},
	}
}

// shiftAll carries out a plan.
func (c *crew) shiftAll(ctx context.Context, run *jobs.Run, s *shiftState) error {
	return c.shift(ctx, run, s, func(context.Context) (placement.Plan, error) { return placement.Plan{Moves: s.Plan}, nil })
}

// shift carries out the moves of a plan, which is made anew whenever one has ended, until there is
// none left to begin. What came of it is in s.
func (c *crew) shift(ctx context.Context, run *jobs.Run, s *shiftState, plan func(context.Context) (placement.Plan, error)) error {
	w := &shifter{
		Batch: batch.Batch{Book: c.Jobs, Run: run, AtOnce: s.AtOnce, Did: "moved", Now: c.Now}, mover: c.Mover, state: s,
	}
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
			waiting = waiting || w.stays(l)
		}
		if len(w.Going()) == 0 && !waiting {
			w.outcome(p)
			return nil
		}
		w.tell(p)
		if err := w.Await(ctx); err != nil {
			return err
		}
	}
}

// shifter is a shift at work.
type shifter struct {
	batch.Batch
	mover Mover
	state *shiftState
}

// begin submits moves, as many as may be under way. waiting: some may be begun later.
func (w *shifter) begin(ctx context.Context, moves []placement.Move) (waiting bool, err error) {
	names, to := make([]string, len(moves)), make(map[string]string, len(moves))
	for i, m := range moves {
		names[i], to[m.Tenant] = m.Tenant, m.To
	}
	return w.Begin(ctx, names, func(ctx context.Context, tenant string) (fleet.Job, error) {
		return w.mover.Move(ctx, fleet.Name(tenant), Request{
			To: to[tenant], MostHold: w.state.MostHold, BytesPerSecond: w.state.BytesPerSecond, For: w.Run.Subject,
		}, Once{Key: w.Key(tenant), Hash: w.Run.JobID})
	})
}

// stays takes in that the plan leaves a tenant where it is; wait: it may be moved later.
func (w *shifter) stays(l placement.Left) (wait bool) {
	return !w.Has(l.Tenant) && isBusy(l) && (len(w.Going()) > 0 || w.Patient())
}

// isBusy reports whether a plan leaves a tenant because a job works on it, as tenants.Service says.
func isBusy(l placement.Left) bool {
	return strings.HasPrefix(l.Why, "is busy") || strings.HasPrefix(l.Why, "is being moved")
}

// tell shows how far the shift is.
func (w *shifter) tell(p placement.Plan) {
	going, done, open := w.Going(), len(w.Done()), 0
	for _, m := range p.Moves {
		if _, ended := w.Ended()[m.Tenant]; !ended {
			open++
		}
	}
	total := max(done+open, done+len(going))
	progress := fleet.Progress{Message: fmt.Sprintf("%d of %d moved; moving %s", done, total, strings.Join(going, ", "))}
	if len(going) == 0 {
		progress.Message = fmt.Sprintf("%d of %d moved; waiting for tenants that are busy", done, total)
	}
	if total > 0 {
		progress.Percent = done * 100 / total
	}
	w.Run.Progress(progress)
}

// outcome writes down what came of the shift.
func (w *shifter) outcome(p placement.Plan) {
	left := map[string]string{}
	for _, l := range p.Left {
		left[l.Tenant] = l.Why
	}
	for tenant, o := range w.Ended() {
		if o.Why != "" {
			left[tenant] = o.Why
		}
	}
	w.state.Moved, w.state.Left = w.Done(), left
}

// report fails with fleet.Failed where some tenants could not be moved, and names them. It is a step of
// its own, so that what came of each is written down also then.
func (*crew) report(_ context.Context, run *jobs.Run, s *shiftState) error {
	if len(s.Left) == 0 {
		line := fmt.Sprintf("Moved %d.", len(s.Moved))
		run.Progress(fleet.Progress{Message: line})
		_, _ = fmt.Fprintln(run.Output(), line)
		return nil
	}
	var words []string
	for tenant, why := range s.Left {
		words = append(words, tenant+" "+why)
	}
	slices.Sort(words)
	return fleet.Errorf(fleet.Failed, "%d moved, %d not: %s", len(s.Moved), len(s.Left), strings.Join(words, "; ")).
		WithHint("what is moved stays moved; ask again once the reasons are gone")
}
