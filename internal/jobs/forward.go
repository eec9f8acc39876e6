package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

var errCancelled = errors.New("cancelled on request")

// forward does the steps that are not done, then ends the job; or turns back. The end of a
// step and the start of the next are one write.
func (r *run) forward(h *history) error {
	var pending []fleet.JobEvent
	for i := h.next(r.kind); i < len(r.kind.steps); i++ {
		name := r.kind.steps[i].name
		err := r.mayBegin(i)
		if err == nil {
			pending = append(pending, r.event(fleet.EventStarted, name, "", nil))
		}
		if werr := r.write(pending...); werr != nil {
			return werr
		}
		pending = nil
		if err == nil {
			h.started[name] = true
			var next json.RawMessage
			if next, err = r.attempt(i, h.state); err == nil {
				h.done[name], h.state = true, next
				pending = append(pending, r.event(fleet.EventDone, name, "", next))
				continue
			}
		}
		return r.turnOr(err, h)
	}
	if !r.commit(r.kind.steps[len(r.kind.steps)-1].name) {
		if err := r.write(pending...); err != nil {
			return err
		}
		return r.turnOr(errCancelled, h)
	}
	if err := r.write(pending...); err != nil {
		return err
	}
	return r.finish(fleet.JobDone, failure{})
}

// turnOr ends the way forward for the reason err: it unwinds the job, or hands the reason on
// where the job shall stay as it is.
func (r *run) turnOr(err error, h *history) error {
	var why failure
	broken, isBroken := errors.AsType[*stepError](err)
	switch {
	case isBroken && r.isCommitted():
		return r.finish(fleet.JobStuck, r.stuck(broken))
	case isBroken:
		why = failureOf(broken.err)
	case errors.Is(err, errCancelled):
		why = cancellation()
	default:
		return err
	}
	r.turn() // first: a cancel that comes now is told that it comes too late
	if err := r.setState(fleet.JobUndoing, why); err != nil {
		return err
	}
	return r.unwind(h, why)
}

// mayBegin says whether step i may begin. errCancelled, errStopping and errGone say why not.
func (r *run) mayBegin(i int) error {
	if i == r.kind.commit {
		// Somebody in another process may have cancelled since the last heartbeat.
		if err := r.persist("renew the lease", func(context.Context) error { return r.renew() }); err != nil {
			return err
		}
	}
	switch {
	case r.base.Err() != nil:
		return r.halted()
	case i < r.kind.commit && r.isCancelled():
		return errCancelled
	case i == r.kind.commit && !r.commit(r.kind.steps[i].name):
		return errCancelled
	}
	return nil
}

// stepError: a step, or its undo, failed as often as it may.
type stepError struct {
	what  string // which, in words
	times int
	err   error
}

func (e *stepError) Error() string { return e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// attempt does step i until it succeeds, in whatever way its place before or after the
// commit point allows.
func (r *run) attempt(i int, state json.RawMessage) (json.RawMessage, error) {
	name, ctx, limit := r.kind.steps[i].name, r.doing, 1
	if i >= r.kind.commit {
		ctx, limit = r.base, r.e.opt.ForwardAttempts
	}
	return r.insist(ctx, limit, name, "step "+name, fleet.EventStarted, func() (json.RawMessage, error) {
		return r.do(ctx, i, state)
	})
}

// insist calls act until it succeeds, the context ends or it has failed limit times. Failures
// of code fleet.Unavailable are free within the retry window. what is what failed, in words.
func (r *run) insist(
	ctx context.Context, limit int, step, what string, again fleet.JobEventType, act func() (json.RawMessage, error),
) (json.RawMessage, error) {
	var wait backoff
	var outage time.Time // when it first failed with fleet.Unavailable; it may have worked for long before
	for failed := 0; ; {
		next, err := act()
		if err == nil {
			return next, nil
		}
		switch {
		case r.base.Err() != nil:
			return nil, r.halted()
		case ctx.Err() != nil:
			return nil, errCancelled
		}
		if later, ok := errors.AsType[*laterError](err); ok {
			return nil, later
		}
		free := false
		if errors.Is(err, fleet.Unavailable) {
			if outage.IsZero() {
				outage = time.Now()
			}
			free = time.Since(outage) < r.e.opt.RetryWindow
		}
		if free {
			r.feed.addProgress(fleet.Progress{Message: fmt.Sprintf("%s; trying again", failureOf(err).message)})
		} else {
			failed++
			if werr := r.write(r.event(fleet.EventFailed, step, err.Error(), nil)); werr != nil {
				return nil, werr
			}
			if failed >= limit {
				return nil, &stepError{what, failed, err}
			}
		}
		switch err := sleep(ctx, wait.next()); {
		case r.base.Err() != nil:
			return nil, r.halted()
		case err != nil:
			return nil, errCancelled
		}
		if !free {
			if err := r.write(r.event(again, step, "", nil)); err != nil {
				return nil, err
			}
		}
	}
}

// stuck is what the job keeps when there is no way on by ourselves.
func (r *run) stuck(broken *stepError) failure {
	f := failureOf(broken.err)
	f.message = fmt.Sprintf("%s failed %d times: %s", broken.what, broken.times, f.message)
	if f.hint != "" {
		f.hint += "; then: " + retryCommand(r.id)
	} else {
		f.hint = "mend the cause, then: " + retryCommand(r.id)
	}
	return f
}

// do calls the Do of step i once, with the faults that tests want.
func (r *run) do(ctx context.Context, i int, state json.RawMessage) (json.RawMessage, error) {
	s, faults := r.kind.steps[i], r.e.opt.Faults
	job := r.snapshot()
	if faults.BeforeDo != nil {
		if err := faults.BeforeDo(job, s.name); err != nil {
			return nil, err
		}
	}
	next, err := r.call(ctx, s.name, s.do, state)
	if err == nil && faults.RepeatDo != nil && faults.RepeatDo(job, s.name) {
		next, err = r.call(ctx, s.name, s.do, state)
	}
	if err == nil && faults.AfterDo != nil {
		err = faults.AfterDo(job, s.name)
	}
	return next, err
}

// call runs an action. A panic in it is a failure of code fleet.Internal.
func (r *run) call(ctx context.Context, name string, act action, state json.RawMessage) (next json.RawMessage, err error) {
	run := &Run{JobID: r.id, Subject: r.job.Subject}
	defer r.feed.open(name, run)()
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("a step of a job panicked", "step", name, "panic", p, "stack", string(debug.Stack()))
			next, err = nil, fleet.Errorf(fleet.Internal, "step %s panicked: %v", name, p).
				WithHint("this is a defect in lxdfleet; its log has the details")
		}
	}()
	return act(ctx, run, state)
}
