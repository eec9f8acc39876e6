package proxy

import (
	"context"
	"log/slog"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// saver writes the newest table to a file, apart from who publishes it: a disk may be slow.
type saver struct {
	path string // empty: nothing is saved
	log  *slog.Logger
	next chan *Table

	mu    sync.Mutex
	last  *Table        // that was offered; nil: none yet
	saved int64         // generation of the last table that was tried
	err   error         // what came of it
	tried chan struct{} // closed at the next try
}

// newSaver makes the saver of a file that has the generation.
func newSaver(path string, generation int64, log *slog.Logger) *saver {
	return &saver{path: path, log: log, next: make(chan *Table, 1), saved: generation, tried: make(chan struct{})}
}

// offer has t written soon. It never blocks; a table that was not written yet is dropped for it.
func (s *saver) offer(t *Table) {
	if s.path == "" {
		return
	}
	s.mu.Lock()
	s.last = t
	s.mu.Unlock()
	for {
		select {
		case s.next <- t:
			return
		case <-s.next:
		}
	}
}

// run writes what is offered, until ctx ends; then the last table that is not written yet.
func (s *saver) run(ctx context.Context) {
	for {
		select {
		case t := <-s.next:
			s.write(t)
		case <-ctx.Done():
			select {
			case t := <-s.next:
				s.write(t)
			default:
			}
			return
		}
	}
}

func (s *saver) write(t *Table) {
	err := SaveTable(s.path, t)
	if err != nil {
		s.log.Warn("routes are not saved; a restart would begin with older ones", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved, s.err = t.generation, err
	close(s.tried)
	s.tried = make(chan struct{})
}

// again has the last table written once more, after it could not be.
func (s *saver) again() {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	select {
	case s.next <- last:
	default: // a newer one is about to be written
	}
}

// wait returns when the generation, or a later one, is in the file; one that could not be written is
// tried once more. The error is of code Unavailable when that fails, or ctx ends first.
func (s *saver) wait(ctx context.Context, generation int64) error {
	if s.path == "" {
		return nil
	}
	for repeated := false; ; {
		s.mu.Lock()
		saved, err, tried := s.saved, s.err, s.tried
		s.mu.Unlock()
		switch {
		case saved >= generation && err == nil:
			return nil
		case saved >= generation && repeated:
			return fleet.Errorf(fleet.Unavailable, "the proxy would forget it in a restart: %w", err).
				WithHint("make room on the disk, or mend it, then say it again")
		case saved >= generation: // perhaps there is room now
			repeated = true
			s.again()
		}
		select {
		case <-tried:
		case <-ctx.Done():
			return fleet.Errorf(fleet.Unavailable, "routes are not saved yet: %w", context.Cause(ctx))
		}
	}
}
