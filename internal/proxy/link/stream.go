package link

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// stream is one connection of a follower.
type stream struct {
	follower *Follower
	watch    *time.Timer // ends the stream when the controller is silent
	open     atomic.Bool // the controller has answered
	worked   bool        // a snapshot was put to use
	at       int64       // generation that is in use
	drains   chan up     // answers to be sent
	work     sync.WaitGroup

	mu   sync.Mutex // one message at a time
	pipe *io.PipeWriter
}

func (s *stream) say(m up) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.pipe.Write(line)
	return err
}

// goodbye says that the proxy stops, so that nobody waits for it, and gives the controller a
// moment to end the stream.
func (s *stream) goodbye(cancel context.CancelCauseFunc) {
	if !s.open.Load() {
		cancel(context.Canceled)
		return
	}
	time.AfterFunc(time.Second, func() { cancel(context.Canceled) })
	_ = s.say(up{Bye: true})
}

// talk sends what does not answer the controller's messages, until ctx ends.
func (s *stream) talk(ctx context.Context) {
	hour := time.NewTicker(time.Hour)
	defer hour.Stop()
	defer s.pipe.Close()
	for {
		var m up
		select {
		case <-ctx.Done():
			return
		case m.Observe = <-s.follower.observe:
		case m = <-s.drains:
		case <-hour.C:
			if _, err := s.follower.cfg.Client.renew(ctx); err != nil {
				s.follower.log.Warn("the certificate of this proxy is not renewed yet", "error", err)
			}
			continue
		}
		if s.say(m) != nil {
			return // the request has ended
		}
	}
}

// listen takes messages until one cannot be taken.
func (s *stream) listen(ctx context.Context, in lines) error {
	var part *down
	for {
		var m down
		if err := in.next(&m); err != nil {
			return err
		}
		s.watch.Reset(s.follower.cfg.Lease)
		var err error
		switch m.Kind {
		case kindSnapshot, kindChange:
			if part, err = gather(part, m); err == nil && !part.More {
				err = s.take(ctx, *part)
				part = nil
			}
		case kindBeat:
			err = s.beat(m)
		case kindDrain:
			s.drain(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// take puts a snapshot or change to use, and confirms it.
func (s *stream) take(ctx context.Context, d down) error {
	if d.Kind == kindChange && (!s.worked || d.Generation != s.at+1) {
		return fmt.Errorf("generation %d follows %d: %w", d.Generation, s.at, errSequence)
	}
	if err := s.follower.take(ctx, d); err != nil {
		return err
	}
	if !s.worked {
		s.worked = true
		s.follower.cfg.Client.rest.outcome(nil) // it is back
		s.follower.log.Info("the controller is connected", "controller", s.follower.cfg.Client.Controller(), "generation", d.Generation)
	}
	s.at = d.Generation
	return s.say(up{Seen: s.at})
}

// beat answers a sign of life.
func (s *stream) beat(m down) error {
	if m.Generation != s.at {
		return fmt.Errorf("the controller has sent generation %d, here is %d: %w", m.Generation, s.at, errSequence)
	}
	return s.say(up{Seen: s.at})
}

// drain answers once none of the tenant's requests is with its backend.
func (s *stream) drain(ctx context.Context, m down) {
	s.work.Go(func() {
		if s.follower.cfg.Router.Drain(ctx, m.Tenant) != nil {
			return // the stream has ended
		}
		select {
		case s.drains <- up{Drained: m.Drain}:
		case <-ctx.Done():
		}
	})
}
