package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

const allDone = "[running] started:a done:a started:b done:b started:c done:c [done]"

// TestTransitions: how a job ends by what its steps do, and what is stored and told of it.
func TestTransitions(t *testing.T) {
	boom := func(context.Context, *jobs.Run) error { panic("boom") }
	for name, c := range map[string]struct {
		commit  string
		acts    map[string]act
		state   fleet.JobState
		code    fleet.Code
		message string // in the job's error
		hint    string // in its hint
		did     string
		story   string
	}{
		"done": {state: fleet.JobDone, did: "a b c", story: allDone},
		"first step fails": {
			acts: map[string]act{"a": fail}, state: fleet.JobUndone, code: fleet.Exhausted,
			message: "the pool is full", hint: "add a disk", did: "a -a",
			story: "[running] started:a failed:a [undoing] undo_started:a undone:a [undone]",
		},
		"last step fails": {
			acts: map[string]act{"c": fail}, state: fleet.JobUndone, code: fleet.Exhausted, did: "a b c -c -b -a",
			story: "[running] started:a done:a started:b done:b started:c failed:c [undoing] " +
				"undo_started:c undone:c undo_started:b undone:b undo_started:a undone:a [undone]",
		},
		"an error that is not of ours": {
			acts:  map[string]act{"a": func(context.Context, *jobs.Run) error { return errors.New("odd") }},
			state: fleet.JobUndone, code: fleet.Internal, message: "odd", did: "a -a",
			story: "[running] started:a failed:a [undoing] undo_started:a undone:a [undone]",
		},
		"a step says cancelled by itself": {
			acts:  map[string]act{"a": func(context.Context, *jobs.Run) error { return fleet.Errorf(fleet.Cancelled, "no") }},
			state: fleet.JobUndone, code: fleet.Cancelled, did: "a -a",
			story: "[running] started:a failed:a [undoing] undo_started:a undone:a [undone]",
		},
		"panic": {
			acts: map[string]act{"b": boom}, state: fleet.JobUndone, code: fleet.Internal,
			message: "step b panicked: boom", hint: "defect", did: "a b -b -a",
			story: "[running] started:a done:a started:b failed:b [undoing] undo_started:b undone:b undo_started:a undone:a [undone]",
		},
		"undo fails once": {
			acts: map[string]act{"b": fail, "-b": times(1, fail)}, state: fleet.JobUndone, code: fleet.Exhausted, did: "a b -b -b -a",
			story: "[running] started:a done:a started:b failed:b [undoing] " +
				"undo_started:b failed:b undo_started:b undone:b undo_started:a undone:a [undone]",
		},
		"undo panics once": {
			acts: map[string]act{"a": fail, "-a": times(1, boom)}, state: fleet.JobUndone, code: fleet.Exhausted, did: "a -a -a",
			story: "[running] started:a failed:a [undoing] undo_started:a failed:a undo_started:a undone:a [undone]",
		},
		"undo keeps failing": {
			acts: map[string]act{"b": fail, "-b": fail}, state: fleet.JobStuck, code: fleet.Exhausted,
			message: "undoing b failed 3 times: the pool is full (it was being undone because: the pool is full)",
			hint:    "add a disk; then: lxdfleet job retry", did: "a b -b -b -b",
			story: "[running] started:a done:a started:b failed:b [undoing] undo_started:b failed:b " +
				"undo_started:b failed:b undo_started:b failed:b [stuck]",
		},
		"commit step fails once": {
			commit: "b", acts: map[string]act{"b": times(1, fail)}, state: fleet.JobDone, did: "a b b c",
			story: "[running] started:a done:a started:b failed:b started:b done:b started:c done:c [done]",
		},
		"past the commit point it keeps failing": {
			commit: "b", acts: map[string]act{"c": fail}, state: fleet.JobStuck, code: fleet.Exhausted,
			message: "step c failed 3 times: the pool is full", hint: "add a disk; then: lxdfleet job retry", did: "a b c c c",
			story: "[running] started:a done:a started:b done:b started:c failed:c started:c failed:c started:c failed:c [stuck]",
		},
		"before the commit point it turns back": {
			commit: "b", acts: map[string]act{"a": fail}, state: fleet.JobUndone, code: fleet.Exhausted, did: "a -a",
			story: "[running] started:a failed:a [undoing] undo_started:a undone:a [undone]",
		},
		"commit at the first step": {
			commit: "a", acts: map[string]act{"a": times(2, fail)}, state: fleet.JobDone, did: "a a a b c",
			story: "[running] started:a failed:a started:a failed:a started:a done:a started:b done:b started:c done:c [done]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, c.commit, func(s *scene) {
				for name, f := range c.acts {
					s.on(name, f)
				}
				var told []string
				e := s.start(func(o *jobs.Options) {
					o.ForwardAttempts, o.UndoAttempts = 3, 3
					o.OnEvent = func(job fleet.Job, ev fleet.JobEvent) {
						if ev.Type == fleet.EventState {
							told = append(told, ev.Message)
							if string(job.State) != ev.Message {
								s.Errorf("told %s with a job that is %s", ev.Message, job.State)
							}
						}
					}
				})
				id := s.submit(e)
				job := s.ends(e, id, c.state)
				synctest.Wait()
				s.want("acts", s.did(), c.did)
				s.want("story", s.story(id), c.story)
				s.want("code", string(job.ErrorCode), string(c.code))
				if !strings.Contains(job.Error, c.message) || !strings.Contains(job.Hint, c.hint) {
					s.Errorf("the job keeps %q, hint %q; want %q and %q", job.Error, job.Hint, c.message, c.hint)
				}
				if told[0] != "queued" || told[len(told)-1] != string(c.state) {
					s.Errorf("told %q", told)
				}
				// A stuck job holds its subject, the others do not.
				_, err := e.Submit(s.Context(), jobs.Request{Kind: "work", Subject: "tenant/acme"})
				if busy := errors.Is(err, fleet.Busy); busy != (c.state == fleet.JobStuck) {
					s.Errorf("next job: %v", err)
				}
			})
		})
	}
}

