package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type answerRow struct {
	ID          string `db:"id"`
	RequestHash string `db:"request_hash"`
	Status      int    `db:"status"`
	Header      string `db:"header"`
	Body        string `db:"body"`
	CreatedAt   int64  `db:"created_at"`
}

// BeginAnswer notes that a request is about to be answered, and drops what is older than keep.
// Where there is one with the same ID it is given instead, as it is, with begun false.
func (s *Store) BeginAnswer(ctx context.Context, a fleet.Answer, keep time.Duration) (was fleet.Answer, begun bool, err error) {
	var row answerRow
	err = s.write(ctx, "note a request", func(tx *sqlx.Tx) error {
		begun = false
		if _, err := tx.ExecContext(ctx, `DELETE FROM answers WHERE created_at <= ?`, micros(a.CreatedAt.Add(-keep))); err != nil {
			return err
		}
		err := tx.GetContext(ctx, &row, `SELECT id, request_hash, status, header, body, created_at FROM answers WHERE id = ?`, a.ID)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		begun = true
		_, err = tx.ExecContext(ctx, `INSERT INTO answers (id, request_hash, status, header, body, created_at) VALUES (?, ?, 0, '{}', '', ?)`,
			a.ID, a.RequestHash, micros(a.CreatedAt))
		return err
	})
	if err != nil || begun {
		return fleet.Answer{}, begun, err
	}
	was = fleet.Answer{ID: row.ID, RequestHash: row.RequestHash, Status: row.Status, Body: row.Body, CreatedAt: fromMicros(row.CreatedAt)}
	return was, false, fromJSON("header", row.Header, &was.Header)
}

// SaveAnswer keeps what a request was answered that BeginAnswer has noted.
func (s *Store) SaveAnswer(ctx context.Context, a fleet.Answer) error {
	header, err := toJSON(a.Header)
	if err != nil {
		return err
	}
	return s.write(ctx, "keep an answer", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE answers SET status = ?, header = ?, body = ? WHERE id = ?`, a.Status, header, a.Body, a.ID)
		return err
	})
}

// DropAnswer forgets a request, which may be made anew then. A missing one is success.
func (s *Store) DropAnswer(ctx context.Context, id string) error {
	return s.write(ctx, "forget a request", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM answers WHERE id = ?`, id)
		return err
	})
}
