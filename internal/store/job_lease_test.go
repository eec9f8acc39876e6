package store

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func testClaim(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	next := func(n int) string {
		t.Helper()
		job, found, err := s.ClaimJob(ctx, "runner", at(n), at(n+60))
		ok(t, err)
		if !found {
			return ""
		}
		return job.ID
	}
	same(t, "nothing there", next(0), "")
	late := aJob(1, "tenant/late")
	late.NotBefore = at(50)
	_, _, err := s.InsertJob(ctx, late)
	ok(t, err)
	first, second := insert(t, s, 3), insert(t, s, 2)
	same(t, "oldest", next(10), second.ID)
	same(t, "next", next(10), first.ID)
	same(t, "its time has not come", next(49), "")
	same(t, "its time has come", next(50), late.ID)
	same(t, "all are taken", next(51), "")

	got := must(s.Job(ctx, first.ID))(t)
	want := first
	want.LeaseOwner, want.LeaseUntil, want.LeaseEpoch = "runner", at(70), 1
	same(t, "claimed job", got, want)
	// A lease has ended at its very end.
	same(t, "before the end of the lease", next(69), "")
	same(t, "at the end of the lease", next(70), second.ID)
	same(t, "again its epoch has grown", must(s.Job(ctx, second.ID))(t).LeaseEpoch, int64(2))
}

func testReleaseOwner(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	mine, other := insert(t, s, 1), insert(t, s, 2)
	claim := func(owner string, n int) fleet.Job {
		t.Helper()
		job, found, err := s.ClaimJob(ctx, owner, at(n), at(n+60))
		ok(t, err)
		same(t, "found", found, true)
		return job
	}
	same(t, "mine", claim("me", 10).ID, mine.ID)
	same(t, "the other's", claim("other", 10).ID, other.ID)
	same(t, "released", must(s.ReleaseOwner(ctx, "me"))(t), 1)
	same(t, "released again", must(s.ReleaseOwner(ctx, "me"))(t), 0)
	again := claim("me", 11)
	same(t, "claimed before the lease would have ended", again.ID, mine.ID)
	same(t, "its epoch has grown", again.LeaseEpoch, int64(2))
	_, err := s.RenewLease(ctx, mine.ID, 1, at(500))
	fails(t, err, fleet.Fenced, "")
}

