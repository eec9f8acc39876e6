package jobstest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Intercept is a jobs.Store in front of another one, for outages, crashes and counting. The
// hooks get the name of the method; nil hooks do nothing.
type Intercept struct {
	Store jobs.Store
	// Before is called first; its error is returned instead of a call.
	Before func(ctx context.Context, method string) error
	// After is called after a call that succeeded; its error hides the success, as when an
	// answer is lost.
	After func(ctx context.Context, method string) error
}

var _ jobs.Store = (*Intercept)(nil)

// Outage is an error as of a store that does not answer.
func Outage() error { return fleet.Errorf(fleet.Unavailable, "the database does not answer") }

func through[T any](ctx context.Context, i *Intercept, method string, call func() (T, error)) (T, error) {
	var zero T
	if i.Before != nil {
		if err := i.Before(ctx, method); err != nil {
			return zero, err
		}
	}
	got, err := call()
	if err == nil && i.After != nil {
		if err := i.After(ctx, method); err != nil {
			return zero, err
		}
	}
	return got, err
}

type flagged struct {
	job fleet.Job
	yes bool
}

// InsertJob implements jobs.Store.
func (i *Intercept) InsertJob(ctx context.Context, job fleet.Job) (fleet.Job, bool, error) {
	got, err := through(ctx, i, "InsertJob", func() (f flagged, err error) {
		f.job, f.yes, err = i.Store.InsertJob(ctx, job)
		return f, err
	})
	return got.job, got.yes, err
}

// Job implements jobs.Store.
func (i *Intercept) Job(ctx context.Context, id string) (fleet.Job, error) {
	return through(ctx, i, "Job", func() (fleet.Job, error) { return i.Store.Job(ctx, id) })
}

// Jobs implements jobs.Store.
func (i *Intercept) Jobs(ctx context.Context, filter jobs.JobFilter) ([]fleet.Job, error) {
	return through(ctx, i, "Jobs", func() ([]fleet.Job, error) { return i.Store.Jobs(ctx, filter) })
}

// ClaimJob implements jobs.Store.
func (i *Intercept) ClaimJob(ctx context.Context, owner string, now, until time.Time) (fleet.Job, bool, error) {
	got, err := through(ctx, i, "ClaimJob", func() (f flagged, err error) {
		f.job, f.yes, err = i.Store.ClaimJob(ctx, owner, now, until)
		return f, err
	})
	return got.job, got.yes, err
}

// RenewLease implements jobs.Store.
func (i *Intercept) RenewLease(ctx context.Context, id string, epoch int64, until time.Time) (bool, error) {
	return through(ctx, i, "RenewLease", func() (bool, error) { return i.Store.RenewLease(ctx, id, epoch, until) })
}

// AppendEvents implements jobs.Store.
func (i *Intercept) AppendEvents(ctx context.Context, id string, epoch int64, events []fleet.JobEvent) ([]fleet.JobEvent, error) {
	return through(ctx, i, "AppendEvents", func() ([]fleet.JobEvent, error) {
		return i.Store.AppendEvents(ctx, id, epoch, events)
	})
}

// SetJobState implements jobs.Store.
func (i *Intercept) SetJobState(ctx context.Context, id string, epoch int64, change jobs.StateChange) (fleet.JobEvent, error) {
	return through(ctx, i, "SetJobState", func() (fleet.JobEvent, error) {
		return i.Store.SetJobState(ctx, id, epoch, change)
	})
}

// JobEvents implements jobs.Store.
func (i *Intercept) JobEvents(ctx context.Context, id string, after int64, limit int) ([]fleet.JobEvent, error) {
	return through(ctx, i, "JobEvents", func() ([]fleet.JobEvent, error) {
		return i.Store.JobEvents(ctx, id, after, limit)
	})
}

// LastStates implements jobs.Store.
func (i *Intercept) LastStates(ctx context.Context, ids []string) (map[string]json.RawMessage, error) {
	return through(ctx, i, "LastStates", func() (map[string]json.RawMessage, error) { return i.Store.LastStates(ctx, ids) })
}

// RequestCancel implements jobs.Store.
func (i *Intercept) RequestCancel(ctx context.Context, id string, now time.Time) (fleet.Job, error) {
	return through(ctx, i, "RequestCancel", func() (fleet.Job, error) { return i.Store.RequestCancel(ctx, id, now) })
}

// RetryJob implements jobs.Store.
func (i *Intercept) RetryJob(ctx context.Context, id string, to fleet.JobState, now time.Time) (fleet.Job, error) {
	return through(ctx, i, "RetryJob", func() (fleet.Job, error) { return i.Store.RetryJob(ctx, id, to, now) })
}

// ReleaseJob implements jobs.Store.
func (i *Intercept) ReleaseJob(ctx context.Context, id string, epoch int64, notBefore time.Time) error {
	_, err := through(ctx, i, "ReleaseJob", func() (struct{}, error) {
		return struct{}{}, i.Store.ReleaseJob(ctx, id, epoch, notBefore)
	})
	return err
}

// ReleaseOwner implements jobs.Store.
func (i *Intercept) ReleaseOwner(ctx context.Context, owner string) (int, error) {
	return through(ctx, i, "ReleaseOwner", func() (int, error) { return i.Store.ReleaseOwner(ctx, owner) })
}

// DeleteJobs implements jobs.Store.
func (i *Intercept) DeleteJobs(ctx context.Context, before time.Time) (int, error) {
	return through(ctx, i, "DeleteJobs", func() (int, error) { return i.Store.DeleteJobs(ctx, before) })
}
