package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// candidates is how many due jobs a claim looks at: where several runners claim at once, each
// finds one that the others have not got.
const candidates = 16

// ClaimJob gives the oldest job that is due; see [jobs.Store]. With nothing due it is one
// reading statement on an index that has no finished jobs in its range.
func (s *Store) ClaimJob(ctx context.Context, owner string, now, until time.Time) (job fleet.Job, ok bool, err error) {
	for {
		var due []struct {
			ID    string
			Epoch int64
		}
		err := s.read(ctx, "look for a job", func(q *sqlx.DB) error {
			due = due[:0]
			return q.SelectContext(ctx, &due, `SELECT id, lease_epoch AS epoch FROM jobs WHERE state IN `+claimable+`
				AND lease_until <= ? AND not_before <= ? ORDER BY created_at, id LIMIT ?`, micros(now), micros(now), candidates)
		})
		if err != nil {
			return fleet.Job{}, false, err
		}
		for _, d := range due {
			if job, ok, err = s.claim(ctx, d.ID, d.Epoch, owner, now, until); err != nil || ok {
				return job, ok, err
			}
		}
		if len(due) < candidates {
			return fleet.Job{}, false, nil // others got all there were
		}
	}
}

// claim takes the job if it is still as it was when it was seen: an epoch is claimed once.
func (s *Store) claim(ctx context.Context, id string, epoch int64, owner string, now, until time.Time) (fleet.Job, bool, error) {
	var row jobRow
	won := false
	err := s.write(ctx, "claim job "+id, func(tx *sqlx.Tx) error {
		won = false
		result, err := tx.ExecContext(ctx, `UPDATE jobs SET lease_owner = ?, lease_until = ?, lease_epoch = lease_epoch + 1
			WHERE id = ? AND lease_epoch = ? AND state IN `+claimable+` AND lease_until <= ? AND not_before <= ?`,
			owner, micros(until), id, epoch, micros(now), micros(now))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return or(err, errUnchanged)
		}
		won = true
		row, err = jobByID(ctx, tx, id)
		return err
	})
	if err != nil || !won {
		return fleet.Job{}, false, err
	}
	return row.job(), true, nil
}

// RenewLease sets the end of the lease; see [jobs.Store]. For a finished job it fails with
// fleet.Fenced, as all that names an epoch does.
func (s *Store) RenewLease(ctx context.Context, id string, epoch int64, until time.Time) (cancel bool, err error) {
	err = s.write(ctx, "renew the lease of job "+id, func(tx *sqlx.Tx) error {
		if err := fenced(ctx, tx, id, epoch, `lease_until = ?`, micros(until)); err != nil {
			return err
		}
		return tx.GetContext(ctx, &cancel, `SELECT cancel FROM jobs WHERE id = ?`, id)
	})
	return cancel, err
}

// ReleaseJob ends the lease without changing the state; see [jobs.Store].
func (s *Store) ReleaseJob(ctx context.Context, id string, epoch int64, notBefore time.Time) error {
	return s.write(ctx, "release job "+id, func(tx *sqlx.Tx) error {
		return fenced(ctx, tx, id, epoch, `lease_owner = '', lease_until = 0, not_before = ?`, micros(notBefore))
	})
}

// ReleaseOwner ends all leases of an owner; see [jobs.Store].
func (s *Store) ReleaseOwner(ctx context.Context, owner string) (int, error) {
	var released int64
	err := s.write(ctx, "release the jobs of "+owner, func(tx *sqlx.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE jobs SET lease_owner = '', lease_until = 0
			WHERE lease_owner = ? AND state IN `+claimable, owner)
		if err != nil {
			return err
		}
		released, err = result.RowsAffected()
		return err
	})
	return int(released), err
}

// SetJobState moves the job to another state, with error, code and hint as the change has
// them, and appends the event that tells of it; see [jobs.Store]. A finished job stays as it
// is: fleet.Fenced.
func (s *Store) SetJobState(ctx context.Context, id string, epoch int64, change jobs.StateChange) (fleet.JobEvent, error) {
	var events []fleet.JobEvent
	set, args := stateChange(change)
	err := s.write(ctx, "set the state of job "+id, func(tx *sqlx.Tx) (err error) {
		if err := fenced(ctx, tx, id, epoch, set, args...); err != nil {
			return err
		}
		events, err = appendEvents(ctx, tx, id, []fleet.JobEvent{
			{Type: fleet.EventState, Message: string(change.State), At: change.At},
		})
		return err
	})
	if err != nil {
		return fleet.JobEvent{}, err
	}
	return events[0], nil
}

// stateChange gives the SET clause of a change, with the number of its event counted.
func stateChange(change jobs.StateChange) (string, []any) {
	set := `state = ?, updated_at = ?, error = ?, error_code = ?, hint = ?, last_seq = last_seq + 1`
	args := []any{string(change.State), micros(change.At), clean(change.Error), string(change.ErrorCode), clean(change.Hint)}
	if change.State.Finished() {
		set += `, lease_owner = '', lease_until = 0, not_before = 0`
		if change.State != fleet.JobStuck {
			set += `, active_subject = NULL`
		}
	}
	return set, args
}
