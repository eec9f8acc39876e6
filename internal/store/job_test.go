package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func aJob(n int, subject string) fleet.Job {
	return fleet.Job{
		ID: fmt.Sprintf("job-%05d", n), Kind: "tenant.create", KindVersion: 2, Subject: subject,
		Args: json.RawMessage(`{"name":"Müller"}`), State: fleet.JobQueued, CreatedAt: at(n), UpdatedAt: at(n),
	}
}

// insert stores a job with a subject of its own.
func insert(t *testing.T, s *Store, n int) fleet.Job {
	t.Helper()
	job, existing, err := s.InsertJob(t.Context(), aJob(n, fmt.Sprint("tenant/t", n)))
	ok(t, err)
	if existing {
		t.Fatalf("job %d is there already", n)
	}
	return job
}

// claimed stores a job and claims it.
func claimed(t *testing.T, s *Store, n int) fleet.Job {
	t.Helper()
	want := insert(t, s, n)
	job, found, err := s.ClaimJob(t.Context(), "runner", at(n), at(n+60))
	ok(t, err)
	if !found || job.ID != want.ID {
		t.Fatalf("claimed %q, %v; want %q", job.ID, found, want.ID)
	}
	return job
}

// finish moves a claimed job to a state.
func finish(t *testing.T, s *Store, job fleet.Job, state fleet.JobState, n int) {
	t.Helper()
	_, err := s.SetJobState(t.Context(), job.ID, job.LeaseEpoch, jobs.StateChange{State: state, At: at(n)})
	ok(t, err)
}

func testJob(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := aJob(1, "tenant/acme")
	job.Key, job.KeyHash, job.NotBefore = "key", "hash", at(5)
	want := job
	// What a new job cannot have is not taken over.
	job.State, job.LeaseOwner, job.LeaseEpoch, job.LeaseUntil, job.Cancel, job.Error = fleet.JobDone, "x", 9, at(9), true, "x"
	stored, existing, err := s.InsertJob(ctx, job)
	ok(t, err)
	same(t, "existing", existing, false)
	same(t, "returned", stored, want)
	same(t, "stored", must(s.Job(ctx, job.ID))(t), want)
	_, err = s.Job(ctx, "none")
	fails(t, err, fleet.NotFound, "", "none")

	_, existing, err = s.InsertJob(ctx, job)
	ok(t, err)
	same(t, "existing the second time", existing, true)
	long := aJob(2, "tenant/"+strings.Repeat("x", 300))
	_, _, err = s.InsertJob(ctx, long)
	fails(t, err, fleet.Invalid, "subject")
	long.Subject, long.Key = "tenant/x", strings.Repeat("k", 300)
	_, _, err = s.InsertJob(ctx, long)
	fails(t, err, fleet.Invalid, "idempotency_key")
}

func testJobBusy(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	try := func(n int) error {
		_, _, err := s.InsertJob(ctx, aJob(n, "tenant/acme"))
		return err
	}
	n := 1
	for _, end := range []fleet.JobState{fleet.JobDone, fleet.JobUndone, fleet.JobCancelled} {
		ok(t, try(n))
		id := fmt.Sprintf("job-%05d", n)
		fails(t, try(n+1), fleet.Busy, "", id, "tenant.create")
		job, _, err := s.ClaimJob(ctx, "runner", at(n), at(n+60))
		ok(t, err)
		for _, state := range []fleet.JobState{fleet.JobRunning, fleet.JobUndoing, fleet.JobStuck} {
			finish(t, s, job, state, n)
			fails(t, try(n+1), fleet.Busy, "", id)
		}
		fails(t, try(n+1), fleet.Busy, "", "retry")
		must(s.RetryJob(ctx, id, fleet.JobRunning, at(n)))(t)
		fails(t, try(n+1), fleet.Busy, "", id)
		finish(t, s, job, end, n)
		n++
	}
	ok(t, try(n))
	_, _, err := s.InsertJob(ctx, aJob(n+1, "tenant/globex"))
	ok(t, err)
}

func testJobConcurrentSubject(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	wins := race(t, 20, fleet.Busy, func(i int) error {
		_, _, err := stores[i%2].InsertJob(t.Context(), aJob(i, "tenant/acme"))
		return err
	})
	if n := len(must(stores[0].Jobs(t.Context(), jobs.JobFilter{}))(t)); wins != 1 || n != 1 {
		t.Errorf("%d inserts won, %d jobs are there; want 1 and 1", wins, n)
	}
}

