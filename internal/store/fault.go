package store

import (
	"context"
	"errors"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// fault is what a driver's error means, told by its type and number.
type fault int

const (
	faultOther     fault = iota // a defect of ours, as far as we know
	faultDuplicate              // a unique key exists
	faultDeadlock               // rolled back in favour of another transaction
	faultBusy                   // another process holds the SQLite file
	faultLost                   // the connection broke
	faultDown                   // nothing answers, or the server turns us away for now
	faultDisk                   // the disk or the memory under the SQLite file fails
	faultReadOnly
	faultFull
	faultTooLong
	faultDenied  // wrong user, password, database or file permission
	faultDamaged // not a database, or a broken one
)

// fail turns what went wrong while doing something into a fleet error. Fleet errors pass
// as they are. The result never holds the DSN.
func (s *Store) fail(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fleet.Error](err); ok {
		return err
	}
	if cause := ctx.Err(); cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			return fleet.Errorf(fleet.Unavailable, "%s: the database did not answer in time: %w", doing, cause).
				WithHint("see whether %s is overloaded or stopped", s.dialect.where())
		}
		return &ended{doing: doing, err: cause}
	}
	if s.closed.Load() {
		return fleet.Errorf(fleet.Unavailable, "%s: the store is closed", doing).
			WithHint("the daemon is stopping; try again when it is back")
	}
	return s.dialect.classify(err).error(doing, s.dialect.where(), err)
}

// ended is a call that its caller's context ended.
type ended struct {
	doing string
	err   error
}

func (e *ended) Error() string { return e.doing + ": " + e.err.Error() }
func (e *ended) Unwrap() error { return e.err }

func (f fault) error(doing, where string, err error) error {
	unavailable := func(what, hint string) error {
		return fleet.Errorf(fleet.Unavailable, "%s: %s: %w", doing, what, err).WithHint(hint, where)
	}
	switch f {
	case faultLost, faultDown:
		return unavailable("the database does not answer", "start %s again, or wait for it; nothing else needs to be done")
	case faultDeadlock, faultBusy:
		return unavailable("other work holds the database", "try again; if it stays so, see which process holds %s")
	case faultDisk:
		return unavailable("the disk or the memory of the database fails", "look at the disk that holds %s and the kernel's log")
	case faultReadOnly:
		return unavailable("the database is read-only", "make %s writable for the daemon's user")
	case faultFull:
		return unavailable("the database has no room", "free space on the disk that holds %s")
	case faultDenied:
		return fleet.Errorf(fleet.Unavailable, "%s: the database refuses us: %w", doing, err).WithField("store.dsn").
			WithHint("check user, password, name and permissions of %s", where)
	case faultDamaged:
		return fleet.Errorf(fleet.Unavailable, "%s: the database cannot be read: %w", doing, err).WithField("store.dsn").
			WithHint("%s is damaged or not a database of lxdfleet; restore it, or rebuild an empty one with lxdfleet recover", where)
	case faultTooLong:
		return fleet.Errorf(fleet.Invalid, "%s: a value is too long: %w", doing, err).WithHint("shorten it")
	}
	return fleet.Errorf(fleet.Internal, "%s: %w", doing, err).WithHint("this is a defect of lxdfleet; please report it")
}
