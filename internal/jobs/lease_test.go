package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

// TestHeartbeat: a long step keeps its job, however many other engines look for one.
func TestHeartbeat(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.on("b", func(context.Context, *jobs.Run) error { time.Sleep(24 * time.Hour); return nil })
		first := s.start()
		s.start()
		id := s.submit(first)
		time.Sleep(23 * time.Hour)
		job, err := first.Job(s.Context(), id)
		s.ok(err)
		if job.LeaseEpoch != 1 || !job.LeaseUntil.After(time.Now()) {
			s.Errorf("after 23 hours: %+v", job)
		}
		ctx, cancel := context.WithTimeout(s.Context(), 2*time.Hour)
		defer cancel()
		job, err = first.Wait(ctx, id)
		s.ok(err)
		s.want("state", string(job.State), string(fleet.JobDone))
		s.want("acts", s.did(), "a b c")
	})
}

// TestTwoEngines: many jobs on two engines; each is run once, by one runner at a time.
func TestTwoEngines(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var mu sync.Mutex
		busy, ran := map[string]bool{}, map[string]int{}
		s.on("b", func(_ context.Context, run *jobs.Run) error {
			mu.Lock()
			if busy[run.JobID] {
				s.Errorf("job %s is run twice at once", run.JobID)
			}
			busy[run.JobID] = true
			ran[run.JobID]++
			mu.Unlock()
			time.Sleep(time.Minute)
			mu.Lock()
			busy[run.JobID] = false
			mu.Unlock()
			return nil
		})
		few := func(o *jobs.Options) { o.Workers = 4 }
		first, second := s.start(few), s.start(few)
		var ids []string
		for i := range 50 {
			e := []*jobs.Engine{first, second}[i%2]
			job, err := e.Submit(s.Context(), jobs.Request{Kind: "work", Subject: fmt.Sprint("tenant/t", i)})
			s.ok(err)
			ids = append(ids, job.ID)
		}
		for _, id := range ids {
			s.ends(first, id, fleet.JobDone)
			s.want("story", s.story(id), allDone)
			mu.Lock()
			if ran[id] != 1 {
				s.Errorf("job %s ran %d times", id, ran[id])
			}
			mu.Unlock()
		}
	})
}

// TestStaleRunner: a runner whose heartbeats do not get through is left behind; what it still
// does is not stored, and its step's context ends before another runner begins.
func TestStaleRunner(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var gone atomic.Bool
		cut := &jobstest.Intercept{Store: s.memory, Before: func(context.Context, string) error {
			if gone.Load() {
				return jobstest.Outage()
			}
			return nil
		}}
		stale := jobs.NewEngine(cut, s.reg, jobs.Options{Owner: "stale"})
		s.ok(stale.Start(s.Context()))
		ended := make(chan time.Time, 1)
		s.on("b", times(1, func(ctx context.Context, _ *jobs.Run) error {
			gone.Store(true)
			<-ctx.Done()
			ended <- time.Now()
			gone.Store(false)
			time.Sleep(time.Minute) // does not heed its context
			return nil
		}))
		id := s.submit(stale)
		synctest.Wait()
		fresh := s.start(func(o *jobs.Options) { o.Owner = "fresh" })
		began := make(chan time.Time, 1)
		s.on("c", func(context.Context, *jobs.Run) error { began <- time.Now(); return nil })
		s.ends(fresh, id, fleet.JobDone)
		if end, begin := <-ended, <-began; !end.Before(begin) {
			s.Errorf("the stale step was told at %v, the fresh runner began at %v", end, begin)
		}
		time.Sleep(2 * time.Minute)
		s.want("acts", s.did(), "a b b c")
		s.want("story", s.story(id), "[running] started:a done:a started:b started:b done:b started:c done:c [done]")
		s.ok(stale.Stop(s.Context()))
	})
}

// TestTakenOver: the store says that the job is another's, and the runner stops at once.
func TestTakenOver(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.on("b", times(1, hang))
		first := s.start()
		id := s.submit(first)
		synctest.Wait()
		until := time.Now().Add(time.Hour)
		_, got, err := s.memory.ClaimJob(s.Context(), "thief", until, until.Add(time.Minute))
		s.ok(err)
		if !got {
			s.Fatal("the job cannot be taken over")
		}
		time.Sleep(10 * time.Second) // two heartbeats
		s.want("story", s.story(id), "[running] started:a done:a started:b")
		_, err = s.memory.ReleaseOwner(s.Context(), "thief")
		s.ok(err)
		s.ends(first, id, fleet.JobDone)
		s.want("acts", s.did(), "a b b c")
	})
}

