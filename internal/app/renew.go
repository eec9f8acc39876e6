package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/handover"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
)

const (
	checkTime  = 30 * time.Second // for the successor to read its configuration
	renewPause = 5 * time.Second  // between attempts to start it
)

// succession is how a process is replaced by another one without a failed request.
type succession struct {
	sockets *handover.Sockets
	ask     <-chan os.Signal
	lock    *lock         // on the data folder
	packets *packets      // nil: there is no proxy
	proxy   *proxy.Server // nil likewise
	drain   time.Duration // for what visitors have asked for
	done    *bool         // set when another process has taken over
	log     *slog.Logger
}

// wanted waits until a successor is asked for and could start, or until ctx ends.
func (s *succession) wanted(ctx context.Context) bool {
	for {
		select {
		case <-s.ask:
			err := s.check(ctx)
			if err == nil {
				return true
			}
			s.log.Error("not replaced; all goes on as before", "error", err)
		case <-ctx.Done():
			return false
		}
	}
}

// check tells whether a successor could start, before anything is stopped for it.
func (s *succession) check(ctx context.Context) error {
	s.log.Info("to be replaced by the program that is now in this one's place")
	if err := s.sockets.Alone(ctx); err != nil { // the one before may still be finishing requests
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, os.Args[0], append(os.Args[1:], "--check")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the program there does not start: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// pass gives everything over to a successor: first, by stopControl, what only one process may do,
// then, once the successor serves, the visitors. While it does not start they are served on by
// the last routes, and it is tried again until ctx ends.
func (s *succession) pass(ctx context.Context, stopControl func() error) error {
	if err := stopControl(); err != nil {
		s.log.Warn("stopped only in part; jobs go on when their leases lapse", "error", err)
	}
	s.lock.release()
	for {
		err := s.sockets.HandOver(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return stopProxy(s.proxy)
		}
		s.log.Error("the successor did not start; visitors are served on, and it is tried again",
			"error", err, "in", renewPause)
		select {
		case <-time.After(renewPause):
		case <-ctx.Done():
		}
	}
	*s.done = true
	if s.proxy == nil {
		return nil
	}
	s.log.Info("replaced; finishing what visitors have asked for", "at_most", s.drain)
	ctx, cancel := context.WithTimeout(ctx, s.drain)
	defer cancel()
	err := s.proxy.HandOver(ctx, s.packets.release)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests took longer than proxy.drain_timeout and were cut off", "error", err)
		return nil
	}
	return err
}
