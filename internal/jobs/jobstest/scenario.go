package jobstest

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Scenario says how to try a job kind.
type Scenario struct {
	Kind string
	// New makes a fresh world, with whatever the job needs. What must be closed is closed by
	// t.Cleanup.
	New func(t *testing.T) World
	// Bubble runs each case in a synctest bubble, so that waits take no time. The world must
	// do its I/O in memory then.
	Bubble bool
}

// World is everything around one job.
type World struct {
	Store    jobs.Store
	Registry *jobs.Registry // with the kind
	// Submit gives the request for the job; it may prepare the world first.
	Submit func() jobs.Request
	// CheckDone checks that the job has had its effect.
	CheckDone func(t *testing.T)
	// CheckUndone checks that the world is as it was before: nothing is left behind.
	CheckUndone func(t *testing.T)
	// Options, where set, may change how engines are made.
	Options func(*jobs.Options)
}

// patience is how long a job of a generic test may take.
const patience = 2 * time.Minute

// each runs a case in a subtest of its own.
func (s Scenario) each(t *testing.T, name string, test func(t *testing.T, w World)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if s.Bubble {
			synctest.Test(t, func(t *testing.T) { test(t, s.New(t)) })
			return
		}
		test(t, s.New(t))
	})
}

// info describes the scenario's kind, from a world that is not used further.
func (s Scenario) info(t *testing.T) (info jobs.KindInfo, commit int) {
	t.Helper()
	s.each(t, "kind", func(t *testing.T, w World) {
		kinds := w.Registry.Kinds()
		i := slices.IndexFunc(kinds, func(k jobs.KindInfo) bool { return k.Name == s.Kind })
		if i < 0 {
			t.Fatalf("the scenario's registry has no kind %s", s.Kind)
		}
		info = kinds[i]
		if commit = slices.Index(info.Steps, info.Commit); commit < 0 {
			commit = len(info.Steps)
		}
	})
	if info.Name == "" {
		t.FailNow()
	}
	return info, commit
}

func (w World) engine(t *testing.T, store jobs.Store, change func(*jobs.Options)) *jobs.Engine {
	t.Helper()
	opt := jobs.Options{
		PollInterval: 50 * time.Millisecond,
		Logger:       slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if w.Options != nil {
		w.Options(&opt)
	}
	change(&opt)
	return jobs.NewEngine(store, w.Registry, opt)
}

// run submits the job to an engine with the given faults and waits for its end.
func (w World) run(t *testing.T, faults jobs.Faults) fleet.Job {
	t.Helper()
	e := w.engine(t, w.Store, func(o *jobs.Options) { o.Faults = faults })
	start(t, e, t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	job, err := e.Submit(ctx, w.Submit())
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	job, err = e.Wait(ctx, job.ID)
	stop(t, e)
	if err != nil {
		t.Fatalf("wait for the job: %v%s", err, w.story(t, job.ID))
	}
	return job
}

func start(t *testing.T, e *jobs.Engine, ctx context.Context) { //nolint:revive // t first, as in all helpers
	t.Helper()
	if err := e.Start(ctx); err != nil {
		t.Fatalf("start: %v", err)
	}
}

func stop(t *testing.T, e *jobs.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// want checks how the job ended, and the world.
func (w World) want(t *testing.T, job fleet.Job, state fleet.JobState) {
	t.Helper()
	if job.State != state {
		t.Fatalf("the job ended as %s (%s), want %s%s", job.State, job.Error, state, w.story(t, job.ID))
	}
	switch state {
	case fleet.JobDone:
		w.CheckDone(t)
	default:
		w.CheckUndone(t)
	}
	if t.Failed() {
		t.Log("what happened:" + w.story(t, job.ID))
	}
}

// story tells a job's events, a line each.
func (w World) story(t *testing.T, id string) string {
	events, err := w.Store.JobEvents(context.WithoutCancel(t.Context()), id, 0, 0)
	if err != nil {
		return ""
	}
	var story string
	for _, ev := range events {
		story += "\n  " + string(ev.Type) + " " + ev.Step + " " + ev.Message
	}
	return story
}

// Cover fails when a kind of the registry has no scenario.
func Cover(t *testing.T, registry *jobs.Registry, scenarios []Scenario) {
	t.Helper()
	for _, name := range uncovered(registry, scenarios) {
		t.Errorf("job kind %s has no scenario: repeat, fail and resume are not tested for it", name)
	}
}

func uncovered(registry *jobs.Registry, scenarios []Scenario) (names []string) {
	for _, k := range registry.Kinds() {
		if !slices.ContainsFunc(scenarios, func(s Scenario) bool { return s.Kind == k.Name }) {
			names = append(names, k.Name)
		}
	}
	return names
}
