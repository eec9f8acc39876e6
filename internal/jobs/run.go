package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// run is one runner's hold on one job, from claim to end.
type run struct {
	e      *Engine
	kind   *kind // nil: not known here
	id     string
	epoch  int64
	log    *slog.Logger
	feed   *feed
	before *run          // an earlier run of this job here that may not have ended
	ended  chan struct{} // closed when this one has

	// lease ends when the job may be another's: nothing is written after that. base, for
	// steps and undos, ends then and when the engine stops. doing, for steps before the commit
	// point, ends then and when the job is cancelled.
	lease    context.Context
	endLease context.CancelFunc
	base     context.Context
	endBase  context.CancelCauseFunc
	doing    context.Context
	endDoing context.CancelCauseFunc

	writing chan struct{} // held over a write and what is told of it: events are told in order

	mu        sync.Mutex
	job       fleet.Job
	until     time.Time // end of the lease
	over      bool      // finished, or the lease is lost
	cancelled bool      // the job shall be undone on request
	committed string    // the step from which it only goes forward, once begun
	undoing   bool
}

func newRun(e *Engine, job fleet.Job, until time.Time) *run {
	r := &run{
		e: e, kind: e.kinds.exact(job.Kind, job.KindVersion),
		id: job.ID, epoch: job.LeaseEpoch, job: job, until: until,
		log:   e.opt.Logger.With("job", job.ID, "kind", job.Kind, "subject", job.Subject),
		feed:  newFeed(e.opt.Clock),
		ended: make(chan struct{}), writing: make(chan struct{}, 1),
	}
	r.lease, r.endLease = context.WithCancel(e.hard)
	r.base, r.endBase = context.WithCancelCause(e.soft)
	r.doing, r.endDoing = context.WithCancelCause(r.base)
	return r
}

// main runs the job until it is finished, the engine stops or the lease is lost.
func (r *run) main() {
	defer close(r.ended)
	defer r.e.leave(r)
	defer r.endLease()
	defer r.endBase(nil)
	defer r.endDoing(nil)
	endFlush := aide(r.flush)
	endHeartbeat := aide(r.heartbeat)
	err := r.waitForEarlier()
	if err == nil {
		err = r.work()
	}
	endFlush() // may wait for the store, for as long as the heartbeat keeps the lease
	endHeartbeat()
	later, isLater := errors.AsType[*laterError](err)
	switch {
	case err == nil, errors.Is(err, errGone):
	case errors.Is(err, errStopping):
		r.release(r.e.opt.Clock())
	case isLater:
		r.release(later.at)
	case errors.Is(err, errNotHere):
		r.release(r.e.opt.Clock().Add(r.e.opt.LeaseTTL))
	default:
		r.log.Error("cannot go on with a job, will try again in a minute", "error", err)
		r.release(r.e.opt.Clock().Add(time.Minute))
	}
}

// aide runs f beside the job, until the function it gives is called, which waits for its end.
func aide(f func(stop <-chan struct{})) (end func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { f(stop) })
	return func() {
		close(stop)
		wg.Wait()
	}
}

// waitForEarlier keeps two runners of one process from doing one step at once: a runner that
// lost its lease is still here while a step of it does not heed its context.
func (r *run) waitForEarlier() error {
	for b := r.before; b != nil; b = b.before {
		select {
		case <-b.ended:
		case <-r.base.Done():
			return r.halted()
		}
	}
	return nil
}

// work does what is left to do.
func (r *run) work() error {
	if r.kind == nil {
		return r.refuse()
	}
	h, err := r.readHistory()
	if err != nil {
		return err
	}
	r.feed.total = h.output
	r.mu.Lock()
	job := r.job
	r.undoing = job.State == fleet.JobUndoing
	r.committed = h.committed(r.kind)
	r.mu.Unlock()
	if job.Cancel {
		_ = r.cancel() // past the commit point nothing follows from it
	}
	if job.State == fleet.JobUndoing {
		why := original(job, h)
		if h.last != fleet.JobUndoing { // an operator retried it
			if err := r.setState(fleet.JobUndoing, why); err != nil {
				return err
			}
		}
		return r.unwind(h, why)
	}
	if len(h.started) == 0 && r.isCancelled() {
		return r.finish(fleet.JobCancelled, cancellation())
	}
	if h.last != fleet.JobRunning {
		if err := r.setState(fleet.JobRunning, failure{}); err != nil {
			return err
		}
	}
	return r.forward(h)
}

func (r *run) readHistory() (*history, error) {
	job := r.snapshot()
	if r.epoch == 1 && job.State == fleet.JobQueued {
		return replay(job, nil), nil // nobody had it before, so there are no events
	}
	var events []fleet.JobEvent
	err := r.persist("read events", func(ctx context.Context) (err error) {
		events, err = r.e.store.JobEvents(ctx, r.id, 0, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return replay(job, events), nil
}

// errNotHere: the job's kind is not known here, perhaps elsewhere.
var errNotHere = errors.New("the kind of this job is not known here")

// refuse leaves a job whose kind or version is not here to others for a while, such as a
// newer daemon during an upgrade, and then has an operator look at it.
func (r *run) refuse() error {
	now := r.e.opt.Clock()
	r.e.mu.Lock()
	since, seen := r.e.unknown[r.id]
	if !seen {
		since = now
		r.e.unknown[r.id] = now
	}
	r.e.mu.Unlock()
	what := fmt.Sprintf("this daemon does not know job kind %s version %d", r.job.Kind, r.job.KindVersion)
	if now.Sub(since) < r.e.opt.UnknownGrace {
		if !seen {
			r.log.Warn(what + "; leaving the job to another")
		}
		return errNotHere
	}
	r.e.mu.Lock()
	delete(r.e.unknown, r.id)
	r.e.mu.Unlock()
	stuck := failure{
		message: what, code: fleet.Unsupported,
		hint: "start a daemon of the version that made the job, then: " + retryCommand(r.id),
	}
	if job := r.snapshot(); job.State == fleet.JobUndoing {
		stuck = whileUndone(stuck, failure{message: job.Error, code: job.ErrorCode})
	}
	return r.finish(fleet.JobStuck, stuck)
}

// finish ends the job, in any of the finished states.
func (r *run) finish(state fleet.JobState, why failure) error {
	if err := r.setState(state, why); err != nil {
		return err
	}
	switch state {
	case fleet.JobStuck:
		r.log.Error("job is stuck and needs an operator", "error", why.message, "hint", why.hint)
	case fleet.JobUndone:
		r.log.Warn("job failed and was undone", "error", why.message)
	default:
		r.log.Info("job ended", "state", state)
	}
	return nil
}

// halted says why base has ended.
func (r *run) halted() error {
	if r.lease.Err() != nil {
		return errGone
	}
	return errStopping
}

// cancel has the job undone, or says why it is too late for that.
func (r *run) cancel() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cancelled:
		return nil
	case r.committed != "":
		return pastCommit(r.id, r.committed)
	case r.undoing:
		return alreadyUndoing(r.id)
	}
	r.cancelled, r.job.Cancel = true, true
	r.endDoing(fleet.Errorf(fleet.Cancelled, "cancelled on request"))
	return nil
}

func (r *run) isCancelled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cancelled
}

// commit passes the commit point, unless somebody cancelled before: exactly one of commit
// and cancel succeeds.
func (r *run) commit(step string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancelled {
		return false
	}
	r.committed = cmp.Or(r.committed, step)
	return true
}

func (r *run) isCommitted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.committed != ""
}

// turn begins the way back, unless it has begun.
func (r *run) turn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undoing = true
}

func (r *run) snapshot() fleet.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.job
}
