package jobs

import (
	"context"
	"errors"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Cancel asks a job to stop and undo what it did. It returns as soon as the request is
// stored; the job ends as cancelled once it is undone. A job that no runner has begun is
// cancelled at once. Asking again is fine. fleet.Conflict when the job is finished, has
// passed its commit point or is being undone because of a failure.
//
// The last word is the runner's: when the job runs in another process, a request that comes
// in the moment in which the job passes its commit point may be accepted and yet come too
// late; the job then ends as done.
func (e *Engine) Cancel(ctx context.Context, id string) (fleet.Job, error) {
	job, err := e.store.Job(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if job.State == fleet.JobUndoing && heeded(job) {
		return job, nil
	}
	if err := e.mayCancel(ctx, job); err != nil {
		return fleet.Job{}, err
	}
	if job, err = e.store.RequestCancel(ctx, id, e.opt.Clock()); err != nil {
		return fleet.Job{}, err
	}
	r, err := e.local(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	switch {
	case r != nil:
		return job, r.cancel()
	case job.State == fleet.JobQueued && !job.LeaseUntil.After(e.opt.Clock()):
		return e.cancelQueued(ctx, job)
	}
	e.nudge() // nobody may run it just now
	// It may have moved on before the request, here or elsewhere.
	if job, err = e.store.Job(ctx, id); err != nil || heeded(job) {
		return job, err
	}
	return job, e.mayCancel(ctx, job)
}

// heeded says whether a request to cancel the job has had its effect, or is having it.
func heeded(job fleet.Job) bool {
	turned := job.State == fleet.JobUndoing || job.State == fleet.JobCancelled
	return turned && job.Cancel && job.ErrorCode == fleet.Cancelled
}

// mayCancel says why a job cannot be cancelled, from what is stored about it.
func (e *Engine) mayCancel(ctx context.Context, job fleet.Job) error {
	switch {
	case job.State == fleet.JobStuck:
		return fleet.Errorf(fleet.Conflict, "job %s is stuck and cannot be cancelled", job.ID).
			WithHint("mend the cause and retry it: %s", retryCommand(job.ID))
	case job.State.Finished():
		return fleet.Errorf(fleet.Conflict, "job %s has already ended: %s", job.ID, job.State)
	case job.State == fleet.JobUndoing:
		return alreadyUndoing(job.ID)
	}
	k := e.kinds.exact(job.Kind, job.KindVersion)
	if k == nil || job.State == fleet.JobQueued {
		return nil
	}
	events, err := e.store.JobEvents(ctx, job.ID, 0, 0)
	if err != nil {
		return err
	}
	if step := replay(job, events).committed(k); step != "" {
		return pastCommit(job.ID, step)
	}
	return nil
}

func pastCommit(id, step string) error {
	return fleet.Errorf(fleet.Conflict, "job %s has passed its commit point, step %q: it only goes forward now", id, step).
		WithHint("wait for it to end, then take back what it did")
}

func alreadyUndoing(id string) error {
	return fleet.Errorf(fleet.Conflict, "job %s has failed and is being undone already", id)
}

// cancelQueued ends a job that nobody runs. A runner that claims it in this moment makes the
// write fail, and finds the request by itself.
func (e *Engine) cancelQueued(ctx context.Context, job fleet.Job) (fleet.Job, error) {
	why := cancellation()
	ev, err := e.store.SetJobState(ctx, job.ID, job.LeaseEpoch, StateChange{
		State: fleet.JobCancelled, Error: why.message, ErrorCode: why.code, At: e.opt.Clock(),
	})
	if errors.Is(err, fleet.Fenced) {
		return job, nil
	}
	if err != nil {
		return fleet.Job{}, err
	}
	if job, err = e.store.Job(ctx, job.ID); err != nil {
		return fleet.Job{}, err
	}
	e.told(job, ev)
	e.bell.ring(job.ID)
	return job, nil
}

func retryCommand(id string) string { return "lxdfleet job retry " + id }
