package jobstest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Memory is a jobs.Store in memory, safe for concurrent use. For outages and other faults
// wrap it with Intercept.
type Memory struct {
	mu   sync.Mutex
	jobs map[string]*record
}

type record struct {
	job    fleet.Job
	events []fleet.JobEvent
}

var _ jobs.Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory { return &Memory{jobs: map[string]*record{}} }

// InsertJob implements jobs.Store.
func (m *Memory) InsertJob(ctx context.Context, job fleet.Job) (fleet.Job, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fleet.Job{}, false, err
	}
	if r := m.same(job); r != nil {
		if job.Key != "" && r.job.KeyHash != job.KeyHash {
			return fleet.Job{}, false, fleet.Errorf(fleet.Conflict, "the idempotency key came with another request before (job %s)", r.job.ID)
		}
		return r.job, true, nil
	}
	for _, r := range m.jobs {
		if r.job.Subject == job.Subject && holdsSubject(r.job.State) {
			return fleet.Job{}, false, fleet.Errorf(fleet.Busy, "job %s (%s) works on %s", r.job.ID, r.job.Kind, job.Subject)
		}
	}
	stored := fleet.Job{
		ID: job.ID, Kind: job.Kind, KindVersion: job.KindVersion, Subject: job.Subject, Args: job.Args,
		State: fleet.JobQueued, Key: job.Key, KeyHash: job.KeyHash,
		CreatedAt: micros(job.CreatedAt), UpdatedAt: micros(job.UpdatedAt), NotBefore: micros(job.NotBefore),
	}
	m.jobs[job.ID] = &record{job: stored}
	return stored, false, nil
}

// same finds the job that an earlier call with the same key, or ID, has stored.
func (m *Memory) same(job fleet.Job) *record {
	if job.Key == "" {
		return m.jobs[job.ID]
	}
	for _, r := range m.jobs {
		if r.job.Key == job.Key {
			return r
		}
	}
	return nil
}

// micros gives a time as databases keep it.
func micros(t time.Time) time.Time { return t.Truncate(time.Microsecond).UTC() }

// Job implements jobs.Store.
func (m *Memory) Job(ctx context.Context, id string) (fleet.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	return r.job, nil
}

// Jobs implements jobs.Store.
func (m *Memory) Jobs(ctx context.Context, f jobs.JobFilter) ([]fleet.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var list []fleet.Job
	for _, r := range m.sorted() {
		j := r.job
		if (f.Subject == "" || f.Subject == j.Subject) && (f.Subjects == nil || slices.Contains(f.Subjects, j.Subject)) && (f.Kind == "" || f.Kind == j.Kind || strings.HasSuffix(f.Kind, ".") && strings.HasPrefix(j.Kind, f.Kind)) &&
			(len(f.States) == 0 || slices.Contains(f.States, j.State)) &&
			(f.State == "" || f.State == j.State) && (f.Key == "" || f.Key == j.Key) && (f.Parent == "" || strings.HasPrefix(j.Key, f.Parent+"/")) && (!f.Unfinished || holdsSubject(j.State)) &&
			(f.Before == "" || j.ID < f.Before && !f.OldestFirst || j.ID > f.Before && f.OldestFirst) {
			list = append(list, j)
		}
	}
	if !f.OldestFirst {
		slices.Reverse(list)
	}
	return list[:min(len(list), cmp.Or(f.Limit, 100))], nil
}

// ClaimJob implements jobs.Store.
func (m *Memory) ClaimJob(ctx context.Context, owner string, now, until time.Time) (fleet.Job, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fleet.Job{}, false, err
	}
	due := m.sorted()
	slices.SortStableFunc(due, func(a, b *record) int { return a.job.CreatedAt.Compare(b.job.CreatedAt) })
	for _, r := range due {
		if r.job.State.Finished() || r.job.LeaseUntil.After(now) || r.job.NotBefore.After(now) {
			continue
		}
		r.job.LeaseOwner, r.job.LeaseUntil = owner, micros(until)
		r.job.LeaseEpoch++
		return r.job, true, nil
	}
	return fleet.Job{}, false, nil
}

// RenewLease implements jobs.Store.
func (m *Memory) RenewLease(ctx context.Context, id string, epoch int64, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.held(ctx, id, epoch)
	if err != nil {
		return false, err
	}
	r.job.LeaseUntil = micros(until)
	return r.job.Cancel, nil
}

// AppendEvents implements jobs.Store.
func (m *Memory) AppendEvents(ctx context.Context, id string, epoch int64, events []fleet.JobEvent) ([]fleet.JobEvent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.held(ctx, id, epoch)
	if err != nil {
		return nil, err
	}
	stored := make([]fleet.JobEvent, 0, len(events))
	for _, ev := range events {
		stored = append(stored, r.append(ev))
	}
	if n := len(events); n > 0 && !events[n-1].At.IsZero() {
		r.job.UpdatedAt = micros(events[n-1].At)
	}
	return stored, nil
}

