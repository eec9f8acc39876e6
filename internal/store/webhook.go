package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type webhookRow struct {
	ID       string `db:"id"`
	Secret   string `db:"secret"`
	Revision int64  `db:"revision"`
	Doc      string `db:"doc"`
}

func (r webhookRow) webhook() (w fleet.Webhook, err error) {
	err = fromJSON("doc", r.Doc, &w)
	w.ID, w.Secret, w.Revision = r.ID, r.Secret, r.Revision
	return w, err
}

// Webhooks lists the webhooks by name.
func (s *Store) Webhooks(ctx context.Context) ([]fleet.Webhook, error) {
	var rows []webhookRow
	err := s.read(ctx, "list the webhooks", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT id, secret, revision, doc FROM webhooks ORDER BY name`)
	})
	if err != nil {
		return nil, err
	}
	out := make([]fleet.Webhook, len(rows))
	for i, r := range rows {
		if out[i], err = r.webhook(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Webhook gives one; fleet.NotFound.
func (s *Store) Webhook(ctx context.Context, id string) (fleet.Webhook, error) {
	var row webhookRow
	err := s.read(ctx, "read a webhook", func(q *sqlx.DB) error {
		return noWebhook(q.GetContext(ctx, &row, `SELECT id, secret, revision, doc FROM webhooks WHERE id = ?`, id), id)
	})
	if err != nil {
		return fleet.Webhook{}, err
	}
	return row.webhook()
}

func noWebhook(err error, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fleet.Errorf(fleet.NotFound, "there is no webhook %s", id).WithField("id").WithHint("see them with `lxdfleet webhook list`")
	}
	return err
}

// InsertWebhook adds a webhook, at revision 1. fleet.Taken where there is one of that name.
func (s *Store) InsertWebhook(ctx context.Context, w fleet.Webhook) error {
	if err := fits("name", w.Name); err != nil {
		return err
	}
	doc, err := toJSON(w)
	if err != nil {
		return err
	}
	return s.write(ctx, "add webhook "+w.Name, func(tx *sqlx.Tx) error {
		if err := freeWebhook(ctx, tx, w); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO webhooks (id, name, secret, revision, doc) VALUES (?, ?, ?, 1, ?)`, w.ID, w.Name, w.Secret, doc)
		return err
	})
}

func freeWebhook(ctx context.Context, tx *sqlx.Tx, w fleet.Webhook) error {
	var there int
	if err := tx.GetContext(ctx, &there, `SELECT COUNT(*) FROM webhooks WHERE name = ? AND id <> ?`, w.Name, w.ID); err != nil {
		return err
	}
	if there > 0 {
		return fleet.Errorf(fleet.Taken, "there is a webhook %q already", w.Name).WithField("name").WithHint("choose another name")
	}
	return nil
}

// UpdateWebhook writes all of a webhook but its ID. fleet.Conflict where w.Revision is not the
// stored one; fleet.NotFound, fleet.Taken.
func (s *Store) UpdateWebhook(ctx context.Context, w fleet.Webhook) (fleet.Webhook, error) {
	if err := fits("name", w.Name); err != nil {
		return fleet.Webhook{}, err
	}
	doc, err := toJSON(w)
	if err != nil {
		return fleet.Webhook{}, err
	}
	err = s.write(ctx, "change webhook "+w.Name, func(tx *sqlx.Tx) error {
		if err := freeWebhook(ctx, tx, w); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE webhooks SET name = ?, secret = ?, doc = ?, revision = revision + 1 WHERE id = ? AND revision = ?`,
			w.Name, w.Secret, doc, w.ID, w.Revision)
		if err != nil {
			return err
		}
		if mine, err := changed(done); err != nil || mine {
			return err
		}
		var there int64
		if err := noWebhook(tx.GetContext(ctx, &there, `SELECT revision FROM webhooks WHERE id = ?`, w.ID), w.ID); err != nil {
			return err
		}
		return fleet.Errorf(fleet.Conflict, "webhook %s was changed meanwhile", w.Name).WithHint("read it again and repeat the change")
	})
	w.Revision++
	return w, err
}

// DeleteWebhook removes a webhook and its deliveries; fleet.NotFound.
func (s *Store) DeleteWebhook(ctx context.Context, id string) error {
	return s.write(ctx, "delete webhook "+id, func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM webhooks WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if there, err := changed(done); err != nil || there {
			return err
		}
		return noWebhook(sql.ErrNoRows, id)
	})
}
