package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// StreamEvents sends the fleet's news until the client leaves.
func (s *Server) StreamEvents(ctx context.Context, r StreamEventsRequestObject) (StreamEventsResponseObject, error) {
	ctx, done := s.untilShutdown(ctx)
	sub := s.Feed.Subscribe(r.Params.LastEventID, s.EventBuffer)
	caller := callerOf(ctx)
	wanted := func(e fleet.Event) bool {
		return seesEvent(caller, e) && (r.Params.Subject == "" || e.Subject == r.Params.Subject) && matchesType(r.Params.Type, e.Type)
	}
	return stream(func(w http.ResponseWriter) error {
		defer done()
		defer sub.Close()
		out, err := newEventWriter(w)
		if err != nil {
			return nil //nolint:nilerr // the client has left
		}
		if sub.Gap && s.resync(out) != nil {
			return nil
		}
		s.copyEvents(ctx, out, sub, wanted)
		return nil
	}), nil
}

// copyEvents writes wanted events until ctx ends, the client leaves or falls too far behind.
func (s *Server) copyEvents(ctx context.Context, out *eventWriter, sub *Subscription, wanted func(fleet.Event) bool) {
	alive := time.NewTicker(s.KeepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-alive.C:
			err = out.keepAlive()
		case e, open := <-sub.Events():
			if !open {
				if sub.Lost() {
					_ = s.resync(out) // the stream ends either way
				}
				return
			}
			if wanted(*e) {
				err = out.event(e.ID, e.Type, Event{Id: e.ID, Type: e.Type, Subject: e.Subject, Data: eventData(*e), At: e.At})
			}
		}
		if err != nil {
			return // the client has left
		}
	}
}

// seesEvent reports whether a caller may be told of an event.
func seesEvent(caller fleet.Caller, e fleet.Event) bool {
	return !caller.Bound() || e.About() != "" && caller.Sees(e.About())
}

// eventData is what an event carries, as the API shows it: a step's output is for the job only.
func eventData(e fleet.Event) any {
	if event, ok := e.Data.(fleet.JobEvent); ok {
		return jobEventOut(event)
	}
	return e.Data
}

// resync tells the client that it lost events.
func (s *Server) resync(out *eventWriter) error {
	return out.event("", "resync", Event{Type: "resync", At: s.Now()})
}

func matchesType(wanted []string, t string) bool {
	if len(wanted) == 0 {
		return true
	}
	for _, w := range wanted {
		if w == t || strings.HasSuffix(w, ".") && strings.HasPrefix(t, w) {
			return true
		}
	}
	return false
}
