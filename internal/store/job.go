package store

import (
	"context"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

var _ jobs.Store = (*Store)(nil)

// mostJobs is how many jobs a list has where the filter gives no limit.
const mostJobs = 100

// deleteAtOnce is how many jobs one transaction deletes, so that none holds the writer long.
const deleteAtOnce = 200

// InsertJob stores a new job; see [jobs.Store]. A job with this ID that is stored already is
// returned as existing too.
func (s *Store) InsertJob(ctx context.Context, job fleet.Job) (stored fleet.Job, existing bool, err error) {
	if err := or(fits("subject", job.Subject), fits("idempotency_key", job.Key)); err != nil {
		return fleet.Job{}, false, err
	}
	row := newJobRow(job)
	err = s.write(ctx, "store job "+job.Kind+" of "+job.Subject, func(tx *sqlx.Tx) error {
		busy := idle(ctx, tx, job.Subject)
		// Looked for last: the job that holds the subject may be this request's own, and may
		// have been committed between the two looks.
		have, found, err := sameRequest(ctx, tx, job)
		if stored, existing = have.job(), found; err != nil || found {
			return or(err, errUnchanged)
		}
		if busy != nil {
			return busy
		}
		stored = row.job()
		_, err = tx.NamedExecContext(ctx, insertJob, row)
		return err
	})
	if err != nil {
		return fleet.Job{}, false, err
	}
	return stored, existing, nil
}

// sameRequest finds the job that an earlier call with the same key, or ID, has stored.
func sameRequest(ctx context.Context, tx *sqlx.Tx, job fleet.Job) (row jobRow, found bool, err error) {
	where, arg := `id = ?`, job.ID
	if job.Key != "" {
		where, arg = `idem_key = ?`, job.Key
	}
	err = tx.GetContext(ctx, &row, `SELECT `+jobColumns+` FROM jobs WHERE `+where, arg)
	switch {
	case err != nil:
		return row, false, notNoRows(err)
	case job.Key != "" && row.KeyHash != job.KeyHash:
		return row, false, fleet.Errorf(fleet.Conflict, "this idempotency key came with another request before (job %s)", row.ID).
			WithField("idempotency_key").WithHint("use a new key for a new request")
	}
	return row, true, nil
}

// idle fails with fleet.Busy when an unfinished job has the subject.
func idle(ctx context.Context, tx *sqlx.Tx, subject string) error {
	var other struct{ ID, Kind, State string }
	err := tx.GetContext(ctx, &other, `SELECT id, kind, state FROM jobs WHERE active_subject = ?`, subject)
	if err != nil {
		return notNoRows(err)
	}
	hint := "wait for it (lxdfleet job watch " + other.ID + ") or cancel it"
	if other.State == string(fleet.JobStuck) {
		hint = "it is stuck: see lxdfleet job show " + other.ID + ", then lxdfleet job retry " + other.ID
	}
	return fleet.Errorf(fleet.Busy, "job %s (%s) works on %s", other.ID, other.Kind, subject).WithHint("%s", hint)
}

// Job gives a job; fleet.NotFound.
func (s *Store) Job(ctx context.Context, id string) (fleet.Job, error) {
	var row jobRow
	err := s.read(ctx, "read job "+id, func(q *sqlx.DB) (err error) {
		row, err = jobByID(ctx, q, id)
		return err
	})
	if err != nil {
		return fleet.Job{}, err
	}
	return row.job(), nil
}

// Jobs lists jobs, newest first where the filter says nothing else.
func (s *Store) Jobs(ctx context.Context, filter jobs.JobFilter) ([]fleet.Job, error) {
	query, args := jobQuery(filter)
	var rows []jobRow
	err := s.read(ctx, "list jobs", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, query, args...)
	})
	if err != nil {
		return nil, err
	}
	list := make([]fleet.Job, len(rows))
	for i, row := range rows {
		list[i] = row.job()
	}
	return list, nil
}

