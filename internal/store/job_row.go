package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	jobColumns = `id, kind, kind_version, subject, active_subject, args, state, error, error_code, hint, cancel,
		idem_key, idem_hash, created_at, updated_at, lease_owner, lease_until, lease_epoch, not_before`

	insertJob = `INSERT INTO jobs (` + jobColumns + `, last_seq) VALUES (:id, :kind, :kind_version, :subject,
		:active_subject, :args, :state, :error, :error_code, :hint, :cancel, :idem_key, :idem_hash, :created_at,
		:updated_at, :lease_owner, :lease_until, :lease_epoch, :not_before, 0)`

	// claimable and deletable are the states a runner may take a job in, and those in which its
	// subject is free. Between them is only stuck.
	claimable = `('queued', 'running', 'undoing')`
	deletable = `('done', 'undone', 'cancelled')`
)

// jobRow is a row of the table jobs.
type jobRow struct {
	ID            string         `db:"id"`
	Kind          string         `db:"kind"`
	KindVersion   int            `db:"kind_version"`
	Subject       string         `db:"subject"`
	ActiveSubject sql.NullString `db:"active_subject"`
	Args          string         `db:"args"`
	State         string         `db:"state"`
	Error         string         `db:"error"`
	ErrorCode     string         `db:"error_code"`
	Hint          string         `db:"hint"`
	Cancel        int64          `db:"cancel"`
	Key           sql.NullString `db:"idem_key"`
	KeyHash       string         `db:"idem_hash"`
	CreatedAt     int64          `db:"created_at"`
	UpdatedAt     int64          `db:"updated_at"`
	LeaseOwner    string         `db:"lease_owner"`
	LeaseUntil    int64          `db:"lease_until"`
	LeaseEpoch    int64          `db:"lease_epoch"`
	NotBefore     int64          `db:"not_before"`
}

// newJobRow is the row of a job that has just been asked for, whatever its state says.
func newJobRow(job fleet.Job) jobRow {
	updated := job.UpdatedAt
	if updated.IsZero() {
		updated = job.CreatedAt
	}
	return jobRow{
		ID: job.ID, Kind: job.Kind, KindVersion: job.KindVersion, Subject: job.Subject,
		ActiveSubject: sql.NullString{String: job.Subject, Valid: true}, Args: string(job.Args),
		State: string(fleet.JobQueued), Key: sql.NullString{String: job.Key, Valid: job.Key != ""},
		KeyHash: job.KeyHash, CreatedAt: micros(job.CreatedAt), UpdatedAt: micros(updated),
		NotBefore: micros(job.NotBefore),
	}
}

func (r jobRow) job() fleet.Job {
	return fleet.Job{
		ID: r.ID, Kind: r.Kind, KindVersion: r.KindVersion, Subject: r.Subject, Args: raw(r.Args),
		State: fleet.JobState(r.State), Error: r.Error, ErrorCode: fleet.Code(r.ErrorCode), Hint: r.Hint,
		Cancel: r.Cancel != 0, Key: r.Key.String, KeyHash: r.KeyHash, CreatedAt: fromMicros(r.CreatedAt),
		UpdatedAt: fromMicros(r.UpdatedAt), LeaseOwner: r.LeaseOwner, LeaseUntil: fromMicros(r.LeaseUntil),
		LeaseEpoch: r.LeaseEpoch, NotBefore: fromMicros(r.NotBefore),
	}
}

// raw gives stored JSON; none where the column is empty.
func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// jobByID fails with fleet.NotFound.
func jobByID(ctx context.Context, q sqlx.QueryerContext, id string) (row jobRow, err error) {
	err = sqlx.GetContext(ctx, q, &row, `SELECT `+jobColumns+` FROM jobs WHERE id = ?`, id)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fleet.Errorf(fleet.NotFound, "there is no job %s", id).
			WithHint("finished jobs are deleted after some time; lxdfleet job list shows those there are")
	}
	return row, err
}

// fenced runs an UPDATE that names the job and its lease epoch, and fails with fleet.Fenced
// when the epoch is another by now or the job is finished, so that nobody holds it;
// fleet.NotFound when the job is gone.
func fenced(ctx context.Context, tx *sqlx.Tx, id string, epoch int64, set string, args ...any) error {
	args = append(args, id, epoch)
	result, err := tx.ExecContext(ctx, `UPDATE jobs SET `+set+` WHERE id = ? AND lease_epoch = ? AND state IN `+claimable, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	row, err := jobByID(ctx, tx, id)
	if err != nil {
		return err
	}
	if row.LeaseEpoch == epoch {
		return fleet.Errorf(fleet.Fenced, "job %s is %s; nobody runs it", id, row.State).
			WithHint("lxdfleet job show %s tells how it ended", id)
	}
	return fleet.Errorf(fleet.Fenced, "job %s was taken over by %q (lease %d, ours was %d)", id, row.LeaseOwner, row.LeaseEpoch, epoch).
		WithHint("the other runner goes on with it; nothing needs to be done")
}