// TestStateIsKept: what a step writes into the state is there for the next, and what a failed
// step wrote is not.
func TestStateIsKept(t *testing.T) {
	inBubble(t, "b", func(s *scene) {
		s.on("b", times(2, fail))
		e := s.start()
		job, err := e.Submit(s.Context(), jobs.Request{Kind: "work", Subject: "x", Args: work{Did: []string{"args"}}})
		s.ok(err)
		s.ends(e, job.ID, fleet.JobDone)
		var states []string
		for _, ev := range s.events(job.ID) {
			if ev.Type == fleet.EventDone {
				states = append(states, string(ev.State))
			}
		}
		s.want("states", strings.Join(states, " "), `{"did":["args","a"]} {"did":["args","a","b"]} {"did":["args","a","b","c"]}`)
	})
}

// TestRetry: a stuck job goes on in the direction in which it got stuck, and keeps the reason
// for which it was undone.
func TestRetry(t *testing.T) {
	attempts := func(o *jobs.Options) { o.ForwardAttempts, o.UndoAttempts = 2, 2 }
	t.Run("forward", func(t *testing.T) {
		inBubble(t, "b", func(s *scene) {
			s.on("c", times(4, fail))
			e := s.start(attempts)
			id := s.submit(e)
			_, err := e.Retry(s.Context(), id)
			s.wantCode("retry before it is stuck", err, fleet.Conflict)
			for range 2 {
				s.ends(e, id, fleet.JobStuck)
				_, err := e.Cancel(s.Context(), id)
				s.wantCode("cancel a stuck job", err, fleet.Conflict)
				_, err = e.Retry(s.Context(), id)
				s.ok(err)
			}
			job := s.ends(e, id, fleet.JobDone)
			s.want("acts", s.did(), "a b c c c c c")
			s.want("error", job.Error+string(job.ErrorCode)+job.Hint, "")
			_, err = e.Retry(s.Context(), id)
			s.wantCode("retry when it is done", err, fleet.Conflict)
		})
	})
	t.Run("back", func(t *testing.T) {
		inBubble(t, "", func(s *scene) {
			s.on("b", fail)
			s.on("-b", times(2, func(context.Context, *jobs.Run) error { return errors.New("busy") }))
			e := s.start(attempts)
			id := s.submit(e)
			s.ends(e, id, fleet.JobStuck)
			_, err := e.Retry(s.Context(), id)
			s.ok(err)
			job := s.ends(e, id, fleet.JobUndone)
			s.want("acts", s.did(), "a b -b -b -b -a")
			if job.ErrorCode != fleet.Exhausted || !strings.Contains(job.Error, "the pool is full") {
				s.Errorf("the job keeps %q (%s), want the reason of the undo", job.Error, job.ErrorCode)
			}
		})
	})
	t.Run("back from a cancel", func(t *testing.T) {
		inBubble(t, "", func(s *scene) {
			s.on("b", hang)
			s.on("-a", times(2, fail))
			e := s.start(attempts)
			id := s.submit(e)
			synctest.Wait()
			_, err := e.Cancel(s.Context(), id)
			s.ok(err)
			s.ends(e, id, fleet.JobStuck)
			_, err = e.Retry(s.Context(), id)
			s.ok(err)
			s.ends(e, id, fleet.JobCancelled)
			s.want("acts", s.did(), "a b -b -a -a -a")
		})
	})
}

