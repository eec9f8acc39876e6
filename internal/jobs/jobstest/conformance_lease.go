package jobstest

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (b bench) claim() {
	later := newJob(1)
	later.NotBefore = second(100)
	old := newJob(9) // its id is greater than that of newer jobs
	old.CreatedAt = second(0)
	b.put(newJob(3), newJob(2), later, old)
	got := b.take(9, 50)
	if got.LeaseOwner != "runner" || !got.LeaseUntil.Equal(second(65)) || got.LeaseEpoch != 1 || got.State != fleet.JobQueued {
		b.Errorf("claimed %+v", got)
	}
	b.same("as stored", b.job(9), got)
	b.move(got, fleet.JobDone, 50)
	b.take(2, 50)
	b.take(3, 50)
	b.take(0, 50)
	b.take(0, 64)
	if again := b.take(2, 65); again.LeaseEpoch != 2 {
		b.Errorf("epoch %d after the second claim, want 2", again.LeaseEpoch)
	}
	b.take(3, 65)
	b.take(0, 66)
	b.take(1, 100)
}

func (b bench) claimConcurrent() {
	const count = 20
	for n := range count {
		b.put(newJob(n + 1))
	}
	var mu sync.Mutex
	taken := map[string]int{}
	race(4, func(int) {
		for {
			job, ok, err := b.store.ClaimJob(b.Context(), "runner", second(100), second(200))
			if err != nil {
				b.Errorf("claim: %v", err)
			}
			if !ok {
				return
			}
			mu.Lock()
			taken[job.ID]++
			mu.Unlock()
		}
	})
	for id, times := range taken {
		if times != 1 {
			b.Errorf("job %s was claimed %d times", id, times)
		}
	}
	if len(taken) != count {
		b.Errorf("%d jobs were claimed, want %d", len(taken), count)
	}
}

func (b bench) renew() {
	b.put(newJob(1))
	job := b.take(1, 10)
	cancel, err := b.store.RenewLease(b.Context(), job.ID, job.LeaseEpoch, second(40))
	b.ok(err)
	if cancel || !b.job(1).LeaseUntil.Equal(second(40)) {
		b.Errorf("cancel %v, %+v", cancel, b.job(1))
	}
	b.take(0, 39)
	_, err = b.store.RequestCancel(b.Context(), job.ID, second(20))
	b.ok(err)
	if cancel, err = b.store.RenewLease(b.Context(), job.ID, job.LeaseEpoch, second(40)); err != nil || !cancel {
		b.Errorf("renew after a request to cancel: %v, %v", cancel, err)
	}
	// A lease that has ended, but that nobody took, is still the runner's.
	if _, err = b.store.RenewLease(b.Context(), job.ID, job.LeaseEpoch, second(500)); err != nil {
		b.Errorf("renew late: %v", err)
	}
}

func (b bench) fenced() {
	b.put(newJob(1))
	stale := b.take(1, 10)
	b.move(stale, fleet.JobRunning, 10)
	fresh := b.take(1, 30)
	before := b.job(1)
	for doing, err := range b.writes(stale) {
		b.code(doing, err, fleet.Fenced)
	}
	b.same("job after stale writes", b.job(1), before)
	events, err := b.store.JobEvents(b.Context(), stale.ID, 0, 0)
	b.ok(err)
	if len(events) != 1 {
		b.Errorf("events after stale writes: %+v", events)
	}
	b.move(fresh, fleet.JobDone, 31)
}

func (b bench) finished() {
	for i, state := range []fleet.JobState{fleet.JobDone, fleet.JobUndone, fleet.JobCancelled, fleet.JobStuck} {
		b.put(newJob(i + 1))
		job := b.take(i+1, 10)
		b.move(job, state, 11)
		after := b.job(i + 1)
		if after.LeaseOwner != "" || !after.LeaseUntil.IsZero() || after.LeaseEpoch != 1 {
			b.Errorf("lease of a job that is %s: %+v", state, after)
		}
		for doing, err := range b.writes(job) {
			b.code(doing+" when "+string(state), err, fleet.Fenced)
		}
		b.take(0, 1000)
	}
}

