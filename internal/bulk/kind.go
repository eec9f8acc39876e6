package bulk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/batch"
)

// Kind is the kind of a job that does the same to many tenants; its subject is "bulk/ID", with an
// id of its own, so that several may be under way.
const Kind = "tenant.bulk"

// Deps is what the steps work with.
type Deps struct {
	Jobs  JobBook
	Actor Actor
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// state is the state of tenant.bulk.
type state struct {
	Request
	Tenants []string `json:"tenants"`
	// Outcomes is what came of each, once all have ended.
	Outcomes map[string]batch.Outcome `json:"outcomes,omitempty"`
}

// crew gives the steps their hands.
type crew struct{ Deps }

// Register makes the kind known to the engine.
func Register(reg *jobs.Registry, deps Deps) error {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	c := &crew{deps}
	return jobs.Register(reg, jobs.Kind[state]{
		Name: Kind, Version: 1,
		Steps: []jobs.Step[state]{
			// Undo: what is under way is finished. What was done to a tenant stays: it is well as it is.
			{Name: "act", Do: c.act, Undo: c.finish},
			// A step of its own, so that what came of each tenant is written down also where it fails.
			{Name: "report", Do: c.report},
		},
	})
}

// act submits each tenant's job, and waits for all of them.
func (c *crew) act(ctx context.Context, run *jobs.Run, s *state) error {
	b := &batch.Batch{Book: c.Jobs, Run: run, AtOnce: s.AtOnce, Did: s.Action.did(), Now: c.Now}
	for {
		waiting, err := b.Begin(ctx, s.Tenants, func(ctx context.Context, tenant string) (fleet.Job, error) {
			return c.Actor.Act(ctx, fleet.Name(tenant), s.Request, Once{Key: b.Key(tenant), Hash: run.JobID})
		})
		if err != nil {
			return err
		}
		if len(b.Going()) == 0 && !waiting {
			s.Outcomes = b.Ended()
			return nil
		}
		tell(run, s, b)
		if err := b.Await(ctx); err != nil {
			return err
		}
	}
}

func tell(run *jobs.Run, s *state, b *batch.Batch) {
	ended, going := len(b.Ended()), b.Going()
	p := fleet.Progress{
		Percent: ended * 100 / len(s.Tenants),
		Message: fmt.Sprintf("%s: %d of %d ended; under way: %s", s.Action, ended, len(s.Tenants), strings.Join(going, ", ")),
	}
	if len(going) == 0 {
		p.Message = fmt.Sprintf("%s: %d of %d ended; waiting for tenants that are busy", s.Action, ended, len(s.Tenants))
	}
	run.Progress(p)
}

// finish waits for the jobs that are under way, and notes what came of them.
func (c *crew) finish(ctx context.Context, run *jobs.Run, s *state) error {
	if s.Outcomes != nil {
		return nil // all have ended
	}
	for {
		open, err := c.Jobs.Jobs(ctx, jobs.JobFilter{Parent: run.JobID, Unfinished: true, Limit: most})
		if err != nil {
			return fmt.Errorf("list the jobs that are under way: %w", err)
		}
		open = slices.DeleteFunc(open, func(j fleet.Job) bool { return j.State.Finished() || batch.Planned(j, c.Now()) }) // finished: stuck ones
		if len(open) == 0 {
			break
		}
		run.Progress(fleet.Progress{Message: fmt.Sprintf("finishing what is under way: %d", len(open))})
		if err := batch.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	begun, err := c.Jobs.Jobs(ctx, jobs.JobFilter{Parent: run.JobID, Limit: most})
	if err != nil {
		return fmt.Errorf("list the jobs that were begun: %w", err)
	}
	s.Outcomes = make(map[string]batch.Outcome, len(begun))
	for _, j := range begun {
		s.Outcomes[strings.TrimPrefix(j.Key, run.JobID+"/")] = batch.OutcomeOf(j, c.Now())
	}
	line, _ := summary(s)
	_, _ = fmt.Fprintf(run.Output(), "Stopped: %s, %d not begun.\n", line, len(s.Tenants)-len(begun))
	return nil
}

// report fails where something could not be done.
func (c *crew) report(_ context.Context, run *jobs.Run, s *state) error {
	line, left := summary(s)
	if len(left) == 0 {
		run.Progress(fleet.Progress{Message: line, Percent: 100})
		_, _ = fmt.Fprintln(run.Output(), line+".")
		return nil
	}
	return fleet.Errorf(fleet.Failed, "%s", line).
		WithHint("what is done stays done; what came of each: lxdfleet job show %s", run.JobID)
}

// named is how many tenants an error names; the output names all.
const named = 10

// summary says in a line what came of all, and names those that it was not done to.
func summary(s *state) (line string, left []string) {
	done, planned := 0, 0
	for _, tenant := range slices.Sorted(maps.Keys(s.Outcomes)) {
		switch o := s.Outcomes[tenant]; {
		case !o.At.IsZero():
			planned++
		case o.Done:
			done++
		case o.Why != "":
			left = append(left, tenant+": "+o.Why)
		}
	}
	line = fmt.Sprintf("%d %s", done, s.Action.did())
	if planned > 0 {
		line += fmt.Sprintf(", %d wait for their time", planned)
	}
	if len(left) > 0 {
		line += fmt.Sprintf(", %d not: %s", len(left), strings.Join(left[:min(named, len(left))], "; "))
	}
	if len(left) > named {
		line += fmt.Sprintf("; and %d more", len(left)-named)
	}
	return line, left
}
