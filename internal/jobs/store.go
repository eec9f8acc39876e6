package jobs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Store keeps jobs and their events. Every write that belongs to a running job names the
// lease epoch it was made under and fails with fleet.Fenced when another runner has taken
// the job since. Methods fail with fleet.Unavailable when the database does not answer.
type Store interface {
	// InsertJob stores a new job in state queued. It fails with fleet.Busy (the message names
	// the other job's id and kind) when an unfinished job has the same subject; a stuck job
	// counts as unfinished. When job.Key is not empty and a job with that key exists, that job
	// is returned instead, with existing true; fleet.Conflict when its KeyHash differs.
	InsertJob(ctx context.Context, job fleet.Job) (stored fleet.Job, existing bool, err error)
	// Job fails with fleet.NotFound.
	Job(ctx context.Context, id string) (fleet.Job, error)
	// Jobs lists jobs, newest first.
	Jobs(ctx context.Context, filter JobFilter) ([]fleet.Job, error)
	// ClaimJob gives the oldest job that is queued, running or undoing, whose lease has ended
	// at now and whose NotBefore has come, with the lease set to owner until the given time and
	// its epoch grown by one; ok is false where there is none. Two callers never get one job.
	ClaimJob(ctx context.Context, owner string, now, until time.Time) (job fleet.Job, ok bool, err error)
	// RenewLease sets the end of the lease. The returned cancel tells whether somebody asked
	// the job to stop.
	RenewLease(ctx context.Context, id string, epoch int64, until time.Time) (cancel bool, err error)
	// AppendEvents stores events in order, giving each the next Seq, and returns them so.
	AppendEvents(ctx context.Context, id string, epoch int64, events []fleet.JobEvent) ([]fleet.JobEvent, error)
	// SetJobState moves the job to another state, appends an event of type EventState for it in
	// the same transaction, and frees its subject when the state is done, undone or cancelled.
	// A finished state ends the lease.
	SetJobState(ctx context.Context, id string, epoch int64, change StateChange) (fleet.JobEvent, error)
	// JobEvents lists events with Seq > after, in order, at most limit (0: all).
	JobEvents(ctx context.Context, id string, after int64, limit int) ([]fleet.JobEvent, error)
	// LastStates gives, of each of the jobs that has any, the state that its last event of type
	// EventDone or EventUndone stored.
	LastStates(ctx context.Context, ids []string) (map[string]json.RawMessage, error)
	// RequestCancel marks the job, and has one that has begun be claimable at once; fleet.Conflict
	// when it is finished.
	RequestCancel(ctx context.Context, id string, now time.Time) (fleet.Job, error)
	// RetryJob puts a stuck job back to the state given (running or undoing), claimable at once;
	// fleet.Conflict when it is not stuck.
	RetryJob(ctx context.Context, id string, to fleet.JobState, now time.Time) (fleet.Job, error)
	// ReleaseJob ends the lease without changing the state (a runner that shuts down);
	// notBefore may delay the next claim.
	ReleaseJob(ctx context.Context, id string, epoch int64, notBefore time.Time) error
	// ReleaseOwner ends all leases of an owner and says how many there were. Only for an owner
	// that is known to be dead: see Options.Exclusive.
	ReleaseOwner(ctx context.Context, owner string) (int, error)
	// DeleteJobs removes finished jobs (not stuck ones), with their events, that were last
	// updated before the given time, and says how many.
	DeleteJobs(ctx context.Context, before time.Time) (int, error)
}

// StateChange is a job's move to another state.
type StateChange struct {
	State     fleet.JobState
	Error     string
	ErrorCode fleet.Code
	Hint      string
	At        time.Time
}

// JobFilter narrows a list of jobs; zero fields do not.
type JobFilter struct {
	Subject    string
	Subjects   []string // any of these; nil: all
	Kind       string   // one that ends in a dot is the beginning of kinds
	State      fleet.JobState
	States     []fleet.JobState // any of these; none: all
	Key        string           // idempotency key
	Parent     string           // only jobs that this one has submitted: their keys begin with its id and "/"
	Unfinished bool             // only queued, running, undoing, stuck
	// OldestFirst: the list begins with the oldest job, not with the newest.
	OldestFirst bool
	Before      string // only jobs that follow this id in the list (paging)
	Limit       int    // 0: 100
}