func (b bench) release() {
	b.put(newJob(1))
	job := b.take(1, 10)
	b.move(job, fleet.JobRunning, 10)
	b.ok(b.store.ReleaseJob(b.Context(), job.ID, job.LeaseEpoch, second(30)))
	if got := b.job(1); got.State != fleet.JobRunning || got.LeaseOwner != "" || !got.LeaseUntil.IsZero() || !got.NotBefore.Equal(second(30)) {
		b.Errorf("released: %+v", got)
	}
	b.take(0, 29)
	again := b.take(1, 30)
	for doing, err := range b.writes(job) {
		b.code(doing, err, fleet.Fenced)
	}
	b.ok(b.store.ReleaseJob(b.Context(), job.ID, again.LeaseEpoch, second(90)))
	_, err := b.store.RequestCancel(b.Context(), job.ID, second(40))
	b.ok(err)
	b.take(1, 41) // one that was told to wait does not, to be cancelled
}

func (b bench) releaseOwner() {
	b.put(newJob(1), newJob(2), newJob(3))
	b.take(1, 10)
	b.move(b.take(2, 10), fleet.JobStuck, 10)
	other, ok, err := b.store.ClaimJob(b.Context(), "other", second(10), second(25))
	b.ok(err)
	n, err := b.store.ReleaseOwner(b.Context(), "runner")
	b.ok(err)
	if !ok || n != 1 {
		b.Errorf("claimed %v; released %d leases, want 1", ok, n)
	}
	b.same("the other owner's", b.job(3), other)
	b.take(1, 10)
	b.take(0, 10)
	if n, err = b.store.ReleaseOwner(b.Context(), "nobody"); err != nil || n != 0 {
		b.Errorf("released %d leases of nobody, %v", n, err)
	}
}

func (b bench) state() {
	b.put(newJob(1))
	job := b.take(1, 10)
	ev := b.move(job, fleet.JobUndoing, 12)
	b.same("event", ev, fleet.JobEvent{JobID: job.ID, Seq: 1, Type: fleet.EventState, Message: "undoing", At: second(12)})
	want := job
	want.State, want.UpdatedAt = fleet.JobUndoing, second(12)
	want.Error, want.ErrorCode, want.Hint = "why", fleet.Failed, "what to do"
	b.same("job", b.job(1), want)
	events, err := b.store.JobEvents(b.Context(), job.ID, 0, 0)
	b.ok(err)
	b.same("events", events, []fleet.JobEvent{ev})
}

func (b bench) events() {
	b.put(newJob(1), newJob(2))
	job := b.take(1, 10)
	all := []fleet.JobEvent{
		{Type: fleet.EventStarted, Step: "a", At: second(11)},
		{Type: fleet.EventProgress, Step: "a", Message: "50 %", Percent: 50, Bytes: 1 << 40, At: second(12)},
		{Type: fleet.EventOutput, Step: "a", Message: strings.Repeat("grüße\n", 5000), At: second(13)},
		{Type: fleet.EventDone, Step: "a", State: []byte(`{"n":1}`), At: second(14)},
	}
	first, err := b.store.AppendEvents(b.Context(), job.ID, job.LeaseEpoch, all[:1])
	b.ok(err)
	rest, err := b.store.AppendEvents(b.Context(), job.ID, job.LeaseEpoch, all[1:])
	b.ok(err)
	for i := range all {
		all[i].JobID, all[i].Seq = job.ID, int64(i)+1
	}
	b.same("appended", append(first, rest...), all)
	for name, c := range map[string]struct {
		after int64
		limit int
		want  []fleet.JobEvent
	}{
		"all": {0, 0, all}, "after": {2, 0, all[2:]}, "page": {1, 2, all[1:3]}, "most": {3, 100, all[3:]},
	} {
		got, err := b.store.JobEvents(b.Context(), job.ID, c.after, c.limit)
		b.ok(err)
		b.same(name, got, c.want)
	}
	none, err := b.store.JobEvents(b.Context(), job.ID, 4, 0)
	b.ok(err)
	if len(none) != 0 || !b.job(1).UpdatedAt.Equal(second(14)) {
		b.Errorf("%d events after the last; %+v", len(none), b.job(1))
	}
	nothing, err := b.store.AppendEvents(b.Context(), job.ID, job.LeaseEpoch, nil)
	if err != nil || len(nothing) != 0 {
		b.Errorf("append nothing: %v, %v", nothing, err)
	}
}