func jobQuery(filter jobs.JobFilter) (string, []any) {
	var where []string
	var args []any
	follows, way := `<`, `DESC`
	if filter.OldestFirst {
		follows, way = `>`, `ASC`
	}
	for _, c := range []struct{ condition, value string }{
		{`subject = ?`, filter.Subject},
		{`state = ?`, string(filter.State)},
		{`idem_key = ?`, filter.Key},
		{`id ` + follows + ` ?`, filter.Before},
	} {
		if c.value != "" {
			where, args = append(where, c.condition), append(args, c.value)
		}
	}
	if group, is := strings.CutSuffix(filter.Kind, "."); is {
		where, args = append(where, `kind > ? AND kind < ?`), append(args, filter.Kind, group+"/") // "/" follows "."
	} else if filter.Kind != "" {
		where, args = append(where, `kind = ?`), append(args, filter.Kind)
	}
	if len(filter.States) > 0 {
		where = append(where, `state IN `+marks(len(filter.States)))
		for _, state := range filter.States {
			args = append(args, string(state))
		}
	}
	if filter.Subjects != nil {
		subjects := []any{""} // never empty, and no job's
		for _, subject := range filter.Subjects {
			subjects = append(subjects, subject)
		}
		where, args = append(where, `subject IN `+marks(len(subjects))), append(args, subjects...)
	}
	if filter.Parent != "" {
		// Keys that begin with "PARENT/": "0" follows "/".
		where, args = append(where, `idem_key > ? AND idem_key < ?`), append(args, filter.Parent+"/", filter.Parent+"0")
	}
	if filter.Unfinished {
		where = append(where, `active_subject IS NOT NULL`)
	}
	query := `SELECT ` + jobColumns + ` FROM jobs`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, ` AND `)
	}
	limit := mostJobs
	if filter.Limit > 0 {
		limit = filter.Limit
	}
	return query + ` ORDER BY id ` + way + ` LIMIT ?`, append(args, limit)
}

// RequestCancel marks a job; fleet.Conflict when it is finished, fleet.NotFound when there is
// none. Asking again changes nothing.
func (s *Store) RequestCancel(ctx context.Context, id string, now time.Time) (fleet.Job, error) {
	return s.changeJob(ctx, "cancel job "+id, id, func(row *jobRow) error {
		conflict := fleet.Errorf(fleet.Conflict, "job %s is %s already", id, row.State)
		switch {
		case row.State == string(fleet.JobStuck):
			return conflict.WithHint("lxdfleet job retry %s lets it go on or unwind", id)
		case fleet.JobState(row.State).Finished():
			return conflict.WithHint("a finished job cannot be cancelled")
		case row.Cancel != 0:
			return errUnchanged
		}
		row.Cancel, row.UpdatedAt = 1, micros(now)
		if row.State != string(fleet.JobQueued) {
			row.NotBefore = 0 // it has something to undo, and does not wait for that
		}
		return nil
	})
}

// RetryJob puts a stuck job back to running or undoing, claimable at once; fleet.Conflict when
// it is not stuck, fleet.NotFound when there is none.
func (s *Store) RetryJob(ctx context.Context, id string, to fleet.JobState, now time.Time) (fleet.Job, error) {
	if to != fleet.JobRunning && to != fleet.JobUndoing {
		return fleet.Job{}, fleet.Errorf(fleet.Invalid, "a job cannot be retried to state %q", to).WithField("state").
			WithHint("use running or undoing")
	}
	return s.changeJob(ctx, "retry job "+id, id, func(row *jobRow) error {
		if row.State != string(fleet.JobStuck) {
			return fleet.Errorf(fleet.Conflict, "job %s is %s, not stuck", id, row.State).
				WithHint("only a stuck job can be retried")
		}
		row.State, row.UpdatedAt = string(to), micros(now)
		row.LeaseOwner, row.LeaseUntil, row.NotBefore = "", 0, 0
		return nil
	})
}

// changeJob lets decide look at a job and change its mark, state and lease, without a lease.
// Nobody else writes the job in between.
func (s *Store) changeJob(ctx context.Context, doing, id string, decide func(row *jobRow) error) (fleet.Job, error) {
	var row jobRow
	err := s.write(ctx, doing, func(tx *sqlx.Tx) error {
		// A write first: it takes the row's lock, on MySQL as on SQLite.
		if _, err := tx.ExecContext(ctx, `UPDATE jobs SET last_seq = last_seq WHERE id = ?`, id); err != nil {
			return err
		}
		var err error
		if row, err = jobByID(ctx, tx, id); err != nil {
			return err
		}
		if err := decide(&row); err != nil {
			return err
		}
		_, err = tx.NamedExecContext(ctx, `UPDATE jobs SET state = :state, cancel = :cancel, updated_at = :updated_at,
			lease_owner = :lease_owner, lease_until = :lease_until, not_before = :not_before WHERE id = :id`, row)
		return err
	})
	if err != nil {
		return fleet.Job{}, err
	}
	return row.job(), nil
}

// DeleteJobs removes jobs that are done, undone or cancelled and were last updated before the
// given time, with their events. It works in portions; when one fails, the number of jobs
// deleted before is returned with the error.
func (s *Store) DeleteJobs(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for {
		n := 0
		err := s.write(ctx, "delete old jobs", func(tx *sqlx.Tx) error {
			var ids []any
			if err := tx.SelectContext(ctx, &ids, `SELECT id FROM jobs WHERE state IN `+deletable+` AND updated_at < ? LIMIT ?`,
				micros(before), deleteAtOnce); err != nil {
				return err
			}
			if n = len(ids); n == 0 {
				return errUnchanged
			}
			_, err := tx.ExecContext(ctx, `DELETE FROM jobs WHERE id IN `+marks(n), ids...)
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < deleteAtOnce {
			return total, nil
		}
	}
}
