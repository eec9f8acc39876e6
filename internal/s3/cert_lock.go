package s3

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/minio/minio-go/v7"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// certLock is a lock this process holds: an object that it writes again and again, as long as
// nobody else has. Its ETag says whose writing was the last.
type certLock struct {
	owner string
	stop  context.CancelFunc
	ended chan struct{}
	etag  string    // of our last writing; with shown to be read after ended
	shown time.Time // when that was
}

// lockPoll is how often it is seen whether a lock is free.
const lockPoll = 250 * time.Millisecond

func lockKey(name string) string { return certmagic.StorageKeys.Safe(name) + ".lock" }

// Lock takes the named lock, waiting for it as long as ctx allows. One whose holder has not
// shown that it lives for 30 s is taken over.
func (c *CertStorage) Lock(ctx context.Context, name string) error {
	owner := rand.Text()
	var seen string
	var since time.Time
	for {
		began := time.Now()
		etag, err := c.write(ctx, name, owner, 0, "")
		refused := err // said where the wait ends in vain: a server may refuse for ever
		if contended(err) {
			var now string
			if now, err = c.look(ctx, name); err == nil && now != "" {
				if now != seen {
					seen, since = now, time.Now()
				} else if time.Since(since) >= c.lease {
					if etag, err = c.write(ctx, name, owner, 0, seen); contended(err) {
						etag, err = "", nil // somebody else was faster
					}
				}
			}
		}
		if err != nil {
			return c.locks.fail("take lock "+name, err)
		}
		if etag != "" {
			c.hold(ctx, name, &certLock{owner: owner, ended: make(chan struct{}), etag: etag, shown: began})
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for lock %s: %w; the S3 server said: %w", name, ctx.Err(), refused)
		case <-time.After(lockPoll):
		}
	}
}

// write writes the lock's object where it is as it was seen; seen is empty where there was none.
func (c *CertStorage) write(ctx context.Context, name, owner string, beat int, seen string) (etag string, err error) {
	var options minio.PutObjectOptions
	if seen == "" {
		options.SetMatchETagExcept("*")
	} else {
		options.SetMatchETag(seen)
	}
	return c.locks.put(ctx, lockKey(name), fmt.Appendf(nil, "%s %d\n", owner, beat), options)
}

// taken reports whether a conditional write met another one.
func taken(err error) bool {
	return err != nil && (is(err, minio.PreconditionFailed, "ConditionalRequestConflict") || absent(err))
}

// contended reports whether a lock could not be taken because of what others do at that moment. A
// server on a file system answers 409, with a code of its own, where it takes an empty folder away
// while an object in it is made.
func contended(err error) bool {
	return taken(err) || err != nil && minio.ToErrorResponse(err).StatusCode == http.StatusConflict
}

// look gives the ETag of the lock's object, empty where there is none.
func (c *CertStorage) look(ctx context.Context, name string) (string, error) {
	info, err := c.locks.client.StatObject(ctx, c.locks.name, c.locks.Key(lockKey(name)), minio.StatObjectOptions{})
	if err != nil && absent(err) {
		return "", nil
	}
	return info.ETag, err
}

func (c *CertStorage) hold(ctx context.Context, name string, l *certLock) {
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	c.mu.Lock()
	c.held[name] = l
	c.mu.Unlock()
	go c.keep(beating, name, l)
}

// keep shows that the holder lives, until the lock is given back or turns out to be lost.
func (c *CertStorage) keep(ctx context.Context, name string, l *certLock) {
	defer close(l.ended)
	tick := time.NewTicker(c.lease / 4)
	defer tick.Stop()
	for beat := 1; ; beat++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, c.lease/2)
		etag, err := c.write(within, name, l.owner, beat, l.etag)
		cancel()
		if err == nil {
			l.etag, l.shown = etag, began
			continue
		}
		if taken(err) { // or our own last writing arrived, and its answer did not
			l.shown = time.Time{}
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
	// Within its lease nobody can have taken it over. After that it is removed only if it is
	// still as we left it.
	if time.Since(l.shown) > c.lease/2 {
		now, err := c.look(ctx, name)
		if err != nil || now != l.etag {
			return c.locks.fail("give back lock "+name, err)
		}
	}
	err := c.locks.client.RemoveObject(ctx, c.locks.name, c.locks.Key(lockKey(name)), minio.RemoveObjectOptions{})
	if err != nil && !absent(err) {
		return c.locks.fail("give back lock "+name, err)
	}
	return nil
}
