package s3

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

// Lock is a lock this process holds: an object that it writes again and again, as long as nobody
// else has. Its ETag says whose writing was the last.
type Lock struct {
	in    *Bucket
	key   string
	lease time.Duration
	owner string
	stop  context.CancelFunc
	lose  func() // closes lost
	lost  chan struct{}
	ended chan struct{}
	etag  string    // of our last writing; with shown to be read after ended
	shown time.Time // when that was
}

// lockPoll is how often it is seen whether a lock is free.
const lockPoll = 250 * time.Millisecond

// Lock takes the lock that the object at key is, waiting for it as long as ctx allows. One whose
// holder has not shown that it lives for the lease is taken over.
func (b *Bucket) Lock(ctx context.Context, key string, lease time.Duration) (*Lock, error) {
	l := &Lock{in: b, key: key, lease: lease, owner: rand.Text(), lost: make(chan struct{}), ended: make(chan struct{})}
	l.lose = sync.OnceFunc(func() { close(l.lost) })
	var seen string
	var since time.Time
	ghosts := 0 // refusals for an object that is not there, one after the other
	for {
		began := time.Now()
		etag, err := l.write(ctx, 0, "")
		refused := err // said where the wait ends in vain: a server may refuse for ever
		if contended(err) {
			var now string
			if now, err = l.look(ctx); err == nil && now == "" {
				if ghosts++; ghosts >= lockGhosts {
					etag, err = l.overwrite(ctx)
				}
			} else if err == nil {
				ghosts = 0
				if now != seen {
					seen, since = now, time.Now()
				} else if time.Since(since) >= lease {
					if etag, err = l.write(ctx, 0, seen); contended(err) {
						etag, err = "", nil // somebody else was faster
					}
				}
			}
		}
		if err != nil {
			return nil, b.fail("take lock "+key, err)
		}
		if etag != "" {
			l.etag, l.shown = etag, began
			var beating context.Context
			beating, l.stop = context.WithCancel(context.WithoutCancel(ctx))
			go l.keep(beating)
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w; the S3 server said: %w", key, ctx.Err(), refused)
		case <-time.After(lockPoll):
		}
	}
}

// lockGhosts is how often a server says that an object is there which is not, before it is not
// believed any more: some take the mark that a removal leaves in a bucket with versions for one.
const lockGhosts = 8

// overwrite takes a lock that is not there without a condition, and sees whether it was alone.
func (l *Lock) overwrite(ctx context.Context) (etag string, err error) {
	etag, err = l.in.put(ctx, l.key, fmt.Appendf(nil, "%s %d\n", l.owner, 0), minio.PutObjectOptions{})
	if err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(4 * lockPoll): // who does the same at this moment
	}
	if now, err := l.look(ctx); err != nil || now != etag {
		return "", err
	}
	return etag, nil
}

// Lost is closed when the lock turns out to be somebody else's, or could not be shown to be held
// for half of its lease: what it guards is then to be stopped.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// write writes the lock's object where it is as it was seen; seen is empty where there was none.
func (l *Lock) write(ctx context.Context, beat int, seen string) (etag string, err error) {
	var options minio.PutObjectOptions
	if seen == "" {
		options.SetMatchETagExcept("*")
	} else {
		options.SetMatchETag(seen)
	}
	return l.in.put(ctx, l.key, fmt.Appendf(nil, "%s %d\n", l.owner, beat), options)
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
func (l *Lock) look(ctx context.Context) (string, error) {
	info, err := l.in.client.StatObject(ctx, l.in.name, l.in.Key(l.key), minio.StatObjectOptions{})
	if err != nil && absent(err) {
		return "", nil
	}
	return info.ETag, err
}

// keep shows that the holder lives, until the lock is given back or turns out to be lost.
func (l *Lock) keep(ctx context.Context) {
	defer close(l.ended)
	tick := time.NewTicker(l.lease / 4)
	defer tick.Stop()
	for beat := 1; ; beat++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, l.lease/4)
		etag, err := l.write(within, beat, l.etag)
		cancel()
		switch {
		case err == nil:
			l.etag, l.shown = etag, began
		case ctx.Err() != nil:
			return
		case taken(err): // or our own last writing arrived, and its answer did not
			l.shown = time.Time{}
			l.lose()
			return
		case time.Since(l.shown) > l.lease/2:
			l.lose()
		}
	}
}

// Unlock gives the lock back, also when ctx has ended.
func (l *Lock) Unlock(ctx context.Context) error {
	l.stop()
	<-l.ended
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.lease/2)
	defer cancel()
	// Within its lease nobody can have taken it over. After that it is removed only if it is
	// still as we left it.
	if time.Since(l.shown) > l.lease/2 {
		now, err := l.look(ctx)
		if err != nil || now != l.etag {
			return l.in.fail("give back lock "+l.key, err)
		}
	}
	err := l.in.client.RemoveObject(ctx, l.in.name, l.in.Key(l.key), minio.RemoveObjectOptions{})
	if err != nil && !absent(err) {
		return l.in.fail("give back lock "+l.key, err)
	}
	return nil
}
