package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// errCut: the stream ended before the job did.
var errCut = errors.New("the daemon closed the stream")

// Follow calls each with every event of a job, from the first to the last, and gives the job
// once it is finished. A daemon that goes away (a restart, an upgrade) is looked for again for
// the daemon's Patience; no event is missed or repeated.
func (d *Daemon) Follow(ctx context.Context, id string, each func(JobEvent)) (Job, error) {
	var last int64
	tried, wait := time.Now(), 100*time.Millisecond
	for {
		before := last
		job, err := d.followOnce(ctx, id, &last, each)
		switch {
		case err == nil || ctx.Err() != nil:
			return job, errors.Join(ctx.Err(), err)
		case !errors.Is(err, errCut) && !errors.Is(err, ErrUnreachable):
			return job, err
		case last > before:
			tried, wait = time.Now(), 100*time.Millisecond
		case time.Since(tried) > d.Patience:
			return job, err
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, 2*time.Second)
		case <-ctx.Done():
			return Job{}, ctx.Err()
		}
	}
}

func (d *Daemon) followOnce(ctx context.Context, id string, last *int64, each func(JobEvent)) (Job, error) {
	body, err := Open(d.StreamJobEvents(ctx, id, &StreamJobEventsParams{After: *last}))
	if err != nil {
		return Job{}, err
	}
	defer body.Close()
	for m, err := range Messages(body) {
		if err != nil {
			return Job{}, fmt.Errorf("%w: %w", errCut, err)
		}
		switch m.Name {
		case "end":
			return parse[Job](m)
		case "error":
			p, err := parse[Problem](m)
			return Job{}, errors.Join(p.err(), err)
		}
		e, err := parse[JobEvent](m)
		if err != nil {
			return Job{}, err
		}
		*last = e.Seq
		each(e)
	}
	return Job{}, errCut
}

func parse[T any](m Message) (T, error) {
	var v T
	if err := json.Unmarshal([]byte(m.Data), &v); err != nil {
		return v, fmt.Errorf("read event %s: %w", m.Name, err)
	}
	return v, nil
}
