package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"
)

// Bounds of what is tried again inside before a caller hears of it.
const (
	busyFor      = 30 * time.Second // in all, while another process holds the SQLite file
	mostDeadlock = 30               // times
	mostTaken    = 10               // times a row appears between our look and our insert
	mostLost     = 3                // times, when the connection breaks
	lostWithin   = time.Second      // at once: a stale connection; later: a server that hangs
)

// errUnchanged ends a transaction that has nothing to write; the caller gets nil.
var errUnchanged = errors.New("nothing to change")

// write runs fn in a transaction and commits. When the database gave way to another
// transaction, or a unique key was taken by one that committed meanwhile, fn runs again: it
// must set its results anew each time, and look for what is taken before it inserts.
func (s *Store) write(ctx context.Context, doing string, fn func(tx *sqlx.Tx) error) error {
	err := s.patiently(ctx, func() (committing bool, err error) { return s.once(ctx, fn) })
	return s.fail(ctx, doing, err)
}

func (s *Store) once(ctx context.Context, fn func(tx *sqlx.Tx) error) (committing bool, err error) {
	tx, err := s.writer.BeginTxx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := fn(tx); err != nil {
		if errors.Is(err, errUnchanged) {
			return false, nil
		}
		return false, err
	}
	return true, tx.Commit()
}

// read runs fn, which makes reading statements only, each a snapshot of its own.
func (s *Store) read(ctx context.Context, doing string, fn func(q *sqlx.DB) error) error {
	err := s.patiently(ctx, func() (bool, error) { return false, fn(s.reader) })
	return s.fail(ctx, doing, err)
}

// patiently calls try again while its failure is one that passes by itself and nothing was
// changed.
func (s *Store) patiently(ctx context.Context, try func() (committing bool, err error)) error {
	start := time.Now()
	counts := map[fault]int{}
	for {
		began := time.Now()
		committing, err := try()
		if err == nil || ctx.Err() != nil {
			return err
		}
		f := s.dialect.classify(err)
		counts[f]++
		n := counts[f]
		again := false
		switch f {
		case faultDeadlock:
			again = n < mostDeadlock
		case faultDuplicate:
			again = n < mostTaken
		case faultBusy:
			again = time.Since(start) < busyFor
		case faultLost:
			again = n < mostLost && !committing && time.Since(began) < lostWithin
		}
		if !again {
			return err
		}
		s.log.Debug("database transaction runs again", "time", n, "reason", err)
		if err := pause(ctx, backoff(n)); err != nil {
			return err
		}
	}
}

// backoff grows from about 1 ms to about 100 ms; random, so that two do not meet again.
func backoff(n int) time.Duration {
	most := time.Millisecond << min(n, 7)
	return most/4 + rand.N(most*3/4)
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
