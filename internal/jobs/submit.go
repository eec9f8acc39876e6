package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Request asks for a job.
type Request struct {
	Kind    string
	Subject string // what it works on, "tenant/acme"
	// Args become the job's first state: the kind's S, or anything with its JSON form. They are
	// stored and shown, so they hold names and ids, never secrets. Nil: the zero S.
	Args any
	// Key makes the request idempotent: the job that an earlier request with the same Key made
	// is returned instead of a new one. KeyHash is a hash of the whole request, so that another
	// request that reuses the key by mistake is refused.
	Key     string
	KeyHash string
	// NotBefore has the job wait in the queue; zero: it need not.
	NotBefore time.Time
}

// Submit stores a new job and has it run as soon as a worker is free. It fails with
// fleet.Busy when an unfinished job has the subject, fleet.Conflict when the key came with
// another request, fleet.Invalid when the arguments do not fit the kind, and
// fleet.Unsupported when there is no such kind.
func (e *Engine) Submit(ctx context.Context, request Request) (fleet.Job, error) {
	k := e.kinds.newest(request.Kind)
	if k == nil {
		return fleet.Job{}, fleet.Errorf(fleet.Unsupported, "there is no job kind %q", request.Kind)
	}
	if request.Subject == "" {
		return fleet.Job{}, fleet.Errorf(fleet.Invalid, "a job needs a subject").WithField("subject")
	}
	args, err := encodeArgs(k, request.Args)
	if err != nil {
		return fleet.Job{}, err
	}
	now := e.opt.Clock()
	job, existing, err := e.store.InsertJob(ctx, fleet.Job{
		ID: fleet.NewID(now), Kind: k.Name, KindVersion: k.Version,
		Subject: request.Subject, Args: args, State: fleet.JobQueued,
		Key: request.Key, KeyHash: request.KeyHash,
		CreatedAt: now, UpdatedAt: now, NotBefore: request.NotBefore,
	})
	if err != nil {
		return fleet.Job{}, fmt.Errorf("submit %s for %s: %w", request.Kind, request.Subject, err)
	}
	if !existing {
		e.opt.OnEvent(job, fleet.JobEvent{
			JobID: job.ID, Type: fleet.EventState, Message: string(fleet.JobQueued), At: now,
		})
		e.nudge()
	}
	return job, nil
}

func encodeArgs(k *kind, args any) (json.RawMessage, error) {
	if args == nil {
		return json.RawMessage("{}"), nil
	}
	encoded, err := json.Marshal(args)
	if err == nil {
		err = k.check(encoded)
	}
	if err != nil {
		return nil, fleet.Errorf(fleet.Invalid, "these are no arguments for job kind %s: %w", k.Name, err).WithField("args")
	}
	return encoded, nil
}

// Job reads a job; fleet.NotFound.
func (e *Engine) Job(ctx context.Context, id string) (fleet.Job, error) { return e.store.Job(ctx, id) }

// List reads jobs, newest first.
func (e *Engine) List(ctx context.Context, filter JobFilter) ([]fleet.Job, error) {
	return e.store.Jobs(ctx, filter)
}

// ByKey finds the job that an earlier request with this idempotency key made, so that a
// service can answer a repeat before it looks at the request: fleet.NotFound where there is none,
// fleet.Conflict where the key came with another request.
func (e *Engine) ByKey(ctx context.Context, key, hash string) (fleet.Job, error) {
	none := fleet.Errorf(fleet.NotFound, "no job has this idempotency key")
	if key == "" {
		return fleet.Job{}, none
	}
	list, err := e.store.Jobs(ctx, JobFilter{Key: key, Limit: 1})
	switch {
	case err != nil:
		return fleet.Job{}, err
	case len(list) == 0:
		return fleet.Job{}, none
	case list[0].KeyHash != hash:
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "this idempotency key came with another request before (job %s)", list[0].ID).
			WithField("idempotency_key").WithHint("use a new key for a new request")
	}
	return list[0], nil
}

// Events reads the stored events of a job with Seq > after, at most limit (0: all).
func (e *Engine) Events(ctx context.Context, id string, after int64, limit int) ([]fleet.JobEvent, error) {
	return e.store.JobEvents(ctx, id, after, limit)
}

// Retry has a stuck job go on in the direction in which it got stuck, once an operator has
// mended the cause. fleet.Conflict when the job is not stuck.
func (e *Engine) Retry(ctx context.Context, id string) (fleet.Job, error) {
	job, err := e.store.Job(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if job.State != fleet.JobStuck {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "job %s is not stuck, it is %s", id, job.State).
			WithHint("only stuck jobs can be retried; submit a new job to do the work again")
	}
	events, err := e.store.JobEvents(ctx, id, 0, 0)
	if err != nil {
		return fleet.Job{}, err
	}
	to := fleet.JobRunning
	if replay(job, events).undoing {
		to = fleet.JobUndoing
	}
	job, err = e.store.RetryJob(ctx, id, to, e.opt.Clock())
	if err != nil {
		return fleet.Job{}, err
	}
	e.mu.Lock()
	delete(e.unknown, id)
	e.mu.Unlock()
	e.bell.ring(id)
	e.nudge()
	return job, nil
}
