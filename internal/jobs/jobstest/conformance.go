package jobstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// TestStore checks that a store does what jobs.Store says. open gives a new, empty store and
// has it closed by t.Cleanup.
func TestStore(t *testing.T, open func(t *testing.T) jobs.Store) {
	t.Helper()
	for name, test := range map[string]func(bench){
		"insert":           bench.insert,
		"subject":          bench.subject,
		"key":              bench.key,
		"list":             bench.list,
		"claim":            bench.claim,
		"claim concurrent": bench.claimConcurrent,
		"renew":            bench.renew,
		"fenced":           bench.fenced,
		"finished":         bench.finished,
		"events":           bench.events,
		"state":            bench.state,
		"last states":      bench.lastStates,
		"cancel":           bench.cancel,
		"retry":            bench.retry,
		"release":          bench.release,
		"release owner":    bench.releaseOwner,
		"delete":           bench.remove,
		"nothing there":    bench.missing,
		"ended context":    bench.endedContext,
	} {
		t.Run(name, func(t *testing.T) { test(bench{t, open(t)}) })
	}
}

// bench is one store under test.
type bench struct {
	*testing.T
	store jobs.Store
}

// second is a time n seconds into the tests' day.
func second(n int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

func newJob(n int) fleet.Job {
	return fleet.Job{
		ID: fmt.Sprintf("job-%03d", n), Kind: "tenant.create", KindVersion: 2, Subject: fmt.Sprintf("tenant/t%d", n),
		Args: json.RawMessage(`{"name":"Müller"}`), State: fleet.JobQueued, CreatedAt: second(n), UpdatedAt: second(n),
	}
}

func (b bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

func (b bench) code(doing string, err error, want fleet.Code) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s: error %v, want one of code %s", doing, err, want)
	}
}

