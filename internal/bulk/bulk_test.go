package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs/batch"
)

func TestAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begun := time.Now()
		job, err := w.service.Begin(t.Context(), Request{Action: Restart, AtOnce: 2}, Choice{All: true}, Once{Key: "k", Hash: "h"})
		again, err2 := w.service.Begin(t.Context(), Request{Action: Restart, AtOnce: 2}, Choice{All: true}, Once{Key: "k", Hash: "h"})
		if err2 != nil || again.ID != job.ID {
			t.Errorf("again: %+v, %v", again, err2)
		}
		if _, err := w.service.Begin(t.Context(), Request{Action: Stop}, Choice{All: true}, Once{Key: "k", Hash: "other"}); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("another request with the key: %v", err)
		}
		job = w.ended(t, job, err)
		if job.State != fleet.JobDone || !strings.HasPrefix(job.Subject, "bulk/") || len(w.parts(t, job.ID)) != 5 {
			t.Errorf("job %+v, parts %v", job, w.parts(t, job.ID))
		}
		if took := time.Since(begun); w.most != 2 || took < 30*time.Second || took > 40*time.Second {
			t.Errorf("%d at a time, in %s", w.most, took)
		}
	})
}

// One that fails, one that is refused and one that is deleted meanwhile do not keep the others from
// their turn; one that is busy is waited for.
func TestOutcomes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.broken = "globex"
		w.refuses("hooli", fleet.Errorf(fleet.Conflict, "tenant hooli is stopped"))
		w.refuses("initech", fleet.Errorf(fleet.NotFound, "there is no tenant initech"))
		w.refuses("umbrella", fleet.Errorf(fleet.Busy, "tenant umbrella is busy"))
		time.AfterFunc(2*time.Minute, func() { w.refuses("umbrella", nil) })
		job, err := w.service.Begin(t.Context(), Request{Action: Restart}, Choice{All: true}, Once{})
		job = w.ended(t, job, err)
		for _, want := range []string{"2 restarted, 2 not", "globex: job", "it does not come up", "hooli: tenant hooli is stopped"} {
			if !strings.Contains(job.Error, want) {
				t.Errorf("the error is %q, want it to say %q", job.Error, want)
			}
		}
		got := map[string]bool{}
		for name, o := range outcomes(t, w, job.ID) {
			got[name] = o.Done
		}
		want := map[string]bool{"acme": true, "globex": false, "hooli": false, "initech": false, "umbrella": true}
		if diff := cmp.Diff(want, got); diff != "" || job.State != fleet.JobUndone {
			t.Errorf("job %s, outcomes (-want +got):\n%s", job.State, diff)
		}
	})
}

// outcomes are those that the job has written down last.
func outcomes(t *testing.T, w *world, id string) map[string]batch.Outcome {
	t.Helper()
	events, err := w.store.JobEvents(t.Context(), id, 0, 0)
	do(t, err)
	var s state
	for _, ev := range events {
		if ev.State != nil {
			s = state{}
			do(t, json.Unmarshal(ev.State, &s))
		}
	}
	return s.Outcomes
}

// A cancelled one finishes what is under way, and begins nothing more.
func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		job, err := w.service.Begin(t.Context(), Request{Action: Backup, AtOnce: 2}, Choice{All: true}, Once{})
		do(t, err)
		time.Sleep(15 * time.Second) // two are done, two under way
		synctest.Wait()
		_, err = w.engine.Cancel(t.Context(), job.ID)
		job = w.ended(t, job, err)
		parts := w.parts(t, job.ID)
		want := map[string]fleet.JobState{"acme": fleet.JobDone, "globex": fleet.JobDone, "hooli": fleet.JobDone, "initech": fleet.JobDone}
		if diff := cmp.Diff(want, parts); diff != "" || job.State != fleet.JobCancelled {
			t.Errorf("job %s, parts (-want +got):\n%s", job.State, diff)
		}
		if got := outcomes(t, w, job.ID); len(got) != 4 || !got["initech"].Done {
			t.Errorf("outcomes %+v", got)
		}
	})
}

