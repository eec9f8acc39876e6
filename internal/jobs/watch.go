package jobs

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const watchPage = 500 // events read at once

// Wait returns the job once it is finished (done, undone, cancelled or stuck), whichever
// process runs it. While the store does not answer it keeps waiting. It fails with
// fleet.NotFound, or the context's error.
func (e *Engine) Wait(ctx context.Context, id string) (fleet.Job, error) {
	news, end := e.bell.listen(id)
	defer end()
	for {
		job, err := e.store.Job(ctx, id)
		switch {
		case err == nil && job.State.Finished():
			return job, nil
		case err != nil && !mayPass(ctx, err):
			return fleet.Job{}, cmp.Or(ctx.Err(), err)
		}
		if err := e.await(ctx, news); err != nil {
			return fleet.Job{}, err
		}
	}
}

// Watch gives the stored events with Seq > after and then each new one, in order and without
// gaps, until the job is finished; also for a job that runs in another process, with a delay
// of up to PollInterval. While the store does not answer it keeps waiting. An error ends it:
// fleet.NotFound, or the context's.
func (e *Engine) Watch(ctx context.Context, id string, after int64) iter.Seq2[fleet.JobEvent, error] {
	return func(yield func(fleet.JobEvent, error) bool) {
		news, end := e.bell.listen(id)
		defer end()
		for {
			// The job first: when it was finished before the events were read, they are all.
			job, err := e.store.Job(ctx, id)
			var events []fleet.JobEvent
			if err == nil {
				events, err = e.store.JobEvents(ctx, id, after, watchPage)
			}
			if err != nil && !mayPass(ctx, err) {
				yield(fleet.JobEvent{}, cmp.Or(ctx.Err(), err))
				return
			}
			for _, ev := range events {
				after = ev.Seq
				if !yield(ev, nil) {
					return
				}
			}
			switch {
			case len(events) == watchPage:
				continue
			case err == nil && job.State.Finished():
				return
			}
			if err := e.await(ctx, news); err != nil {
				yield(fleet.JobEvent{}, err)
				return
			}
		}
	}
}

func mayPass(ctx context.Context, err error) bool {
	return ctx.Err() == nil && errors.Is(err, fleet.Unavailable)
}

func (e *Engine) await(ctx context.Context, news <-chan struct{}) error {
	timer := time.NewTimer(e.opt.PollInterval)
	defer timer.Stop()
	select {
	case <-news:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
