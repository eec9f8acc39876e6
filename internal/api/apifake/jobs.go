package apifake

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/migration"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Jobs is a job engine whose jobs do nothing.
type Jobs struct {
	fleet *Fleet

	mu     sync.Mutex
	held   bool
	jobs   []fleet.Job // oldest first
	events map[string][]fleet.JobEvent
	news   chan struct{} // closed and replaced with every change
}

func newJobs(f *Fleet) *Jobs {
	return &Jobs{fleet: f, events: map[string][]fleet.JobEvent{}, news: make(chan struct{})}
}

// Hold lets later jobs run until Finish.
func (j *Jobs) Hold() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = true
}

// Submit makes a job, or gives the one that an earlier call with the same key made.
func (j *Jobs) Submit(kind, subject string, args any, once tenants.Once) (fleet.Job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, job := range j.jobs {
		if once.Key != "" && job.Key == once.Key {
			if job.KeyHash != once.Hash {
				return fleet.Job{}, fleet.Errorf(fleet.Conflict, "the key was used for another request").
					WithField("Idempotency-Key").WithHint("use a new key")
			}
			return job, nil
		}
		if job.Subject == subject && !job.State.Finished() {
			return fleet.Job{}, fleet.Errorf(fleet.Busy, "job %s (%s) works on it", job.ID, job.Kind).
				WithHint("wait for it with: lxdfleet job watch %s", job.ID)
		}
	}
	encoded, err := json.Marshal(args)
	if err != nil {
		return fleet.Job{}, fmt.Errorf("encode: %w", err)
	}
	job := fleet.Job{
		ID: fmt.Sprintf("%026d", len(j.jobs)+1), Kind: kind, KindVersion: 1, Subject: subject, Args: encoded,
		State: fleet.JobRunning, Key: once.Key, KeyHash: once.Hash, CreatedAt: Now, UpdatedAt: Now,
	}
	j.jobs = append(j.jobs, job)
	j.add(job.ID, fleet.JobEvent{Type: fleet.EventState, Message: string(fleet.JobRunning)})
	j.add(job.ID, fleet.JobEvent{Step: "work", Type: fleet.EventStarted})
	if !j.held {
		j.add(job.ID, fleet.JobEvent{Step: "work", Type: fleet.EventProgress, Message: "half way", Percent: 50, Bytes: 1 << 20})
		j.add(job.ID, fleet.JobEvent{Step: "work", Type: fleet.EventOutput, Message: "hello from the step\n"})
		j.add(job.ID, fleet.JobEvent{Step: "work", Type: fleet.EventDone})
		j.end(job.ID, fleet.JobDone, nil)
	}
	return j.jobs[len(j.jobs)-1], nil
}

// SubmitBulk makes a job for many tenants that has ended: one is done, one waits, one is refused, one
// was deleted meanwhile.
func (j *Jobs) SubmitBulk() fleet.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	id := fmt.Sprintf("%026d", len(j.jobs)+1)
	state := fmt.Sprintf(`{"action":"move","tenants":["acme","globex","hooli","initech"],"outcomes":{"acme":{"job":%q,"done":true},
		"globex":{"job":%q,"done":true,"at":%q},"hooli":{"why":"tenant hooli has no window"},"initech":{}}}`,
		"00000000000000000000acme", "000000000000000000globex", Now.Add(10*time.Hour).Format(time.RFC3339))
	j.jobs = append(j.jobs, fleet.Job{
		ID: id, Kind: bulk.Kind, KindVersion: 1, Subject: "bulk/" + id, Args: json.RawMessage(state), CreatedAt: Now, UpdatedAt: Now, State: fleet.JobRunning,
	})
	j.add(id, fleet.JobEvent{Type: fleet.EventState, Message: string(fleet.JobRunning)})
	j.add(id, fleet.JobEvent{Step: "act", Type: fleet.EventStarted})
	j.add(id, fleet.JobEvent{Step: "act", Type: fleet.EventDone, State: json.RawMessage(state)})
	j.end(id, fleet.JobUndone, fleet.Errorf(fleet.Failed, "1 moved, 1 wait for their time, 1 not: hooli: tenant hooli has no window"))
	return j.jobs[len(j.jobs)-1]
}

// knows reports whether a job was made with the key.
func (j *Jobs) knows(key string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return key != "" && slices.ContainsFunc(j.jobs, func(job fleet.Job) bool { return job.Key == key })
}

// Add appends an event to a job; its number and time are set here.
func (j *Jobs) Add(id string, e fleet.JobEvent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.add(id, e)
}

// Finish ends a held job.
func (j *Jobs) Finish(id string, state fleet.JobState, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end(id, state, err)
}

func (j *Jobs) add(id string, e fleet.JobEvent) {
	e.JobID, e.Seq = id, int64(len(j.events[id])+1)
	e.At = Now.Add(time.Duration(e.Seq) * 100 * time.Millisecond)
	j.events[id] = append(j.events[id], e)
	close(j.news)
	j.news = make(chan struct{})
}

