package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// errGone: the lease is lost. The runner writes nothing more.
var errGone = errors.New("another runner may have the job")

// refusals is how often a store may refuse a write for another reason than an outage before
// the runner gives the job back.
const refusals = 5

func (r *run) event(t fleet.JobEventType, step, message string, state []byte) fleet.JobEvent {
	return fleet.JobEvent{Type: t, Step: step, Message: message, State: state, At: r.e.opt.Clock()}
}

// write stores events in order, after whatever the step has told so far.
func (r *run) write(events ...fleet.JobEvent) error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.letGo()
	return r.append(append(r.feed.take(true), events...))
}

// hold waits for its turn to write, until letGo.
func (r *run) hold() error {
	select {
	case r.writing <- struct{}{}:
		return nil
	case <-r.lease.Done():
		return errGone
	}
}

func (r *run) letGo() { <-r.writing }

// flush stores what the running step tells, as it becomes due, until told to stop.
func (r *run) flush(stop <-chan struct{}) {
	for {
		var due <-chan time.Time
		if wait, ok := r.feed.due(); ok {
			due = time.After(wait)
		}
		select {
		case <-stop:
			return
		case <-r.lease.Done():
			return
		case <-r.feed.kick:
			continue
		case <-due:
		}
		if r.hold() != nil {
			return
		}
		err := r.append(r.feed.take(false))
		r.letGo()
		if err != nil && !errors.Is(err, errGone) {
			r.log.Warn("lost some progress or output of a job", "error", err)
		}
	}
}

func (r *run) append(events []fleet.JobEvent) error {
	if len(events) == 0 {
		return nil
	}
	for i := range events {
		events[i].JobID = r.id
	}
	var stored []fleet.JobEvent
	err := r.persist("store events", func(ctx context.Context) (err error) {
		stored, err = r.e.store.AppendEvents(ctx, r.id, r.epoch, events)
		return err
	})
	if err != nil {
		return err
	}
	r.publish(stored...)
	return nil
}

// setState moves the job to another state; why is kept in the job.
func (r *run) setState(state fleet.JobState, why failure) error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.letGo()
	if err := r.append(r.feed.take(true)); err != nil {
		return err
	}
	if state.Finished() {
		r.mu.Lock()
		r.over = true // the store ends the lease: the heartbeat may be refused from now on
		r.mu.Unlock()
	}
	change := StateChange{State: state, Error: why.message, ErrorCode: why.code, Hint: why.hint, At: r.e.opt.Clock()}
	var ev fleet.JobEvent
	err := r.persist("store the job's state", func(ctx context.Context) (err error) {
		ev, err = r.e.store.SetJobState(ctx, r.id, r.epoch, change)
		return err
	})
	if errors.Is(err, errGone) && state.Finished() {
		ev, err = r.foundEnded(state)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.job.State, r.job.UpdatedAt = state, change.At
	r.job.Error, r.job.ErrorCode, r.job.Hint = why.message, why.code, why.hint
	r.mu.Unlock()
	r.publish(ev)
	return nil
}

// foundEnded finds the event of a write that ended the job though its answer got lost: the
// store refuses its repetition. errGone: it is not there.
func (r *run) foundEnded(state fleet.JobState) (fleet.JobEvent, error) {
	ctx, cancel := context.WithTimeout(r.e.hard, r.e.opt.LeaseTTL/3)
	defer cancel()
	job, err := r.e.store.Job(ctx, r.id)
	if err != nil || job.State != state || job.LeaseEpoch != r.epoch {
		return fleet.JobEvent{}, errGone
	}
	events, err := r.e.store.JobEvents(ctx, r.id, 0, 0)
	if err != nil || len(events) == 0 {
		return fleet.JobEvent{}, errGone
	}
	return events[len(events)-1], nil
}

// publish tells everybody of stored events. The caller holds the turn to write, which keeps the order.
func (r *run) publish(events ...fleet.JobEvent) {
	job := r.snapshot()
	for _, ev := range events {
		r.e.told(job, ev)
	}
	r.e.bell.ring(r.id)
}

// persist tries a write until it succeeds or the lease is lost. A write that was stored
// though its answer got lost is done twice; readers of events do not mind.
func (r *run) persist(what string, write func(context.Context) error) error {
	var wait backoff
	for refused := 0; ; {
		err := r.lease.Err()
		if err == nil {
			err = write(r.lease)
		}
		switch {
		case err == nil:
			return nil
		case r.lease.Err() != nil:
			return errGone
		case errors.Is(err, fleet.Fenced), errors.Is(err, fleet.NotFound):
			r.lose(err)
			return errGone
		case !errors.Is(err, fleet.Unavailable):
			if refused++; refused == refusals {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		if sleep(r.lease, wait.next()) != nil {
			return errGone
		}
	}
}
