package jobstest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// RepeatEachStep runs the job once for each of its steps, with that step's Do called twice,
// and once with all of them: it ends done each time.
func RepeatEachStep(t *testing.T, s Scenario) {
	t.Helper()
	info, _ := s.info(t)
	for _, step := range append(info.Steps, "*") {
		s.each(t, "repeat "+step, func(t *testing.T, w World) {
			job := w.run(t, jobs.Faults{
				RepeatDo: func(_ fleet.Job, at string) bool { return at == step || step == "*" },
			})
			w.want(t, job, fleet.JobDone)
		})
	}
}

// FailEachStep runs the job with each step before the commit point failing before its work,
// after it, and after it with every undo done twice: it ends undone and nothing is left
// behind. A step from the commit point on fails once after its work: the job ends done.
func FailEachStep(t *testing.T, s Scenario) {
	t.Helper()
	info, commit := s.info(t)
	for i, step := range info.Steps {
		broken := fleet.Errorf(fleet.Failed, "step %s was made to fail", step)
		if i >= commit {
			s.each(t, "fail once after "+step, func(t *testing.T, w World) {
				var failed atomic.Bool
				job := w.run(t, jobs.Faults{AfterDo: failAt(step, func() error {
					if failed.CompareAndSwap(false, true) {
						return broken
					}
					return nil
				})})
				w.want(t, job, fleet.JobDone)
			})
			continue
		}
		always := failAt(step, func() error { return broken })
		for name, faults := range map[string]jobs.Faults{
			"fail before " + step:                 {BeforeDo: always},
			"fail after " + step:                  {AfterDo: always},
			"fail after " + step + ", undo twice": {AfterDo: always, RepeatUndo: func(fleet.Job, string) bool { return true }},
		} {
			s.each(t, name, func(t *testing.T, w World) {
				job := w.run(t, faults)
				w.want(t, job, fleet.JobUndone)
				if job.ErrorCode != broken.Code || job.Error != broken.Message {
					t.Errorf("the job keeps the error %q (%s), want that of the step", job.Error, job.ErrorCode)
				}
			})
		}
	}
}

func failAt(step string, fail func() error) func(fleet.Job, string) error {
	return func(_ fleet.Job, at string) error {
		if at == step {
			return fail()
		}
		return nil
	}
}

// ResumeEachEvent has the engine die after each event that it stores, and before each write,
// when the work that the write tells of is done; another engine takes over. It does so on the
// way forward, where the job ends done, and, with the last step before the commit point
// failing, on the way back, where nothing is left behind.
func ResumeEachEvent(t *testing.T, s Scenario) {
	t.Helper()
	info, commit := s.info(t)
	s.crashEach(t, "forward", jobs.Faults{}, fleet.JobDone)
	if commit == 0 {
		return
	}
	last := info.Steps[commit-1]
	s.crashEach(t, "back", jobs.Faults{AfterDo: failAt(last, func() error {
		return fleet.Errorf(fleet.Failed, "step %s was made to fail", last)
	})}, fleet.JobUndone)
}

func (s Scenario) crashEach(t *testing.T, way string, faults jobs.Faults, state fleet.JobState) {
	t.Helper()
	for _, when := range []string{afterEvent, beforeWrite} {
		for n, crashed := int64(1), true; crashed; n++ {
			crashed = false
			s.each(t, fmt.Sprintf("%s, crash %s %02d", way, when, n), func(t *testing.T, w World) {
				crashed = w.crash(t, when, n, faults, state)
			})
		}
	}
}

const (
	afterEvent  = "after event"
	beforeWrite = "before write"
)

var errCrashed = errors.New("the process is gone")

// crash runs the job until the engine has stored n events, or is about to make its nth write,
// ends that engine without another write, and has a second engine end the job. false: there
// were fewer.
func (w World) crash(t *testing.T, when string, n int64, faults jobs.Faults, state fleet.JobState) bool {
	t.Helper()
	life, die := context.WithCancel(t.Context())
	defer die()
	var dead atomic.Bool
	var count atomic.Int64
	reached := func(here, what string) {
		if here == when && count.Add(1) == n {
			t.Logf("crash %s: %s", when, what)
			dead.Store(true)
			die()
		}
	}
	store := &Intercept{Store: w.Store, Before: func(_ context.Context, method string) error {
		if method == "AppendEvents" || method == "SetJobState" {
			reached(beforeWrite, method)
		}
		if dead.Load() {
			return errCrashed
		}
		return nil
	}}
	first := w.engine(t, store, func(o *jobs.Options) {
		o.Faults = faults
		o.Faults.AfterEvent = func(_ fleet.Job, ev fleet.JobEvent) {
			reached(afterEvent, fmt.Sprint(ev.Type, " ", ev.Step, " ", ev.Message))
		}
	})
	start(t, first, life)
	job, err := first.Submit(t.Context(), w.Submit())
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	id := job.ID
	waiting, cancel := context.WithTimeout(life, patience)
	defer cancel()
	if job, err = first.Wait(waiting, id); err != nil && !dead.Load() {
		t.Fatalf("wait for the job: %v%s", err, w.story(t, id))
	}
	if dead.Load() {
		now, cancel := context.WithCancel(life)
		cancel()
		_ = first.Stop(now) // a dead process does not wait for its writes
	}
	stop(t, first)
	if dead.Load() {
		job = w.resume(t, id, faults)
	}
	w.want(t, job, state)
	return dead.Load() && !t.Failed()
}

// resume ends the job with another engine, whose clock is past the end of all leases.
func (w World) resume(t *testing.T, id string, faults jobs.Faults) fleet.Job {
	t.Helper()
	second := w.engine(t, w.Store, func(o *jobs.Options) {
		o.Faults = faults
		o.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	})
	start(t, second, t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	job, err := second.Wait(ctx, id)
	stop(t, second)
	if err != nil {
		t.Fatalf("wait for the job to be resumed: %v%s", err, w.story(t, id))
	}
	return job
}
