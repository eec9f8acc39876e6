package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// certLock is a lock this process holds. Its beat goes on until it is given back.
type certLock struct {
	owner string
	stop  context.CancelFunc
	ended chan struct{}
}

// beat is what a lock looked like, and since when by our clock.
type beat struct {
	Owner string
	Beat  int64
	since time.Time
}

// certPoll is how often it is seen whether a lock is free.
const certPoll = 150 * time.Millisecond

// Lock takes the named lock, waiting for it as long as ctx allows. One whose holder has not
// shown that it lives for 20 s is taken over.
func (c *CertStorage) Lock(ctx context.Context, name string) error {
	owner := rand.Text()
	var seen beat
	for {
		got, now, err := c.try(ctx, name, owner, seen)
		if err != nil {
			return err
		}
		if got {
			break
		}
		if now.Owner != seen.Owner || now.Beat != seen.Beat {
			seen = now
		}
		if err := pause(ctx, certPoll); err != nil {
			return c.store.fail(ctx, "wait for lock "+name, err)
		}
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &certLock{owner: owner, stop: stop, ended: make(chan struct{})}
	c.mu.Lock()
	c.held[name] = l
	c.mu.Unlock()
	go c.keep(beating, name, l)
	return nil
}

// try takes a lock that is free, or that stands still as it was seen for longer than a lease.
func (c *CertStorage) try(ctx context.Context, name, owner string, seen beat) (got bool, now beat, err error) {
	err = c.store.write(ctx, "take lock "+name, func(tx *sqlx.Tx) error {
		got, now = false, beat{since: time.Now()}
		err := tx.GetContext(ctx, &now, `SELECT owner, beat FROM cert_locks WHERE name = ?`, name)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, `INSERT INTO cert_locks (name, owner, beat) VALUES (?, ?, 0)`, name, owner)
			got = err == nil
			return err
		}
		if err != nil || now.Owner != seen.Owner || now.Beat != seen.Beat || time.Since(seen.since) < c.lease {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE cert_locks SET owner = ?, beat = 0 WHERE name = ? AND owner = ? AND beat = ?`,
			owner, name, seen.Owner, seen.Beat)
		if err == nil {
			got, err = changed(done)
		}
		return err
	})
	return got, now, err
}

func changed(done sql.Result) (bool, error) {
	n, err := done.RowsAffected()
	return n > 0, err
}

// keep shows that the holder lives, until the lock is given back or turns out to be lost.
func (c *CertStorage) keep(ctx context.Context, name string, l *certLock) {
	defer close(l.ended)
	tick := time.NewTicker(c.lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(ctx, c.lease/2)
		held := true
		err := c.store.write(within, "keep lock "+name, func(tx *sqlx.Tx) error {
			done, err := tx.ExecContext(within, `UPDATE cert_locks SET beat = beat + 1 WHERE name = ? AND owner = ?`, name, l.owner)
			if err == nil {
				held, err = changed(done)
			}
			return err
		})
		cancel()
		if err == nil && !held {
			c.store.log.Warn("a lock of the certificate storage was taken over", "lock", name)
			return
		}
		if c.store.closed.Load() {
			return
		}
	}
}

// Unlock gives the named lock back, also when ctx has ended.
func (c *CertStorage) Unlock(ctx context.Context, name string) error {
	c.mu.Lock()
	l := c.held[name]
	delete(c.held, name)
	c.mu.Unlock()
	if l == nil {
		return fleet.Errorf(fleet.Conflict, "lock %s is not held", name).WithHint("this is a defect of lxdfleet; please report it")
	}
	l.stop()
	<-l.ended
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.lease/2)
	defer cancel()
	return c.store.write(ctx, "give back lock "+name, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM cert_locks WHERE name = ? AND owner = ?`, name, l.owner)
		return err
	})
}
