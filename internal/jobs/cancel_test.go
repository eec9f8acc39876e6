package jobs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// TestCancelAtEachStage: where cancel is allowed the job ends as cancelled, elsewhere it is a
// conflict. The cancel comes from the engine that runs the job, or from another one.
func TestCancelAtEachStage(t *testing.T) {
	for name, c := range map[string]struct {
		commit string
		at     string // the act in which the job hangs when the cancel comes
		fails  string // an act that fails before
		ok     bool
		state  fleet.JobState // in the end, once at goes on
		did    string
	}{
		"first step":          {at: "a", ok: true, state: fleet.JobCancelled, did: "a -a"},
		"last step":           {at: "c", ok: true, state: fleet.JobCancelled, did: "a b c -c -b -a"},
		"before the commit":   {commit: "c", at: "b", ok: true, state: fleet.JobCancelled, did: "a b -b -a"},
		"in the commit step":  {commit: "b", at: "b", state: fleet.JobDone, did: "a b c"},
		"past the commit":     {commit: "b", at: "c", state: fleet.JobDone, did: "a b c"},
		"undone for a reason": {at: "-a", fails: "b", state: fleet.JobUndone, did: "a b -b -a"},
	} {
		for _, remote := range []bool{false, true} {
			where := " here"
			if remote {
				where = " elsewhere"
			}
			t.Run(name+where, func(t *testing.T) {
				inBubble(t, c.commit, func(s *scene) {
					goOn := make(chan struct{})
					s.on(c.at, func(ctx context.Context, _ *jobs.Run) error {
						select {
						case <-ctx.Done():
							return ctx.Err()
						case <-goOn:
							return nil
						}
					})
					if c.fails != "" {
						s.on(c.fails, fail)
					}
					e := s.start()
					asked := e
					if remote {
						asked = s.engine(func(o *jobs.Options) { o.DisableClaim = true })
					}
					id := s.submit(e)
					synctest.Wait()
					for range 2 { // asking again is fine
						if _, err := asked.Cancel(s.Context(), id); (err == nil) != c.ok {
							s.Errorf("cancel: %v", err)
						} else if !c.ok {
							s.wantCode("cancel", err, fleet.Conflict)
						}
						synctest.Wait()
						if c.ok && s.state(id).Finished() {
							break
						}
					}
					if !c.ok {
						close(goOn)
					}
					job := s.ends(e, id, c.state)
					if c.state == fleet.JobCancelled && (job.ErrorCode != fleet.Cancelled || !job.Cancel) {
						s.Errorf("the cancelled job keeps %q (%s)", job.Error, job.ErrorCode)
					}
					s.want("acts", s.did(), c.did)
					_, err := asked.Cancel(s.Context(), id)
					s.wantCode("cancel when it has ended", err, fleet.Conflict)
				})
			})
		}
	}
}

func TestCancelQueued(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		e := s.engine()
		id := s.submit(e)
		job, err := e.Cancel(s.Context(), id)
		s.ok(err)
		s.want("state", string(job.State), string(fleet.JobCancelled))
		s.want("story", s.story(id), "[cancelled]")
		s.ends(e, s.submit(s.start()), fleet.JobDone) // the subject is free
		_, err = e.Cancel(s.Context(), "nothing")
		s.wantCode("cancel of no job", err, fleet.NotFound)
	})
}

// TestCancelWhileClaimed: a runner that claims a job in the moment of the cancel finds the request.
func TestCancelWhileClaimed(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		e := s.engine()
		id := s.submit(e)
		var late *jobs.Engine
		s.store.Before = func(_ context.Context, method string) error {
			if method == "SetJobState" && late == nil {
				late = jobs.NewEngine(s.memory, s.reg, jobs.Options{})
				s.ok(late.Start(s.Context()))
				synctest.Wait()
			}
			return nil
		}
		_, err := e.Cancel(s.Context(), id)
		s.ok(err)
		s.ends(e, id, fleet.JobCancelled)
		s.want("acts", s.did(), "")
		s.ok(late.Stop(s.Context()))
	})
}

// TestCancelAtLastMoment: a cancel that another process stores between two heartbeats is seen
// before the commit step begins.
func TestCancelAtLastMoment(t *testing.T) {
	inBubble(t, "c", func(s *scene) {
		s.on("b", func(_ context.Context, run *jobs.Run) error {
			_, err := s.memory.RequestCancel(s.Context(), run.JobID, time.Now())
			return err
		})
		e := s.start()
		s.ends(e, s.submit(e), fleet.JobCancelled)
		s.want("acts", s.did(), "a b -b -a")
	})
}

// TestCancelThenCrash: the request outlives the runner that got it.
func TestCancelThenCrash(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		goOn := make(chan struct{})
		first := times(1, hang)
		s.on("-a", func(ctx context.Context, run *jobs.Run) error {
			if err := first(ctx, run); err != nil {
				return err
			}
			<-goOn
			return nil
		})
		s.on("a", hang)
		one := s.start()
		id := s.submit(one)
		synctest.Wait()
		_, err := one.Cancel(s.Context(), id)
		s.ok(err)
		synctest.Wait()
		s.ok(one.Stop(s.Context()))
		s.want("state", string(s.state(id)), string(fleet.JobUndoing))
		second := s.start()
		_, err = second.Cancel(s.Context(), id)
		s.ok(err) // it is being cancelled: asking again is fine
		close(goOn)
		s.ends(second, id, fleet.JobCancelled)
		s.want("acts", s.did(), "a -a -a")
	})
}

// TestCancelTooLate: who asks in the moment in which another process ends the job is told so.
func TestCancelTooLate(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		goOn := make(chan struct{})
		s.on("c", func(context.Context, *jobs.Run) error { <-goOn; return nil })
		runner := jobs.NewEngine(s.memory, s.reg, jobs.Options{})
		s.ok(runner.Start(s.Context()))
		asked := s.engine(func(o *jobs.Options) { o.DisableClaim = true })
		id := s.submit(runner)
		synctest.Wait()
		s.store.After = func(_ context.Context, method string) error {
			if method == "RequestCancel" {
				close(goOn)
				synctest.Wait()
			}
			return nil
		}
		_, err := asked.Cancel(s.Context(), id)
		s.wantCode("cancel", err, fleet.Conflict)
		s.ends(runner, id, fleet.JobDone)
		s.ok(runner.Stop(s.Context()))
	})
}