func (b bench) same(what string, got, want any) {
	b.Helper()
	if d := cmp.Diff(want, got); d != "" {
		b.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// put stores jobs.
func (b bench) put(list ...fleet.Job) {
	b.Helper()
	for _, job := range list {
		_, existing, err := b.store.InsertJob(b.Context(), job)
		b.ok(err)
		if existing {
			b.Fatalf("job %s is there already", job.ID)
		}
	}
}

// job reads a job.
func (b bench) job(n int) fleet.Job {
	b.Helper()
	job, err := b.store.Job(b.Context(), newJob(n).ID)
	b.ok(err)
	return job
}

// take claims a job, which must be that of the number: none for 0.
func (b bench) take(n, now int) fleet.Job {
	b.Helper()
	job, ok, err := b.store.ClaimJob(b.Context(), "runner", second(now), second(now+15))
	b.ok(err)
	switch {
	case n == 0 && ok:
		b.Fatalf("claimed %s, want none", job.ID)
	case n != 0 && job.ID != newJob(n).ID:
		b.Fatalf("claimed %q, want %s", job.ID, newJob(n).ID)
	}
	return job
}

// move sets a job's state.
func (b bench) move(job fleet.Job, to fleet.JobState, at int) fleet.JobEvent {
	b.Helper()
	ev, err := b.store.SetJobState(b.Context(), job.ID, job.LeaseEpoch, jobs.StateChange{
		State: to, Error: "why", ErrorCode: fleet.Failed, Hint: "what to do", At: second(at),
	})
	b.ok(err)
	return ev
}

func (b bench) insert() {
	want := newJob(1)
	want.NotBefore = second(5)
	job := want
	// What a new job cannot have is not taken over.
	job.State, job.Cancel, job.LeaseOwner, job.LeaseEpoch, job.LeaseUntil = fleet.JobDone, true, "x", 7, second(9)
	stored, existing, err := b.store.InsertJob(b.Context(), job)
	b.ok(err)
	b.same("stored", stored, want)
	b.same("read", b.job(1), want)
	stored, again, err := b.store.InsertJob(b.Context(), job)
	b.ok(err)
	b.same("stored again", stored, want)
	if existing || !again {
		b.Errorf("existing is %v, then %v", existing, again)
	}
}

func (b bench) subject() {
	first, other := newJob(1), newJob(2)
	other.Subject = first.Subject
	b.put(first)
	for n, state := range []fleet.JobState{fleet.JobQueued, fleet.JobRunning, fleet.JobUndoing, fleet.JobStuck} {
		if n > 0 {
			job := b.take(1, 20*n)
			b.move(job, state, 20*n)
		}
		_, _, err := b.store.InsertJob(b.Context(), other)
		b.code("insert while "+string(state), err, fleet.Busy)
		if err != nil && (!strings.Contains(err.Error(), first.ID) || !strings.Contains(err.Error(), first.Kind)) {
			b.Errorf("error %q does not name the other job and its kind", err)
		}
	}
	for i, state := range []fleet.JobState{fleet.JobDone, fleet.JobUndone, fleet.JobCancelled} {
		n := 10 + i
		job := newJob(n)
		b.put(job)
		b.move(b.take(n, 200), state, 200)
		next := newJob(20 + i)
		next.Subject, next.NotBefore = job.Subject, second(100000)
		b.put(next)
	}
}

func (b bench) key() {
	job := newJob(1)
	job.Key, job.KeyHash = "k", "h"
	b.put(job)
	repeat := newJob(2)
	repeat.Key, repeat.KeyHash, repeat.Subject = "k", "h", job.Subject
	stored, existing, err := b.store.InsertJob(b.Context(), repeat)
	b.ok(err)
	if !existing || stored.ID != job.ID || stored.Key != "k" || stored.KeyHash != "h" {
		b.Errorf("repeat: %+v, existing %v", stored, existing)
	}
	repeat.KeyHash = "other"
	_, _, err = b.store.InsertJob(b.Context(), repeat)
	b.code("another request", err, fleet.Conflict)
	b.move(b.take(1, 10), fleet.JobDone, 11)
	repeat.KeyHash = "h"
	if stored, existing, err = b.store.InsertJob(b.Context(), repeat); err != nil || !existing || stored.State != fleet.JobDone {
		b.Errorf("repeat after the end: %+v, %v, %v", stored, existing, err)
	}
	b.put(newJob(3), newJob(4)) // no key is not the same key
}

func (b bench) list() {
	for n := 1; n <= 5; n++ {
		job := newJob(n)
		if n == 2 {
			job.Kind, job.Key, job.KeyHash = "tenant.remove", "k", "h"
		}
		if n >= 3 {
			job.Key = []string{"p/one", "p/two", "p0"}[n-3]
		}
		b.put(job)
	}
	b.move(b.take(1, 10), fleet.JobDone, 10)
	b.move(b.take(2, 10), fleet.JobStuck, 10)
	b.move(b.take(3, 10), fleet.JobRunning, 10)
	for name, c := range map[string]struct {
		filter jobs.JobFilter
		want   string
	}{
		"all":        {jobs.JobFilter{}, "5 4 3 2 1"},
		"subject":    {jobs.JobFilter{Subject: "tenant/t4"}, "4"},
		"kind":       {jobs.JobFilter{Kind: "tenant.remove"}, "2"},
		"state":      {jobs.JobFilter{State: fleet.JobQueued}, "5 4"},
		"kinds":      {jobs.JobFilter{Kind: "tenant."}, "5 4 3 2 1"},
		"no kinds":   {jobs.JobFilter{Kind: "ten."}, ""},
		"states":     {jobs.JobFilter{States: []fleet.JobState{fleet.JobStuck, fleet.JobRunning}}, "3 2"},
		"oldest":     {jobs.JobFilter{OldestFirst: true, Limit: 3}, "1 2 3"},
		"then":       {jobs.JobFilter{OldestFirst: true, Before: newJob(3).ID, Limit: 3}, "4 5"},
		"key":        {jobs.JobFilter{Key: "k"}, "2"},
		"no key":     {jobs.JobFilter{Key: "unknown"}, ""},
		"parent":     {jobs.JobFilter{Parent: "p"}, "4 3"},
		"no parent":  {jobs.JobFilter{Parent: "one"}, ""},
		"unfinished": {jobs.JobFilter{Unfinished: true}, "5 4 3 2"},
		"before":     {jobs.JobFilter{Before: newJob(3).ID}, "2 1"},
		"page":       {jobs.JobFilter{Before: newJob(5).ID, Limit: 2}, "4 3"},
		"all fields": {jobs.JobFilter{Kind: "tenant.create", State: fleet.JobRunning, Unfinished: true}, "3"},
	} {
		list, err := b.store.Jobs(b.Context(), c.filter)
		b.ok(err)
		var got []string
		for _, job := range list {
			got = append(got, strings.TrimPrefix(job.ID, "job-00"))
		}
		b.same(name, strings.Join(got, " "), c.want)
	}
	for n := 100; n < 220; n++ {
		b.put(newJob(n))
	}
	list, err := b.store.Jobs(b.Context(), jobs.JobFilter{})
	b.ok(err)
	if len(list) != 100 {
		b.Errorf("%d jobs without a limit, want 100", len(list))
	}
}

func (b bench) missing() {
	ctx, id := b.Context(), "nothing"
	_, err := b.store.Job(ctx, id)
	b.code("read", err, fleet.NotFound)
	_, err = b.store.RequestCancel(ctx, id, second(0))
	b.code("cancel", err, fleet.NotFound)
	_, err = b.store.RetryJob(ctx, id, fleet.JobRunning, second(0))
	b.code("retry", err, fleet.NotFound)
	events, err := b.store.JobEvents(ctx, id, 0, 0)
	if err != nil || len(events) != 0 {
		b.Errorf("events: %v, %v", events, err)
	}
	for doing, err := range b.writes(fleet.Job{ID: id, LeaseEpoch: 1}) {
		if !errors.Is(err, fleet.NotFound) && !errors.Is(err, fleet.Fenced) {
			b.Errorf("%s: %v", doing, err)
		}
	}
	b.take(0, 0)
}

// writes makes each write that names an epoch.
func (b bench) writes(job fleet.Job) map[string]error {
	ctx, errs := b.Context(), map[string]error{}
	_, errs["renew"] = b.store.RenewLease(ctx, job.ID, job.LeaseEpoch, second(1000))
	_, errs["append"] = b.store.AppendEvents(ctx, job.ID, job.LeaseEpoch, []fleet.JobEvent{{Type: fleet.EventStarted, Step: "x"}})
	_, errs["state"] = b.store.SetJobState(ctx, job.ID, job.LeaseEpoch, jobs.StateChange{State: fleet.JobDone, At: second(1000)})
	errs["release"] = b.store.ReleaseJob(ctx, job.ID, job.LeaseEpoch, second(1000))
	return errs
}

func (b bench) endedContext() {
	b.put(newJob(1))
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	_, err := b.store.Job(ctx, newJob(1).ID)
	_, _, errClaim := b.store.ClaimJob(ctx, "runner", second(10), second(20))
	for doing, err := range map[string]error{"read": err, "claim": errClaim} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, fleet.Unavailable) {
			b.Errorf("%s: %v, want the context's error", doing, err)
		}
	}
	b.take(1, 10)
}

// race runs f n times at once.
func race(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
