package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// StreamJobEvents sends a job's events until it is finished.
func (s *Server) StreamJobEvents(ctx context.Context, r StreamJobEventsRequestObject) (StreamJobEventsResponseObject, error) {
	after := r.Params.After
	if last := r.Params.LastEventID; last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return nil, fleet.Errorf(fleet.Invalid, "%q is not an event's number", last).WithField("Last-Event-ID").
				WithHint("give the id of the last event of this stream")
		}
		after = n
	}
	if _, err := s.Jobs.Job(ctx, r.Id); err != nil {
		return nil, err
	}
	return stream(func(w http.ResponseWriter) error {
		ctx, done := s.untilShutdown(ctx)
		defer done()
		out, err := newEventWriter(w)
		if err != nil {
			return nil //nolint:nilerr // the client has left
		}
		s.copyJob(ctx, out, r.Id, after)
		return nil
	}), nil
}

type watched struct {
	event fleet.JobEvent
	err   error
}

// copyJob writes the job's events as they come, and at its end the job.
func (s *Server) copyJob(ctx context.Context, out *eventWriter, id string, after int64) {
	ctx, cancel := context.WithCancel(ctx)
	news := make(chan watched)
	defer func() {
		cancel()
		for range news { // until the watcher has ended
			continue
		}
	}()
	go func() {
		defer close(news)
		for event, err := range s.Jobs.Watch(ctx, id, after) {
			select {
			case news <- watched{event, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	alive := time.NewTicker(s.KeepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-alive.C:
			err = out.keepAlive()
		case n, open := <-news:
			switch {
			case !open:
				s.endJob(ctx, out, id)
				return
			case ctx.Err() != nil:
				return // the client, or this server, is going
			case n.err != nil:
				_ = out.event("", "error", problemOf(n.err)) // the stream ends either way
				return
			}
			err = out.event(strconv.FormatInt(n.event.Seq, 10), string(n.event.Type), jobEventOut(n.event))
		}
		if err != nil {
			return // the client has left
		}
	}
}

func (s *Server) endJob(ctx context.Context, out *eventWriter, id string) {
	if ctx.Err() != nil {
		return
	}
	job, err := s.Jobs.Job(ctx, id)
	if err != nil {
		_ = out.event("", "error", problemOf(err))
		return
	}
	_ = out.event("", "end", s.ended(ctx, job))
}
