package jobs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// work is the state of the kind under test: the steps that were done.
type work struct {
	Did []string `json:"did"`
}

type act = func(ctx context.Context, run *jobs.Run) error

// scene is a store with a kind "work" of the steps a, b and c. What they do besides being
// noted is set with on: "b" is the Do of b, "-b" its Undo.
type scene struct {
	*testing.T
	memory *jobstest.Memory
	store  *jobstest.Intercept // in front of memory
	reg    *jobs.Registry

	mu    sync.Mutex
	acts  map[string]act
	trail []string
}

// inBubble runs a test with a scene in a bubble, where waits take no time.
func inBubble(t *testing.T, commit string, test func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newScene(t, commit)) })
}

func newScene(t *testing.T, commit string) *scene {
	t.Helper()
	s := &scene{T: t, memory: jobstest.NewMemory(), reg: jobs.NewRegistry(), acts: map[string]act{}}
	s.store = &jobstest.Intercept{Store: s.memory}
	s.register("work", 1, commit)
	return s
}

func (s *scene) register(name string, version int, commit string) {
	s.Helper()
	kind := jobs.Kind[work]{Name: name, Version: version, Commit: commit}
	for _, name := range []string{"a", "b", "c"} {
		step := jobs.Step[work]{
			Name: name,
			Do: func(ctx context.Context, run *jobs.Run, w *work) error {
				w.Did = append(w.Did, name)
				return s.act(ctx, run, name)
			},
		}
		if commit == "" || name < commit {
			step.Undo = func(ctx context.Context, run *jobs.Run, w *work) error {
				w.Did = slices.DeleteFunc(w.Did, func(did string) bool { return did == name })
				return s.act(ctx, run, "-"+name)
			}
		}
		kind.Steps = append(kind.Steps, step)
	}
	s.ok(jobs.Register(s.reg, kind))
}

func (s *scene) act(ctx context.Context, run *jobs.Run, name string) error {
	s.mu.Lock()
	s.trail = append(s.trail, name)
	f := s.acts[name]
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, run)
}

func (s *scene) on(name string, f act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts[name] = f
}

// did gives the acts so far, in order.
func (s *scene) did() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.trail, " ")
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("unexpected error: %v", err)
	}
}

func (s *scene) want(what, got, want string) {
	s.Helper()
	if got != want {
		s.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func (s *scene) wantCode(what string, err error, code fleet.Code) {
	s.Helper()
	if !errors.Is(err, code) {
		s.Errorf("%s: error %v, want one of code %s", what, err, code)
	}
}

// engine makes an engine that is not started.
func (s *scene) engine(change ...func(*jobs.Options)) *jobs.Engine {
	opt := jobs.Options{}
	for _, f := range change {
		f(&opt)
	}
	return jobs.NewEngine(s.store, s.reg, opt)
}

// start starts an engine, which stops at the end of the test.
func (s *scene) start(change ...func(*jobs.Options)) *jobs.Engine {
	s.Helper()
	e := s.engine(change...)
	s.ok(e.Start(context.WithoutCancel(s.Context())))
	s.Cleanup(func() { s.ok(e.Stop(context.WithoutCancel(s.Context()))) })
	return e
}

func (s *scene) submit(e *jobs.Engine) string {
	s.Helper()
	job, err := e.Submit(s.Context(), jobs.Request{Kind: "work", Subject: "tenant/acme"})
	s.ok(err)
	return job.ID
}

// ends waits for the job and checks its state.
func (s *scene) ends(e *jobs.Engine, id string, state fleet.JobState) fleet.Job {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Hour)
	defer cancel()
	job, err := e.Wait(ctx, id)
	if err != nil {
		s.Fatalf("wait: %v; %s", err, s.story(id))
	}
	if job.State != state {
		s.Fatalf("the job ended as %s (%s), want %s; %s", job.State, job.Error, state, s.story(id))
	}
	return job
}

// story gives the job's events, without progress and output.
func (s *scene) story(id string) string {
	s.Helper()
	var words []string
	for _, ev := range s.events(id) {
		switch ev.Type {
		case fleet.EventState:
			words = append(words, "["+ev.Message+"]")
		case fleet.EventProgress, fleet.EventOutput:
		default:
			words = append(words, string(ev.Type)+":"+ev.Step)
		}
	}
	return strings.Join(words, " ")
}

func (s *scene) events(id string) []fleet.JobEvent {
	s.Helper()
	events, err := s.memory.JobEvents(context.WithoutCancel(s.Context()), id, 0, 0)
	s.ok(err)
	for i, ev := range events {
		if ev.Seq != int64(i)+1 || ev.JobID != id {
			s.Fatalf("event %d is %+v", i+1, ev)
		}
	}
	return events
}

// state gives the job's stored state.
func (s *scene) state(id string) fleet.JobState {
	s.Helper()
	job, err := s.memory.Job(s.Context(), id)
	s.ok(err)
	return job.State
}

func fail(context.Context, *jobs.Run) error {
	return fleet.Errorf(fleet.Exhausted, "the pool is full").WithHint("add a disk")
}

// hang waits for the end of its context.
func hang(ctx context.Context, _ *jobs.Run) error {
	<-ctx.Done()
	return ctx.Err()
}

// times gives an act that is f for the first n calls and then succeeds.
func times(n int, f act) act {
	var mu sync.Mutex
	return func(ctx context.Context, run *jobs.Run) error {
		mu.Lock()
		n--
		now := n >= 0
		mu.Unlock()
		if now {
			return f(ctx, run)
		}
		return nil
	}
}