func testClaimConcurrent(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	const n = 60
	for i := range n {
		insert(t, stores[0], i)
	}
	var mu sync.Mutex
	times := map[string]int{}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for {
				job, found, err := stores[i%2].ClaimJob(t.Context(), fmt.Sprint("runner", i), at(100), at(200))
				if err != nil || !found {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if job.LeaseOwner != fmt.Sprint("runner", i) || job.LeaseEpoch != 1 {
					t.Errorf("runner%d got %+v", i, job)
				}
				mu.Lock()
				times[job.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, k := range times {
		if k != 1 {
			t.Errorf("%s was claimed %d times", id, k)
		}
	}
	same(t, "jobs claimed", len(times), n)
}

// A job whose runner died is taken over by exactly one of those who look.
func testClaimLeaseEnded(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	finish(t, s, job, fleet.JobUndoing, 2)
	wins := 0
	var mu sync.Mutex
	race(t, 10, "", func(i int) error {
		got, found, err := s.ClaimJob(ctx, fmt.Sprint("heir", i), at(61), at(120))
		mu.Lock()
		defer mu.Unlock()
		if found {
			wins++
			if got.LeaseEpoch != 2 || got.State != fleet.JobUndoing {
				t.Errorf("taken over as %+v", got)
			}
		}
		return err
	})
	same(t, "heirs", wins, 1)
}

func testLease(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	same(t, "cancel", must(s.RenewLease(ctx, job.ID, job.LeaseEpoch, at(300)))(t), false)
	got := must(s.Job(ctx, job.ID))(t)
	if !got.LeaseUntil.Equal(at(300)) || !got.UpdatedAt.Equal(job.UpdatedAt) {
		t.Errorf("renewed: %+v", got)
	}
	must(s.RequestCancel(ctx, job.ID, at(10)))(t)
	same(t, "cancel", must(s.RenewLease(ctx, job.ID, job.LeaseEpoch, at(301)))(t), true)
	_, err := s.RenewLease(ctx, "none", 1, at(1))
	fails(t, err, fleet.NotFound, "")
	finish(t, s, job, fleet.JobStuck, 20)
	_, err = s.RenewLease(ctx, job.ID, job.LeaseEpoch, at(999)) // a heartbeat that came late
	fails(t, err, fleet.Fenced, "", "stuck")
	if got := must(s.Job(ctx, job.ID))(t); !got.LeaseUntil.IsZero() || got.LeaseOwner != "" {
		t.Errorf("a finished job has a lease: %+v", got)
	}
}

func testFenced(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	stale := claimed(t, s, 1)
	owner, found, err := s.ClaimJob(ctx, "heir", at(61), at(120))
	ok(t, err)
	same(t, "taken over", found, true)
	before := must(s.Job(ctx, owner.ID))(t)
	for name, write := range map[string]func() error{
		"renew": func() error { _, err := s.RenewLease(ctx, stale.ID, stale.LeaseEpoch, at(500)); return err },
		"append": func() error {
			_, err := s.AppendEvents(ctx, stale.ID, stale.LeaseEpoch, []fleet.JobEvent{{Type: fleet.EventDone, At: at(9)}})
			return err
		},
		"append nothing": func() error { _, err := s.AppendEvents(ctx, stale.ID, stale.LeaseEpoch, nil); return err },
		"state": func() error {
			_, err := s.SetJobState(ctx, stale.ID, stale.LeaseEpoch, jobs.StateChange{State: fleet.JobDone, At: at(9)})
			return err
		},
		"release": func() error { return s.ReleaseJob(ctx, stale.ID, stale.LeaseEpoch, time.Time{}) },
		"epoch of the future": func() error {
			_, err := s.RenewLease(ctx, stale.ID, owner.LeaseEpoch+1, at(500))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { fails(t, write(), fleet.Fenced, "", "heir") })
	}
	same(t, "the job after stale writes", must(s.Job(ctx, owner.ID))(t), before)
	same(t, "its events", len(must(s.JobEvents(ctx, owner.ID, 0, 0))(t)), 0)
	finish(t, s, owner, fleet.JobDone, 70)
	_, err = s.SetJobState(ctx, "none", 1, jobs.StateChange{State: fleet.JobDone, At: at(9)})
	fails(t, err, fleet.NotFound, "")
}

func testRelease(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	finish(t, s, job, fleet.JobRunning, 2)
	ok(t, s.ReleaseJob(ctx, job.ID, job.LeaseEpoch, at(40)))
	got := must(s.Job(ctx, job.ID))(t)
	if got.State != fleet.JobRunning || got.LeaseOwner != "" || !got.LeaseUntil.IsZero() || !got.NotBefore.Equal(at(40)) {
		t.Errorf("released: %+v", got)
	}
	if _, found, err := s.ClaimJob(ctx, "heir", at(39), at(100)); err != nil || found {
		t.Errorf("claimed before its time: %v", err)
	}
	heir, found, err := s.ClaimJob(ctx, "heir", at(40), at(100))
	ok(t, err)
	if !found || heir.LeaseEpoch != 2 {
		t.Fatalf("claimed %v %+v", found, heir)
	}
	ok(t, s.ReleaseJob(ctx, job.ID, heir.LeaseEpoch, time.Time{}))
	if _, found, _ := s.ClaimJob(ctx, "third", at(41), at(100)); !found {
		t.Error("released without a delay, and not claimable")
	}
}

func testState(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	seq := int64(0)
	for _, change := range []jobs.StateChange{
		{State: fleet.JobRunning, At: at(10)},
		{State: fleet.JobUndoing, Error: "kaputt\xff", ErrorCode: fleet.Failed, Hint: "look", At: at(11)},
		{State: fleet.JobUndone, Error: "kaputt", At: at(12)},
	} {
		seq++
		event, err := s.SetJobState(ctx, job.ID, job.LeaseEpoch, change)
		ok(t, err)
		want := fleet.JobEvent{JobID: job.ID, Seq: seq, Type: fleet.EventState, Message: string(change.State), At: change.At}
		same(t, "event", event, want)
		same(t, "stored event", must(s.JobEvents(ctx, job.ID, seq-1, 0))(t), []fleet.JobEvent{want})
		got := must(s.Job(ctx, job.ID))(t)
		if got.State != change.State || !got.UpdatedAt.Equal(change.At) {
			t.Errorf("after %s: %+v", change.State, got)
		}
		same(t, "reason", got.Error, strings.ToValidUTF8(change.Error, "\uFFFD"))
		same(t, "code and hint", string(got.ErrorCode)+got.Hint, string(change.ErrorCode)+change.Hint)
		if finished := change.State.Finished(); finished != got.LeaseUntil.IsZero() || finished != (got.LeaseOwner == "") {
			t.Errorf("after %s the lease is %q until %s", change.State, got.LeaseOwner, got.LeaseUntil)
		}
	}
	// An end is final: the same runner cannot change it, nor add to its history.
	_, err := s.SetJobState(ctx, job.ID, job.LeaseEpoch, jobs.StateChange{State: fleet.JobDone, At: at(13)})
	fails(t, err, fleet.Fenced, "", "undone")
	_, err = s.AppendEvents(ctx, job.ID, job.LeaseEpoch, []fleet.JobEvent{{Type: fleet.EventDone, At: at(13)}})
	fails(t, err, fleet.Fenced, "", "undone")
	same(t, "events", len(must(s.JobEvents(ctx, job.ID, 0, 0))(t)), 3)
}
