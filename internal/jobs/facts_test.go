package jobs_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Facts come from what a job has stored last, or from what it began with; what kinds do not tell, or
// cannot be read, is left out.
func TestFacts(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.ok(jobs.Register(s.reg, jobs.Kind[work]{
			Name: "told", Version: 1,
			Steps: []jobs.Step[work]{{Name: "a", Do: func(_ context.Context, _ *jobs.Run, w *work) error { w.Did = append(w.Did, "a"); return nil }}},
			Facts: func(w work) map[string]string { return map[string]string{"did": strings.Join(w.Did, " ")} },
		}))
		idle := s.engine()
		e := s.start()
		job, err := e.Submit(s.Context(), jobs.Request{Kind: "told", Subject: "tenant/a", Args: work{Did: []string{"before"}}})
		s.ok(err)
		silent := s.ends(e, s.submit(e), fleet.JobDone)
		ended := s.ends(e, job.ID, fleet.JobDone)
		got, err := idle.Facts(s.Context(), silent, ended,
			fleet.Job{ID: "new", Kind: "told", KindVersion: 1, Args: []byte(`{"did":["nothing"]}`)},
			fleet.Job{ID: "odd", Kind: "told", KindVersion: 1, Args: []byte(`{"did":7}`)},
			fleet.Job{ID: "later", Kind: "told", KindVersion: 2})
		s.ok(err)
		want := []map[string]string{nil, {"did": "before a"}, {"did": "nothing"}, nil, nil}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("facts (-want +got):\n%s", diff)
		}
	})
}
