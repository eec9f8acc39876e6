package repository

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// ownPrefix begins the names of the objects that are not kopia's.
	ownPrefix = "lxdfleet"
	// lockFile is the lock of a folder, lockObject that of a bucket.
	lockFile   = "lxdfleet.lock"
	lockObject = "lxdfleet.lock"
	// lockLease is how long the lock of a process that was killed is still in others' way.
	lockLease = time.Minute
	// lockPoll is how often it is seen whether the lock of a folder is free.
	lockPoll = 100 * time.Millisecond
)

// errLost is why what a lock guards was stopped.
var errLost = fleet.Errorf(fleet.Unavailable, "the lock on the repository was lost").
	WithHint("see whether the S3 server answers, and try again")

// exclusive takes the lock on the whole repository, does something, and gives it back. Where
// another process holds it for longer than wait, the error is of code Busy.
func (r *Repository) exclusive(ctx context.Context, doing string, do func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	busy := func(err error) error {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return fleet.Errorf(fleet.Busy, "%s: another process works on the repository", doing).
				WithHint("try again when its prune or change of passphrase is over; the lock of one that was killed ends within a minute or two")
		}
		return fail(ctx, doing, err)
	}
	if r.bucket == nil {
		unlock, err := lockFolder(within, r.folder.path)
		if err != nil {
			return busy(err)
		}
		defer unlock()
		return do(ctx)
	}
	l, err := r.bucket.Lock(within, lockObject, r.lease)
	if err != nil {
		return busy(err)
	}
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go func() {
		select {
		case <-l.Lost():
			lost(errLost)
		case <-ctx.Done():
		}
	}()
	err = do(ctx)
	return errors.Join(err, l.Unlock(ctx))
}

// lockFolder takes the lock on a folder. The kernel ends it with the process.
func lockFolder(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}
