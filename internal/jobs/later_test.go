package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// A step that cannot begin yet gives its place to other jobs, and is done again when its time has come.
func TestAStepThatWaitsGivesItsPlaceAway(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		at, waits := time.Now().Add(time.Hour), ""
		s.on("b", func(_ context.Context, run *jobs.Run) error {
			if run.JobID == waits && time.Now().Before(at) {
				return jobs.Later(at)
			}
			return nil
		})
		e := s.engine(func(o *jobs.Options) { o.Workers, o.PollInterval = 1, time.Second })
		waits = s.submit(e)
		s.ok(e.Start(context.Background()))
		defer func() { s.ok(e.Stop(context.Background())) }()
		time.Sleep(10 * time.Second)
		other, err := e.Submit(s.Context(), jobs.Request{Kind: "work", Subject: "another"})
		s.ok(err)
		s.ends(e, other.ID, fleet.JobDone)
		if !time.Now().Before(at) {
			s.Error("the other job waited too")
		}
		s.ends(e, waits, fleet.JobDone)
		if late := time.Since(at); late < 0 || late > 5*time.Second {
			s.Errorf("it ended %s after its time", late)
		}
		for _, event := range s.events(waits) {
			if event.Type == fleet.EventFailed {
				s.Errorf("it has failed: %+v", event)
			}
		}
	})
}

// One that waits can be cancelled.
func TestAJobThatWaitsIsCancelled(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		begun := time.Now()
		s.on("b", func(context.Context, *jobs.Run) error { return jobs.Later(begun.Add(time.Hour)) })
		e := s.engine(func(o *jobs.Options) { o.PollInterval = time.Second })
		id := s.submit(e)
		s.ok(e.Start(context.Background()))
		defer func() { s.ok(e.Stop(context.Background())) }()
		time.Sleep(10 * time.Second)
		_, err := e.Cancel(s.Context(), id)
		s.ok(err)
		s.ends(e, id, fleet.JobCancelled)
		if took := time.Since(begun); took > time.Minute {
			s.Errorf("it ended after %s", took)
		}
	})
}