func testJobKey(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	first := aJob(1, "tenant/acme")
	first.Key, first.KeyHash = "key", "hash"
	stored, _, err := s.InsertJob(ctx, first)
	ok(t, err)
	repeat := first
	repeat.ID = "job-other"
	check := func() {
		t.Helper()
		got, existing, err := s.InsertJob(ctx, repeat)
		ok(t, err)
		if !existing || got.ID != stored.ID {
			t.Errorf("repeat gave %q, existing %v", got.ID, existing)
		}
		other := repeat
		other.KeyHash = "another"
		_, _, err = s.InsertJob(ctx, other)
		fails(t, err, fleet.Conflict, "idempotency_key", stored.ID)
	}
	check()
	job, _, err := s.ClaimJob(ctx, "runner", at(1), at(60))
	ok(t, err)
	finish(t, s, job, fleet.JobDone, 2)
	check() // the key outlives the job's end
	upper := repeat
	upper.Key = "KEY"
	_, existing, err := s.InsertJob(ctx, upper)
	ok(t, err)
	same(t, "key of other case exists", existing, false)
	busy := repeat
	busy.ID, busy.Key = "job-third", "key2"
	_, _, err = s.InsertJob(ctx, busy)
	fails(t, err, fleet.Busy, "")
}

func testJobConcurrentKey(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	var mu sync.Mutex
	ids := map[string]int{}
	fresh := 0
	race(t, 20, "", func(i int) error {
		job := aJob(i, "tenant/acme")
		job.Key, job.KeyHash = "key", "hash"
		got, existing, err := stores[i%2].InsertJob(t.Context(), job)
		mu.Lock()
		defer mu.Unlock()
		ids[got.ID]++
		if !existing {
			fresh++
		}
		return err
	})
	if len(ids) != 1 || fresh != 1 {
		t.Errorf("one key made %v, %d of them new", ids, fresh)
	}
}

func testJobList(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	for n := range 130 {
		job := aJob(n, fmt.Sprint("tenant/t", n))
		if n%2 == 1 {
			job.Kind = "image.build"
		}
		_, _, err := s.InsertJob(ctx, job)
		ok(t, err)
	}
	job, _, err := s.ClaimJob(ctx, "runner", at(500), at(600)) // job 0
	ok(t, err)
	finish(t, s, job, fleet.JobDone, 500)
	job, _, err = s.ClaimJob(ctx, "runner", at(500), at(600)) // job 1
	ok(t, err)
	finish(t, s, job, fleet.JobStuck, 500)
	for _, test := range []struct {
		name   string
		filter jobs.JobFilter
		n      int
		first  string
	}{
		{"default limit", jobs.JobFilter{}, 100, "job-00129"},
		{"limit", jobs.JobFilter{Limit: 3}, 3, "job-00129"},
		{"above the default", jobs.JobFilter{Limit: 500}, 130, "job-00129"},
		{"before", jobs.JobFilter{Before: "job-00002"}, 2, "job-00001"},
		{"subject", jobs.JobFilter{Subject: "tenant/t7"}, 1, "job-00007"},
		{"kind", jobs.JobFilter{Kind: "image.build"}, 65, "job-00129"},
		{"state", jobs.JobFilter{State: fleet.JobDone}, 1, "job-00000"},
		{"unfinished", jobs.JobFilter{Unfinished: true, Limit: 500}, 129, "job-00129"},
		{"unfinished has stuck", jobs.JobFilter{Unfinished: true, Before: "job-00002"}, 1, "job-00001"},
		{"together", jobs.JobFilter{Kind: "image.build", State: fleet.JobStuck, Subject: "tenant/t1", Unfinished: true}, 1, "job-00001"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := must(s.Jobs(ctx, test.filter))(t)
			if len(list) != test.n || list[0].ID != test.first {
				t.Fatalf("%d jobs, want %d from %s", len(list), test.n, test.first)
			}
			for i := 1; i < len(list); i++ {
				if list[i].ID >= list[i-1].ID {
					t.Errorf("%s comes after %s", list[i].ID, list[i-1].ID)
				}
			}
			same(t, "whole job", list[0], must(s.Job(ctx, list[0].ID))(t))
		})
	}
}