func TestWhoIsChosen(t *testing.T) {
	stopped, removed, unmade, away := tenant("stopped"), tenant("removed"), tenant("unmade"), tenant("away")
	stopped.Desired, removed.Desired, unmade.Ready, away.Member = fleet.DesiredStopped, fleet.DesiredRemoved, false, "n2"
	w := newWorld(t, tenant("acme"), stopped, removed, unmade, away)
	w.service.Check = func(_ context.Context, r Request) error {
		if r.Plan == "huge" {
			return fleet.Errorf(fleet.Invalid, "there is no plan huge").WithField("plan")
		}
		return nil
	}
	for name, c := range map[string]struct {
		request Request
		who     Choice
		want    string // names, or the field of the refusal
		code    fleet.Code
	}{
		"all to start":        {Request{Action: Start}, Choice{All: true}, "acme stopped away", ""},
		"all to restart":      {Request{Action: Restart}, Choice{All: true}, "acme away", ""},
		"all to move":         {Request{Action: Move, To: "n2"}, Choice{All: true}, "acme stopped", ""},
		"by a filter":         {Request{Action: Stop}, Choice{Filter: &fleet.TenantFilter{Member: "n2"}}, "away", ""},
		"by name":             {Request{Action: Restart}, Choice{Names: []fleet.Name{"removed", "acme"}}, "acme removed", ""},
		"delete by name":      {Request{Action: Delete}, Choice{Names: []fleet.Name{"acme"}}, "acme", ""},
		"a name of nobody":    {Request{Action: Start}, Choice{Names: []fleet.Name{"acme", "nobody"}}, "tenants", fleet.NotFound},
		"nobody left":         {Request{Action: Stop}, Choice{Filter: &fleet.TenantFilter{Member: "n9"}}, "selector", fleet.NotFound},
		"no choice":           {Request{Action: Start}, Choice{}, "tenants", fleet.Invalid},
		"two choices":         {Request{Action: Start}, Choice{All: true, Names: []fleet.Name{"acme"}}, "tenants", fleet.Invalid},
		"an empty filter":     {Request{Action: Start}, Choice{Filter: &fleet.TenantFilter{}}, "selector", fleet.Invalid},
		"delete all":          {Request{Action: Delete}, Choice{All: true}, "tenants", fleet.Invalid},
		"no action":           {Request{}, Choice{All: true}, "action", fleet.Invalid},
		"an unknown action":   {Request{Action: "purge"}, Choice{All: true}, "action", fleet.Invalid},
		"too many at once":    {Request{Action: Start, AtOnce: 17}, Choice{All: true}, "at_once", fleet.Invalid},
		"a long timeout":      {Request{Action: Stop, Timeout: 2 * time.Hour}, Choice{All: true}, "timeout", fleet.Invalid},
		"timeout of start":    {Request{Action: Start, Timeout: time.Minute}, Choice{All: true}, "timeout", fleet.Invalid},
		"member of a stop":    {Request{Action: Stop, To: "n2"}, Choice{All: true}, "to", fleet.Invalid},
		"note of a restart":   {Request{Action: Restart, Note: "x"}, Choice{All: true}, "note", fleet.Invalid},
		"all to resize":       {Request{Action: Resize, Plan: "large"}, Choice{All: true}, "acme stopped away", ""},
		"resize to nothing":   {Request{Action: Resize}, Choice{All: true}, "plan", fleet.Invalid},
		"an unknown plan":     {Request{Action: Resize, Plan: "huge"}, Choice{All: true}, "plan", fleet.Invalid},
		"plan of a move":      {Request{Action: Move, Plan: "large"}, Choice{All: true}, "plan", fleet.Invalid},
		"hold of a stop":      {Request{Action: Stop, MaxHold: time.Second}, Choice{All: true}, "max_hold", fleet.Invalid},
		"limit of a backup":   {Request{Action: Backup, BytesPerSecond: fleet.MiB}, Choice{All: true}, "limit", fleet.Invalid},
		"a planned restart":   {Request{Action: Restart, At: time.Now().Add(time.Hour)}, Choice{All: true}, "at", fleet.Invalid},
		"a stop in windows":   {Request{Action: Stop, InWindow: true}, Choice{All: true}, "at", fleet.Invalid},
		"a time that is over": {Request{Action: Move, At: time.Now().Add(-time.Hour)}, Choice{All: true}, "at", fleet.Invalid},
		"too far ahead":       {Request{Action: Move, At: time.Now().AddDate(1, 0, 0)}, Choice{All: true}, "at", fleet.Invalid},
		"note of two lines":   {Request{Action: Snapshot, Note: "x\ny"}, Choice{All: true}, "note", fleet.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.service.check(t.Context(), c.request, c.who, time.Now())
			var names []string
			if err == nil {
				names, err = w.service.choose(t.Context(), c.request, c.who)
			}
			if fleet.CodeOf(err) != c.code {
				t.Fatalf("error %v, want %q", err, c.code)
			}
			got := strings.Join(names, " ")
			if said, ok := errors.AsType[*fleet.Error](err); ok {
				got = said.Field
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// One that is planned waits for its time, and those that wait do not keep others from theirs.
func TestPlanned(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begun := time.Now()
		request := Request{Action: Move, To: "n2", MaxHold: time.Minute, BytesPerSecond: fleet.MiB, At: begun.Add(5 * time.Minute)}
		var last fleet.Job
		for range mostJobs {
			var err error
			last, err = w.service.Begin(t.Context(), request, Choice{All: true}, Once{})
			do(t, err)
		}
		if _, err := w.service.Begin(t.Context(), request, Choice{All: true}, Once{}); fleet.CodeOf(err) != fleet.Busy {
			t.Errorf("one more: %v", err)
		}
		now, err := w.service.Begin(t.Context(), Request{Action: Restart}, Choice{Names: []fleet.Name{"acme"}}, Once{})
		w.ended(t, now, err)
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("the one that does not wait took %s", took)
		}
		job := w.ended(t, last, nil)
		if took := time.Since(begun); took < 5*time.Minute || took > 9*time.Minute || job.State != fleet.JobDone {
			t.Errorf("job %s after %s", job.State, took)
		}
		if got := w.asked("acme"); got.To != "n2" || got.MaxHold != time.Minute || got.BytesPerSecond != fleet.MiB {
			t.Errorf("the tenant's part is asked for as %+v", got)
		}
	})
}

// In their windows each tenant gets a job that waits; the one for all ends at once.
func TestInWindows(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begun := time.Now()
		w.windows = 3 * time.Minute
		w.refuses("hooli", fleet.Errorf(fleet.Conflict, "tenant hooli has no window"))
		job, err := w.service.Begin(t.Context(), Request{Action: Move, InWindow: true}, Choice{All: true}, Once{})
		job = w.ended(t, job, err)
		if took := time.Since(begun); took > time.Minute || !strings.Contains(job.Error, "0 moved, 4 wait for their time, 1 not: hooli") {
			t.Errorf("after %s: %s, %s", took, job.State, job.Error)
		}
		for name, o := range outcomes(t, w, job.ID) {
			if planned := o.Done && o.At.Equal(begun.Add(3*time.Minute)); planned == (name == "hooli") {
				t.Errorf("%s: %+v", name, o)
			}
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if parts := w.parts(t, job.ID); len(parts) != 4 || parts["acme"] != fleet.JobDone {
			t.Errorf("the tenants' jobs are %v", parts)
		}
	})
}

// Those that wait for their tenants' jobs never take all places of the engine.
func TestNotTooMany(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var first fleet.Job
		for i := range mostJobs {
			job, err := w.service.Begin(t.Context(), Request{Action: Restart}, Choice{Names: []fleet.Name{"acme"}}, Once{})
			do(t, err)
			if i == 0 {
				first = job
			}
		}
		if _, err := w.service.Begin(t.Context(), Request{Action: Restart}, Choice{All: true}, Once{}); fleet.CodeOf(err) != fleet.Busy {
			t.Errorf("error %v", err)
		}
		w.ended(t, first, nil)
		_, err := w.service.Begin(t.Context(), Request{Action: Restart}, Choice{All: true}, Once{})
		do(t, err)
	})
}