func (j *Jobs) end(id string, state fleet.JobState, err error) {
	i := slices.IndexFunc(j.jobs, func(job fleet.Job) bool { return job.ID == id })
	j.jobs[i].State, j.jobs[i].UpdatedAt = state, Now.Add(time.Second)
	if err != nil {
		j.jobs[i].Error, j.jobs[i].ErrorCode, j.jobs[i].Hint = err.Error(), fleet.CodeOf(err), "look at the log"
	}
	j.add(id, fleet.JobEvent{Type: fleet.EventState, Message: string(state)})
}

// Job implements api.Jobs.
func (j *Jobs) Job(_ context.Context, id string) (fleet.Job, error) {
	if err := j.fleet.called("Job", id); err != nil {
		return fleet.Job{}, err
	}
	job, _, _, err := j.look(id)
	return job, err
}

func (j *Jobs) look(id string) (fleet.Job, []fleet.JobEvent, <-chan struct{}, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.IndexFunc(j.jobs, func(job fleet.Job) bool { return job.ID == id })
	if i < 0 {
		return fleet.Job{}, nil, nil, fleet.Errorf(fleet.NotFound, "there is no job %q", id).
			WithField("id").WithHint("see them with: lxdfleet job list")
	}
	return j.jobs[i], slices.Clone(j.events[id]), j.news, nil
}

// List implements api.Jobs.
func (j *Jobs) List(_ context.Context, f jobs.JobFilter) ([]fleet.Job, error) {
	if err := j.fleet.called("Jobs", f); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []fleet.Job
	for _, job := range slices.Backward(j.jobs) {
		if (f.Subject == "" || f.Subject == job.Subject) && (f.Subjects == nil || slices.Contains(f.Subjects, job.Subject)) && (f.Kind == "" || f.Kind == job.Kind || strings.HasSuffix(f.Kind, ".") && strings.HasPrefix(job.Kind, f.Kind)) && (f.Parent == "" || strings.HasPrefix(job.Key, f.Parent+"/")) &&
			(f.State == "" || f.State == job.State) && (len(f.States) == 0 || slices.Contains(f.States, job.State)) && (!f.Unfinished || !job.State.Finished()) &&
			(f.Before == "" || (job.ID < f.Before) != f.OldestFirst && job.ID != f.Before) {
			found = append(found, job)
		}
	}
	if f.OldestFirst {
		slices.Reverse(found)
	}
	if f.Limit > 0 {
		found = found[:min(f.Limit, len(found))]
	}
	return found, nil
}

// Facts implements api.Jobs: those of a move.
func (j *Jobs) Facts(_ context.Context, list ...fleet.Job) ([]map[string]string, error) {
	facts := make([]map[string]string, len(list))
	for i, job := range list {
		if job.Kind != migration.KindMove {
			continue
		}
		if err := json.Unmarshal(job.Args, &facts[i]); err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
		if job.State == fleet.JobDone {
			facts[i]["waited"] = "1.24s"
		}
	}
	return facts, nil
}

// Events implements api.Jobs.
func (j *Jobs) Events(_ context.Context, id string, after int64, _ int) ([]fleet.JobEvent, error) {
	_, events, _, err := j.look(id)
	return events[min(after, int64(len(events))):], err
}

// Watch implements api.Jobs.
func (j *Jobs) Watch(ctx context.Context, id string, after int64) iter.Seq2[fleet.JobEvent, error] {
	return func(yield func(fleet.JobEvent, error) bool) {
		for {
			job, events, news, err := j.look(id)
			if err != nil {
				yield(fleet.JobEvent{}, err)
				return
			}
			for ; after < int64(len(events)); after++ {
				if !yield(events[after], nil) {
					return
				}
			}
			if job.State.Finished() {
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(fleet.JobEvent{}, ctx.Err())
				return
			}
		}
	}
}

// Wait implements api.Jobs.
func (j *Jobs) Wait(ctx context.Context, id string) (fleet.Job, error) {
	for {
		job, _, news, err := j.look(id)
		if err != nil || job.State.Finished() {
			return job, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fleet.Job{}, ctx.Err()
		}
	}
}

// Cancel implements api.Jobs: the job ends at once.
func (j *Jobs) Cancel(_ context.Context, id string) (fleet.Job, error) {
	if err := j.fleet.called("Cancel", id); err != nil {
		return fleet.Job{}, err
	}
	job, _, _, err := j.look(id)
	if err != nil {
		return fleet.Job{}, err
	}
	if job.State.Finished() {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "job %s is over: %s", id, job.State).
			WithHint("there is nothing to cancel")
	}
	j.Finish(id, fleet.JobCancelled, nil)
	job, _, _, err = j.look(id)
	return job, err
}

// Retry implements api.Jobs: a stuck job is done at once.
func (j *Jobs) Retry(_ context.Context, id string) (fleet.Job, error) {
	if err := j.fleet.called("Retry", id); err != nil {
		return fleet.Job{}, err
	}
	job, _, _, err := j.look(id)
	if err != nil {
		return fleet.Job{}, err
	}
	if job.State != fleet.JobStuck {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "job %s is not stuck, it is %s", id, job.State).
			WithHint("submit a new one")
	}
	j.Finish(id, fleet.JobDone, nil)
	job, _, _, err = j.look(id)
	return job, err
}
