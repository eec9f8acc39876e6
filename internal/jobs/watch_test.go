package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

// TestWatch: a watcher sees what is stored, whole and in order, also from another process,
// from the middle on, of a job with many events and through an outage of the store.
func TestWatch(t *testing.T) {
	for name, c := range map[string]struct {
		after  int64
		remote bool
		outage bool
	}{
		"here":      {},
		"elsewhere": {remote: true},
		"middle":    {after: 700},
		"outage":    {outage: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, "", func(s *scene) {
				s.on("b", func(_ context.Context, run *jobs.Run) error {
					for i := range 1200 {
						run.Progress(fleet.Progress{Bytes: int64(i)})
						time.Sleep(210 * time.Millisecond)
					}
					return nil
				})
				var down atomic.Bool
				watched := &jobstest.Intercept{Store: s.memory, Before: func(context.Context, string) error {
					if down.Load() {
						return jobstest.Outage()
					}
					return nil
				}}
				e := s.start()
				w := e
				if c.remote || c.outage {
					w = jobs.NewEngine(watched, s.reg, jobs.Options{DisableClaim: true})
				}
				id := s.submit(e)
				if c.outage {
					time.AfterFunc(time.Minute, func() { down.Store(true) })
					time.AfterFunc(2*time.Minute, func() { down.Store(false) })
				}
				var got []fleet.JobEvent
				for ev, err := range w.Watch(s.Context(), id, c.after) {
					s.ok(err)
					got = append(got, ev)
					late := time.Since(ev.At)
					if limit := 1100 * time.Millisecond; !c.outage && c.after == 0 && (late > limit || !c.remote && late > 0) {
						s.Errorf("event %d came after %v", ev.Seq, late)
					}
				}
				if d := cmp.Diff(s.events(id)[c.after:], got); d != "" {
					s.Errorf("events (-stored +watched):\n%s", d)
				}
			})
		})
	}
}

func TestWatchEnds(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.on("b", hang)
		e := s.start()
		id := s.submit(e)
		for range e.Watch(s.Context(), id, 0) {
			break // a watcher may leave
		}
		ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
		defer cancel()
		var last error
		for _, err := range e.Watch(ctx, id, 0) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) {
			s.Errorf("watch ended with %v", last)
		}
		if _, err := e.Wait(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
			s.Errorf("wait ended with %v", err)
		}
		for _, err := range e.Watch(s.Context(), "nothing", 0) {
			s.wantCode("watch no job", err, fleet.NotFound)
		}
		_, err := e.Wait(s.Context(), "nothing")
		s.wantCode("wait for no job", err, fleet.NotFound)
	})
}

// TestWaitElsewhere: the end of a job that another process runs is seen within a PollInterval.
func TestWaitElsewhere(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.on("b", func(context.Context, *jobs.Run) error { time.Sleep(3500 * time.Millisecond); return nil })
		e := s.start()
		other := s.engine(func(o *jobs.Options) { o.DisableClaim = true })
		began := time.Now()
		s.ends(other, s.submit(e), fleet.JobDone)
		if took := time.Since(began); took > 4500*time.Millisecond {
			s.Errorf("seen after %v", took)
		}
	})
}