func unavailable(context.Context, *jobs.Run) error {
	return fleet.Errorf(fleet.Unavailable, "LXD does not answer")
}

// TestRetryWindow: a failure that may pass is no failure for a while.
func TestRetryWindow(t *testing.T) {
	for name, c := range map[string]struct {
		act    act
		window time.Duration
		state  fleet.JobState
		story  string
	}{
		"it passes":   {act: times(10, unavailable), state: fleet.JobDone, story: allDone},
		"it does not": {act: unavailable, state: fleet.JobUndone, story: "[running] started:a failed:a [undoing] undo_started:a undone:a [undone]"},
		"no window":   {act: times(1, unavailable), window: -1, state: fleet.JobUndone, story: "[running] started:a failed:a [undoing] undo_started:a undone:a [undone]"},
		"after half an hour": {act: times(1, func(ctx context.Context, run *jobs.Run) error {
			time.Sleep(30 * time.Minute)
			return unavailable(ctx, run)
		}), state: fleet.JobDone, story: allDone},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, "", func(s *scene) {
				s.on("a", c.act)
				e := s.start(func(o *jobs.Options) { o.RetryWindow = c.window })
				began := time.Now()
				id := s.submit(e)
				job := s.ends(e, id, c.state)
				s.want("story", s.story(id), c.story)
				if took := time.Since(began); name == "it does not" && (took < 2*time.Minute || took > 130*time.Second) {
					s.Errorf("gave up after %v", took)
				}
				if c.state == fleet.JobUndone && job.ErrorCode != fleet.Unavailable {
					s.Errorf("code %s", job.ErrorCode)
				}
			})
		})
	}
}

// TestUnknownKind: a job that no engine here can run is left to others for a while and is then
// stuck; with its kind there a retry has it run.
func TestUnknownKind(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.register("work", 2, "")
		id := s.submit(s.engine())
		other := jobs.NewEngine(s.store, jobs.NewRegistry(), jobs.Options{})
		s.ok(other.Start(s.Context()))
		began := time.Now()
		job := s.ends(other, id, fleet.JobStuck)
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			s.Errorf("stuck after %v", took)
		}
		if job.ErrorCode != fleet.Unsupported || !strings.Contains(job.Error, "work version 2") {
			s.Errorf("the job keeps %q (%s)", job.Error, job.ErrorCode)
		}
		s.ok(other.Stop(s.Context()))
		e := s.start()
		_, err := e.Retry(s.Context(), id)
		s.ok(err)
		s.ends(e, id, fleet.JobDone)
		s.want("acts", s.did(), "a b c")
	})
}

// TestUnknownKindWhileUndone: the reason of the undo outlives the wait for a daemon that has the kind.
func TestUnknownKindWhileUndone(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.on("a", fail)
		s.on("-a", hang)
		first := s.start()
		id := s.submit(first)
		synctest.Wait()
		s.ok(first.Stop(s.Context()))
		other := jobs.NewEngine(s.store, jobs.NewRegistry(), jobs.Options{})
		s.ok(other.Start(s.Context()))
		s.ends(other, id, fleet.JobStuck)
		s.ok(other.Stop(s.Context()))
		s.on("-a", nil)
		e := s.start()
		_, err := e.Retry(s.Context(), id)
		s.ok(err)
		if job := s.ends(e, id, fleet.JobUndone); job.ErrorCode != fleet.Exhausted {
			s.Errorf("the job keeps %q (%s), want the reason of the undo", job.Error, job.ErrorCode)
		}
	})
}
