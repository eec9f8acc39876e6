package repository

import (
	"context"
	"sync"
	"time"

	"github.com/kopia/kopia/repo"
)

// readingIdle is how long what reads need is kept when none is under way.
const readingIdle = 5 * time.Minute

// readings opens the repository a second time, for reads of whole backups: kopia's cache on the
// disk, which lists and writes live by, would write all that is read to it. The indexes are in
// memory instead, as long as there are such reads.
type readings struct {
	open func(context.Context) (repo.DirectRepository, error)

	mu    sync.Mutex
	rep   repo.DirectRepository // nil: not open
	count int                   // of reads under way
	idle  *time.Timer
}

// get gives the repository as it is now, until done is called.
func (s *readings) get(ctx context.Context) (rep repo.DirectRepository, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rep == nil {
		if s.rep, err = s.open(ctx); err != nil {
			return nil, nil, err
		}
	}
	rep = s.rep
	if err := rep.Refresh(ctx); err != nil {
		return nil, nil, err
	}
	s.count++
	if s.idle != nil {
		s.idle.Stop()
	}
	return rep, sync.OnceFunc(func() { s.done(rep) }), nil
}

func (s *readings) done(rep repo.DirectRepository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rep != rep { // forgotten meanwhile
		return
	}
	if s.count--; s.count == 0 {
		s.idle = time.AfterFunc(readingIdle, s.rest)
	}
}

// rest closes what no read needs.
func (s *readings) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rep != nil && s.count == 0 {
		_ = s.rep.Close(context.Background()) // nothing was written
		s.rep = nil
	}
}

// forget closes it; reads that are under way go on or fail.
func (s *readings) forget() {
	s.mu.Lock()
	s.count = 0
	if s.idle != nil {
		s.idle.Stop()
	}
	s.mu.Unlock()
	s.rest()
}

// reading gives the repository for a read of many contents, and a context for it.
func (r *Repository) reading(ctx context.Context) (context.Context, repo.DirectRepository, func(), error) {
	rep, done, err := r.readings.get(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	return r.together(ctx), rep, done, nil
}

// together gives a context in which contents that lie together are read together.
func (r *Repository) together(ctx context.Context) context.Context {
	if r.bucket == nil {
		return ctx
	}
	return context.WithValue(ctx, segmentsKey{}, newSegments(r.bucket))
}