// SetJobState implements jobs.Store.
func (m *Memory) SetJobState(ctx context.Context, id string, epoch int64, c jobs.StateChange) (fleet.JobEvent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.held(ctx, id, epoch)
	if err != nil {
		return fleet.JobEvent{}, err
	}
	r.job.State, r.job.UpdatedAt = c.State, micros(c.At)
	r.job.Error, r.job.ErrorCode, r.job.Hint = c.Error, c.ErrorCode, c.Hint
	if c.State.Finished() {
		r.job.LeaseOwner, r.job.LeaseUntil, r.job.NotBefore = "", time.Time{}, time.Time{}
	}
	return r.append(fleet.JobEvent{Type: fleet.EventState, Message: string(c.State), At: c.At}), nil
}

// JobEvents implements jobs.Store.
func (m *Memory) JobEvents(ctx context.Context, id string, after int64, limit int) ([]fleet.JobEvent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := m.jobs[id]
	if r == nil || after >= int64(len(r.events)) {
		return nil, nil
	}
	events := slices.Clone(r.events[max(after, 0):])
	return events[:min(len(events), cmp.Or(limit, len(events)))], nil
}

// LastStates implements jobs.Store.
func (m *Memory) LastStates(ctx context.Context, ids []string) (map[string]json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	states := map[string]json.RawMessage{}
	for _, id := range ids {
		r := m.jobs[id]
		if r == nil {
			continue
		}
		for _, e := range r.events {
			if e.Type == fleet.EventDone || e.Type == fleet.EventUndone {
				states[id] = e.State
			}
		}
	}
	return states, ctx.Err()
}

// RequestCancel implements jobs.Store.
func (m *Memory) RequestCancel(ctx context.Context, id string, now time.Time) (fleet.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if r.job.State.Finished() {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "job %s has ended: %s", id, r.job.State)
	}
	if !r.job.Cancel {
		r.job.Cancel, r.job.UpdatedAt = true, micros(now)
		if r.job.State != fleet.JobQueued {
			r.job.NotBefore = time.Time{}
		}
	}
	return r.job, nil
}

// RetryJob implements jobs.Store.
func (m *Memory) RetryJob(ctx context.Context, id string, to fleet.JobState, now time.Time) (fleet.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if to != fleet.JobRunning && to != fleet.JobUndoing {
		return fleet.Job{}, fleet.Errorf(fleet.Invalid, "a job cannot be retried to state %q", to)
	}
	if r.job.State != fleet.JobStuck {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "job %s is not stuck", id)
	}
	r.job.State, r.job.UpdatedAt = to, micros(now)
	r.job.LeaseOwner, r.job.LeaseUntil, r.job.NotBefore = "", time.Time{}, time.Time{}
	return r.job, nil
}

// ReleaseJob implements jobs.Store.
func (m *Memory) ReleaseJob(ctx context.Context, id string, epoch int64, notBefore time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.held(ctx, id, epoch)
	if err != nil {
		return err
	}
	r.job.LeaseOwner, r.job.LeaseUntil, r.job.NotBefore = "", time.Time{}, micros(notBefore)
	return nil
}

// ReleaseOwner implements jobs.Store.
func (m *Memory) ReleaseOwner(ctx context.Context, owner string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	released := 0
	for _, r := range m.jobs {
		if r.job.LeaseOwner == owner && !r.job.State.Finished() {
			r.job.LeaseOwner, r.job.LeaseUntil = "", time.Time{}
			released++
		}
	}
	return released, nil
}

// DeleteJobs implements jobs.Store.
func (m *Memory) DeleteJobs(ctx context.Context, before time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := 0
	for id, r := range m.jobs {
		if !holdsSubject(r.job.State) && r.job.UpdatedAt.Before(before) {
			delete(m.jobs, id)
			n++
		}
	}
	return n, nil
}

func holdsSubject(s fleet.JobState) bool { return !s.Finished() || s == fleet.JobStuck }

func (m *Memory) sorted() []*record {
	list := make([]*record, 0, len(m.jobs))
	for _, r := range m.jobs {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *record) int { return strings.Compare(a.job.ID, b.job.ID) })
	return list
}

func (m *Memory) find(ctx context.Context, id string) (*record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := m.jobs[id]
	if r == nil {
		return nil, fleet.Errorf(fleet.NotFound, "there is no job %s", id)
	}
	return r, nil
}

func (m *Memory) held(ctx context.Context, id string, epoch int64) (*record, error) {
	r, err := m.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.job.LeaseEpoch != epoch || r.job.State.Finished() {
		return nil, fleet.Errorf(fleet.Fenced, "job %s is no longer held under epoch %d", id, epoch)
	}
	return r, nil
}

func (r *record) append(ev fleet.JobEvent) fleet.JobEvent {
	ev.JobID, ev.Seq, ev.At = r.job.ID, int64(len(r.events))+1, micros(ev.At)
	r.events = append(r.events, ev)
	return ev
}