func testJobCancel(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := insert(t, s, 1)
	got := must(s.RequestCancel(ctx, job.ID, at(30)))(t)
	want := job
	want.Cancel, want.UpdatedAt = true, at(30)
	same(t, "returned", got, want)
	same(t, "asked again", must(s.RequestCancel(ctx, job.ID, at(40)))(t), want)
	same(t, "stored", must(s.Job(ctx, job.ID))(t), want)
	_, err := s.RequestCancel(ctx, "none", at(1))
	fails(t, err, fleet.NotFound, "")

	job, _, err = s.ClaimJob(ctx, "runner", at(50), at(60))
	ok(t, err)
	same(t, "a claimed job knows", job.Cancel, true)
	for i, state := range []fleet.JobState{fleet.JobStuck, fleet.JobDone, fleet.JobUndone, fleet.JobCancelled} {
		job := claimed(t, s, 2+i)
		finish(t, s, job, state, 51)
		_, err := s.RequestCancel(ctx, job.ID, at(52))
		fails(t, err, fleet.Conflict, "", string(state))
	}
}

func testJobRetry(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	_, err := s.RetryJob(ctx, job.ID, fleet.JobRunning, at(2))
	fails(t, err, fleet.Conflict, "", "not stuck")
	_, err = s.RetryJob(ctx, "none", fleet.JobRunning, at(2))
	fails(t, err, fleet.NotFound, "")
	for i, to := range []fleet.JobState{fleet.JobRunning, fleet.JobUndoing} {
		_, err := s.SetJobState(ctx, job.ID, job.LeaseEpoch, jobs.StateChange{
			State: fleet.JobStuck, Error: "pool full", ErrorCode: fleet.Exhausted, Hint: "add a disk", At: at(3 + i),
		})
		ok(t, err)
		if _, found, err := s.ClaimJob(ctx, "runner", at(1000), at(1060)); err != nil || found {
			t.Fatalf("a stuck job was claimed: %v", err)
		}
		_, err = s.RetryJob(ctx, job.ID, fleet.JobDone, at(4))
		fails(t, err, fleet.Invalid, "state")
		got := must(s.RetryJob(ctx, job.ID, to, at(10+i)))(t)
		if got.State != to || !got.UpdatedAt.Equal(at(10+i)) || got.Error != "pool full" {
			t.Errorf("retried job is %+v", got)
		}
		same(t, "stored", must(s.Job(ctx, job.ID))(t), got)
		again, found, err := s.ClaimJob(ctx, "runner", at(10+i), at(70)) // at once
		ok(t, err)
		if !found || again.State != to || again.LeaseEpoch != job.LeaseEpoch+1 {
			t.Fatalf("claimed %v %+v", found, again)
		}
		job = again
	}
	if n := race(t, 4, fleet.Conflict, func(int) error {
		_, err := s.RetryJob(ctx, job.ID, fleet.JobRunning, at(99))
		return err
	}); n != 0 {
		t.Errorf("a running job was retried %d times", n)
	}
	// Done, it has no error any more.
	finish(t, s, job, fleet.JobDone, 100)
	if got := must(s.Job(ctx, job.ID))(t); got.Error != "" || got.ErrorCode != "" || got.Hint != "" {
		t.Errorf("a done job has an error: %+v", got)
	}
}

func testJobDelete(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	states := []fleet.JobState{fleet.JobDone, fleet.JobUndone, fleet.JobCancelled, fleet.JobStuck, fleet.JobRunning}
	n := 0
	for _, updated := range []int{1000, 2000} {
		for _, state := range states {
			n++
			finish(t, s, claimed(t, s, n), state, updated)
		}
	}
	same(t, "deleted", must(s.DeleteJobs(ctx, at(1000)))(t), 0)
	same(t, "deleted", must(s.DeleteJobs(ctx, at(1001)))(t), 3)
	same(t, "deleted again", must(s.DeleteJobs(ctx, at(1001)))(t), 0)
	same(t, "left", len(must(s.Jobs(ctx, jobs.JobFilter{}))(t)), 7)
	if _, err := s.Job(ctx, "job-00001"); !errors.Is(err, fleet.NotFound) {
		t.Errorf("deleted job: %v", err)
	}
	same(t, "events of a deleted job", len(must(s.JobEvents(ctx, "job-00001", 0, 0))(t)), 0)
	same(t, "events of another", len(must(s.JobEvents(ctx, "job-00006", 0, 0))(t)), 1)
}