// TestSlowStepOfLostLease: an engine that gets back a job it lost waits for the step of its
// own earlier runner, which does not heed its context, before it begins it again.
func TestSlowStepOfLostLease(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var down atomic.Bool
		s.store.Before = func(context.Context, string) error {
			if down.Load() {
				return jobstest.Outage()
			}
			return nil
		}
		var inside atomic.Int32
		s.on("b", times(2, func(context.Context, *jobs.Run) error {
			if inside.Add(1) > 1 {
				s.Error("two runners are in the step")
			}
			defer inside.Add(-1)
			time.Sleep(5 * time.Minute)
			return nil
		}))
		e := s.start()
		id := s.submit(e)
		synctest.Wait()
		down.Store(true)
		time.Sleep(time.Minute)
		down.Store(false)
		s.ends(e, id, fleet.JobDone)
		s.want("acts", s.did(), "a b b c")
	})
}

// TestOutage: while the store is gone for a minute nothing fails; the jobs go on afterwards.
func TestOutage(t *testing.T) {
	for name, during := range map[string]string{"in a step": "b", "in an undo": "-b"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, "", func(s *scene) {
				var down atomic.Bool
				s.store.Before = func(context.Context, string) error {
					if down.Load() {
						return jobstest.Outage()
					}
					return nil
				}
				state, did := fleet.JobDone, "a b b c"
				if during == "-b" {
					s.on("c", fail)
					state, did = fleet.JobUndone, "a b c -c -b -b -a"
				}
				s.on(during, times(1, func(ctx context.Context, run *jobs.Run) error {
					down.Store(true)
					time.AfterFunc(time.Minute, func() { down.Store(false) })
					run.Progress(fleet.Progress{Message: "on the way"})
					return hang(ctx, run)
				}))
				e := s.start()
				id := s.submit(e)
				s.ends(e, id, state) // Wait outlives the outage as well
				s.want("acts", s.did(), did)
			})
		})
	}
}

// TestShortOutage: an outage shorter than the lease is not noticed by the step.
func TestShortOutage(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var down atomic.Bool
		s.store.Before = func(context.Context, string) error {
			if down.Load() {
				return jobstest.Outage()
			}
			return nil
		}
		s.on("b", func(ctx context.Context, _ *jobs.Run) error {
			down.Store(true)
			time.AfterFunc(7*time.Second, func() { down.Store(false) })
			time.Sleep(5 * time.Second)
			return ctx.Err()
		})
		e := s.start()
		id := s.submit(e)
		s.ends(e, id, fleet.JobDone)
		s.want("story", s.story(id), allDone)
	})
}

// TestLostAnswers: each kind of write succeeds once without its answer; the job ends right and
// its end is told.
func TestLostAnswers(t *testing.T) {
	for _, method := range []string{"ClaimJob", "AppendEvents", "SetJobState", "RenewLease", "JobEvents"} {
		t.Run(method, func(t *testing.T) {
			inBubble(t, "c", func(s *scene) {
				var calls atomic.Int32
				s.store.After = func(_ context.Context, m string) error {
					if m == method && calls.Add(1)%2 == 1 {
						return jobstest.Outage()
					}
					return nil
				}
				ends := make(chan fleet.JobState, 1)
				e := s.start(func(o *jobs.Options) {
					o.OnEvent = func(job fleet.Job, ev fleet.JobEvent) {
						if ev.Type == fleet.EventState && job.State.Finished() {
							if ev.Seq == 0 {
								s.Errorf("told %+v", ev)
							}
							ends <- job.State
						}
					}
				})
				s.ends(e, s.submit(e), fleet.JobDone)
				s.want("acts", s.did(), "a b c")
				s.want("told", string(<-ends), string(fleet.JobDone))
			})
		})
	}
}

// TestRefusedWrites: a store that refuses writes for no good reason has the job given back and
// tried again later, not forgotten.
func TestRefusedWrites(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var refuse atomic.Int32
		refuse.Store(7)
		s.store.Before = func(_ context.Context, method string) error {
			if method == "AppendEvents" && refuse.Add(-1) >= 0 {
				return errors.New("disk image is malformed")
			}
			return nil
		}
		e := s.start()
		began := time.Now()
		s.ends(e, s.submit(e), fleet.JobDone)
		if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
			s.Errorf("the job took %v", took)
		}
	})
}