func (b bench) lastStates() {
	b.put(newJob(1), newJob(2), newJob(3))
	first, second := b.take(1, 10), b.take(2, 10)
	for _, stored := range []struct {
		job    fleet.Job
		events []fleet.JobEvent
	}{
		{first, []fleet.JobEvent{
			{Type: fleet.EventDone, Step: "a", State: []byte(`{"n":1}`)},
			{Type: fleet.EventDone, Step: "b", State: []byte(`{"n":2}`)},
			{Type: fleet.EventStarted, Step: "c"},
			{Type: fleet.EventOutput, Step: "c", Message: "later"},
		}},
		{second, []fleet.JobEvent{{Type: fleet.EventDone, Step: "a", State: []byte(`{"n":3}`)}, {Type: fleet.EventUndone, Step: "a", State: []byte(`{"n":4}`)}}},
	} {
		_, err := b.store.AppendEvents(b.Context(), stored.job.ID, stored.job.LeaseEpoch, stored.events)
		b.ok(err)
	}
	got, err := b.store.LastStates(b.Context(), []string{first.ID, second.ID, newJob(3).ID, "nothing"})
	b.ok(err)
	b.same("last states", got, map[string]json.RawMessage{first.ID: []byte(`{"n":2}`), second.ID: []byte(`{"n":4}`)})
	got, err = b.store.LastStates(b.Context(), nil)
	b.ok(err)
	b.same("of none", len(got), 0)
}

func (b bench) cancel() {
	b.put(newJob(1))
	for range 2 { // again changes nothing
		job, err := b.store.RequestCancel(b.Context(), newJob(1).ID, second(5))
		b.ok(err)
		if !job.Cancel || job.State != fleet.JobQueued {
			b.Errorf("cancel: %+v", job)
		}
	}
	job := b.take(1, 10)
	if !job.Cancel {
		b.Error("the runner does not see the request")
	}
	b.move(job, fleet.JobCancelled, 11)
	_, err := b.store.RequestCancel(b.Context(), job.ID, second(12))
	b.code("cancel a finished job", err, fleet.Conflict)
}

func (b bench) retry() {
	b.put(newJob(1))
	job := b.take(1, 10)
	_, err := b.store.RetryJob(b.Context(), job.ID, fleet.JobRunning, second(11))
	b.code("retry a running job", err, fleet.Conflict)
	for i, to := range []fleet.JobState{fleet.JobRunning, fleet.JobUndoing} {
		b.move(job, fleet.JobStuck, 20+i)
		_, err = b.store.RetryJob(b.Context(), job.ID, fleet.JobDone, second(30+i))
		b.code("retry to done", err, fleet.Invalid)
		got, err := b.store.RetryJob(b.Context(), job.ID, to, second(30+i))
		b.ok(err)
		if got.State != to || got.Error != "why" {
			b.Errorf("retried: %+v", got)
		}
		b.same("as stored", b.job(1), got)
		old := job
		job = b.take(1, 30+i)
		for doing, err := range b.writes(old) {
			b.code(doing, err, fleet.Fenced)
		}
	}
}

func (b bench) remove() {
	states := map[int]fleet.JobState{
		1: fleet.JobDone, 2: fleet.JobUndone, 3: fleet.JobCancelled,
		4: fleet.JobStuck, 5: fleet.JobRunning, 6: fleet.JobDone,
	}
	for n := range 6 {
		b.put(newJob(n + 1))
		at := 10
		if n+1 == 6 {
			at = 50
		}
		b.move(b.take(n+1, 10), states[n+1], at)
	}
	n, err := b.store.DeleteJobs(b.Context(), second(50))
	b.ok(err)
	if n != 3 {
		b.Errorf("%d jobs deleted, want 3", n)
	}
	for n := range maps.Keys(states) {
		id := newJob(n).ID
		_, err := b.store.Job(b.Context(), id)
		events, eventsErr := b.store.JobEvents(b.Context(), id, 0, 0)
		b.ok(eventsErr)
		if n <= 3 {
			b.code("deleted "+id, err, fleet.NotFound)
		} else {
			b.ok(err)
		}
		if kept := len(events) > 0; kept == (n <= 3) {
			b.Errorf("job %s has %d events", id, len(events))
		}
	}
}
