package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type deliveryRow struct {
	ID        string `db:"id"`
	WebhookID string `db:"webhook_id"`
	Type      string `db:"type"`
	Subject   string `db:"subject"`
	Body      string `db:"body"`
	State     string `db:"state"`
	Attempts  int    `db:"attempts"`
	Status    int    `db:"status"`
	Error     string `db:"error"`
	Took      int64  `db:"took"`
	CreatedAt int64  `db:"created_at"`
	NextAt    int64  `db:"next_at"`
	DoneAt    int64  `db:"done_at"`
	Since     int64  `db:"since"`
}

const deliveryColumns = `id, webhook_id, type, subject, body, state, attempts, status, error, took, created_at, next_at, done_at, since`

func (r deliveryRow) delivery() fleet.Delivery {
	return fleet.Delivery{
		ID: r.ID, WebhookID: r.WebhookID, Type: r.Type, Subject: r.Subject, Body: json.RawMessage(r.Body),
		State: fleet.DeliveryState(r.State), Attempts: r.Attempts, Status: r.Status, Error: r.Error, Took: time.Duration(r.Took),
		CreatedAt: fromMicros(r.CreatedAt), NextAt: fromMicros(r.NextAt), DoneAt: fromMicros(r.DoneAt), Since: fromMicros(r.Since),
	}
}

// InsertDeliveries stores deliveries, all or none. IDs sort in the order of their events.
func (s *Store) InsertDeliveries(ctx context.Context, list []fleet.Delivery) error {
	return s.write(ctx, "store deliveries", func(tx *sqlx.Tx) error {
		for _, d := range list {
			_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (`+deliveryColumns+`, claimed_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
				d.ID, d.WebhookID, d.Type, d.Subject, string(d.Body), string(d.State), d.Attempts, d.Status, clean(d.Error), int64(d.Took),
				micros(d.CreatedAt), micros(d.NextAt), micros(d.DoneAt), micros(d.Since))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ClaimDeliveries gives at most limit deliveries that are due, and nobody else until the end of
// the claim. Of those of one webhook and subject it gives the oldest pending one only.
func (s *Store) ClaimDeliveries(ctx context.Context, now, until time.Time, limit int) ([]fleet.Delivery, error) {
	var out []fleet.Delivery
	err := s.write(ctx, "claim deliveries", func(tx *sqlx.Tx) error {
		out = out[:0]
		var rows []deliveryRow
		err := tx.SelectContext(ctx, &rows, `SELECT `+deliveryColumns+` FROM deliveries d
  WHERE d.state = 'pending' AND d.next_at <= ? AND d.claimed_until <= ? AND NOT EXISTS (
    SELECT 1 FROM deliveries e WHERE e.webhook_id = d.webhook_id AND e.subject = d.subject AND e.state = 'pending' AND e.id < d.id)
  ORDER BY d.id LIMIT ?`, micros(now), micros(now), limit)
		if err != nil {
			return err
		}
		for _, r := range rows {
			done, err := tx.ExecContext(ctx, `UPDATE deliveries SET claimed_until = ? WHERE id = ? AND state = 'pending' AND claimed_until <= ?`,
				micros(until), r.ID, micros(now))
			if err != nil {
				return err
			}
			if mine, err := changed(done); err != nil {
				return err
			} else if mine {
				out = append(out, r.delivery())
			}
		}
		if len(out) == 0 {
			return errUnchanged
		}
		return nil
	})
	return out, err
}

// SaveAttempt writes what became of a claimed delivery and ends the claim. One that is gone, with
// its webhook, is success.
func (s *Store) SaveAttempt(ctx context.Context, d fleet.Delivery) error {
	return s.write(ctx, "note a delivery's attempt", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = ?, attempts = ?, status = ?, error = ?, took = ?, next_at = ?, done_at = ?,
  claimed_until = 0 WHERE id = ?`,
			string(d.State), d.Attempts, d.Status, clean(d.Error), int64(d.Took), micros(d.NextAt), micros(d.DoneAt), d.ID)
		return err
	})
}

// ReplayDelivery makes a finished delivery pending again, with attempts of its own. fleet.NotFound;
// fleet.Conflict where it is pending.
func (s *Store) ReplayDelivery(ctx context.Context, id string, now time.Time) (fleet.Delivery, error) {
	var row deliveryRow
	err := s.write(ctx, "replay a delivery", func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = 'pending', attempts = 0, next_at = ?, since = ?, done_at = 0
  WHERE id = ? AND state <> 'pending'`, micros(now), micros(now), id)
		if err != nil {
			return err
		}
		err = tx.GetContext(ctx, &row, `SELECT `+deliveryColumns+` FROM deliveries WHERE id = ?`, id)
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.Errorf(fleet.NotFound, "there is no delivery %s", id).WithField("id").WithHint("see them with `lxdfleet webhook deliveries`")
		}
		if err != nil {
			return err
		}
		if mine, err := changed(done); err != nil || mine {
			return err
		}
		return fleet.Errorf(fleet.Conflict, "delivery %s is on its way", id).WithHint("wait for its next attempt")
	})
	return row.delivery(), err
}

// Deliveries lists deliveries, the newest first.
func (s *Store) Deliveries(ctx context.Context, f fleet.DeliveryFilter) ([]fleet.Delivery, error) {
	terms, args := []string{`1 = 1`}, []any{}
	for term, value := range map[string]string{`webhook_id = ?`: f.WebhookID, `state = ?`: string(f.State), `id < ?`: f.Before} {
		if value != "" {
			terms, args = append(terms, term), append(args, value)
		}
	}
	query := `SELECT ` + deliveryColumns + ` FROM deliveries WHERE ` + strings.Join(terms, ` AND `) + ` ORDER BY id DESC`
	if f.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, f.Limit)
	}
	var rows []deliveryRow
	err := s.read(ctx, "list deliveries", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, query, args...)
	})
	out := make([]fleet.Delivery, len(rows))
	for i, r := range rows {
		out[i] = r.delivery()
	}
	return out, err
}

// DropDeliveries removes finished deliveries that ended before a time.
func (s *Store) DropDeliveries(ctx context.Context, before time.Time) error {
	return s.write(ctx, "drop old deliveries", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE state <> 'pending' AND done_at < ?`, micros(before))
		return err
	})
}