// TestShutdown: a stop in the middle of a step or undo is neither a failure nor a cancel; the
// next engine goes on at once.
func TestShutdown(t *testing.T) {
	for name, c := range map[string]struct {
		hang, fails string
		state       fleet.JobState
		did         string
	}{
		"in a step":              {hang: "b", state: fleet.JobDone, did: "a b b c"},
		"in the commit step":     {hang: "c", state: fleet.JobDone, did: "a b c c"},
		"in an undo":             {hang: "-a", fails: "b", state: fleet.JobUndone, did: "a b -b -a -a"},
		"while waiting to retry": {hang: "", state: fleet.JobDone, did: "a a b c"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, "c", func(s *scene) {
				if c.hang == "" {
					s.on("a", times(1, unavailable))
				} else {
					s.on(c.hang, times(1, hang))
				}
				if c.fails != "" {
					s.on(c.fails, fail)
				}
				first := s.start()
				id := s.submit(first)
				synctest.Wait()
				at := time.Now()
				s.ok(first.Stop(s.Context()))
				story := s.story(id)
				for _, no := range []string{"[undone]", "[cancelled]", "[stuck]", "[done]"} {
					if strings.Contains(story, no) || c.fails == "" && strings.Contains(story, "failed") {
						s.Errorf("after the stop: %s", story)
					}
				}
				job, err := first.Job(s.Context(), id)
				s.ok(err)
				if job.LeaseOwner != "" || job.NotBefore.After(at) {
					s.Errorf("the lease was not given back: %+v", job)
				}
				second := s.start()
				s.ends(second, id, c.state)
				if took := time.Since(at); took > 0 {
					s.Errorf("the next engine went on only after %v", took)
				}
				s.want("acts", s.did(), c.did)
			})
		})
	}
}

// TestStopWithoutEnd: a step that ignores its context holds up a stop only for as long as
// asked, and the error names its job.
func TestStopWithoutEnd(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		goOn := make(chan struct{})
		s.on("b", times(1, func(context.Context, *jobs.Run) error { <-goOn; return nil }))
		e := s.engine()
		s.ok(e.Stop(s.Context())) // it has not been started: nothing to do
		s.ok(e.Start(s.Context()))
		s.wantCode("start again", e.Start(s.Context()), fleet.Conflict)
		id := s.submit(e)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		if err := e.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), id) {
			s.Errorf("stop: %v", err)
		}
		close(goOn)
		s.ok(e.Stop(s.Context()))
		s.want("story", s.story(id), "[running] started:a done:a started:b") // nothing was written after the stop
		s.ends(s.start(), id, fleet.JobDone)
	})
}

// TestStopInOutage: a stop while the store is gone ends by itself, once the leases have.
func TestStopInOutage(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var down atomic.Bool
		s.store.Before = func(context.Context, string) error {
			if down.Load() {
				return jobstest.Outage()
			}
			return nil
		}
		s.on("b", func(ctx context.Context, run *jobs.Run) error {
			down.Store(true)
			for ctx.Err() == nil {
				run.Progress(fleet.Progress{Message: "on the way"})
				time.Sleep(100 * time.Millisecond)
			}
			return ctx.Err()
		})
		e := s.engine()
		s.ok(e.Start(s.Context()))
		s.submit(e)
		time.Sleep(2 * time.Second)
		began := time.Now()
		s.ok(e.Stop(s.Context()))
		if took := time.Since(began); took > 15*time.Second {
			s.Errorf("the stop took %v", took)
		}
	})
}

// TestExclusive: the leases of a dead process of the same name are taken back at once, also
// when the store is not there yet at the start; those of others are waited for.
func TestExclusive(t *testing.T) {
	for name, c := range map[string]struct {
		owner  string
		outage time.Duration
		most   time.Duration
	}{
		"at once":      {owner: "me"},
		"after outage": {owner: "me", outage: time.Minute, most: 65 * time.Second},
		"another's":    {owner: "other", most: 301 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, "", func(s *scene) {
				began := time.Now()
				id := s.submit(s.engine())
				_, got, err := s.memory.ClaimJob(s.Context(), c.owner, began, began.Add(5*time.Minute))
				s.ok(err)
				s.store.Before = func(_ context.Context, method string) error {
					if got && method != "Job" && time.Since(began) < c.outage {
						return jobstest.Outage()
					}
					return nil
				}
				e := s.start(func(o *jobs.Options) { o.Owner, o.Exclusive = "me", true })
				s.ends(e, id, fleet.JobDone)
				took := time.Since(began)
				if took > c.most || c.owner != "me" && took < 5*time.Minute {
					s.Errorf("the job ended after %v, want at most %v", took, c.most)
				}
			})
		})
	}
	t.Run("stop while the store is gone", func(t *testing.T) {
		inBubble(t, "", func(s *scene) {
			s.store.Before = func(context.Context, string) error { return jobstest.Outage() }
			e := s.start(func(o *jobs.Options) { o.Exclusive = true })
			time.Sleep(10 * time.Second)
			s.ok(e.Stop(s.Context()))
		})
	})
}
