package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type sessionRow struct {
	ID        string `db:"id"`
	Hash      string `db:"hash"`
	User      string `db:"user_name"`
	CreatedAt int64  `db:"created_at"`
	SeenAt    int64  `db:"seen_at"`
	ExpiresAt int64  `db:"expires_at"`
	EndsAt    int64  `db:"ends_at"`
	Address   string `db:"address"`
	UserAgent string `db:"user_agent"`
}

const sessionColumns = `id, hash, user_name, created_at, seen_at, expires_at, ends_at, address, user_agent`

func (r sessionRow) session() fleet.Session {
	return fleet.Session{
		ID: r.ID, Hash: r.Hash, User: r.User, CreatedAt: fromMicros(r.CreatedAt), SeenAt: fromMicros(r.SeenAt),
		ExpiresAt: fromMicros(r.ExpiresAt), EndsAt: fromMicros(r.EndsAt), Address: r.Address, UserAgent: r.UserAgent,
	}
}

// InsertSession keeps a session, and drops those that ended before it began.
func (s *Store) InsertSession(ctx context.Context, v fleet.Session) error {
	return s.write(ctx, "keep a session of "+v.User, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= ?`, micros(v.CreatedAt)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			v.ID, v.Hash, v.User, micros(v.CreatedAt), micros(v.SeenAt), micros(v.ExpiresAt), micros(v.EndsAt), clean(v.Address), clean(v.UserAgent))
		return err
	})
}

// SessionByHash gives the session of a secret's hash; fleet.NotFound where there is none or it
// has ended.
func (s *Store) SessionByHash(ctx context.Context, hash string, now time.Time) (fleet.Session, error) {
	var row sessionRow
	err := s.read(ctx, "read a session", func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &row, `SELECT `+sessionColumns+` FROM sessions WHERE hash = ? AND expires_at > ?`, hash, micros(now))
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.Errorf(fleet.NotFound, "the session has ended").WithHint("log in again")
		}
		return err
	})
	return row.session(), err
}

// Sessions lists the sessions of a user that have not ended, the newest first.
func (s *Store) Sessions(ctx context.Context, user string, now time.Time) ([]fleet.Session, error) {
	var rows []sessionRow
	err := s.read(ctx, "list the sessions of "+user, func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT `+sessionColumns+` FROM sessions WHERE user_name = ? AND expires_at > ?
  ORDER BY created_at DESC, id DESC`, user, micros(now))
	})
	out := make([]fleet.Session, len(rows))
	for i, r := range rows {
		out[i] = r.session()
	}
	return out, err
}

// SaveSessionSeen notes when and from where a session, and with it its user, was seen, and when
// it ends now.
func (s *Store) SaveSessionSeen(ctx context.Context, v fleet.Session) error {
	return s.write(ctx, "note that a session was seen", func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE sessions SET seen_at = ?, expires_at = ?, address = ? WHERE id = ?`,
			micros(v.SeenAt), micros(v.ExpiresAt), clean(v.Address), v.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE users SET last_seen_at = ? WHERE name = ?`, micros(v.SeenAt), v.User)
		return err
	})
}

// DeleteSession ends a session of a user; fleet.NotFound.
func (s *Store) DeleteSession(ctx context.Context, user, id string) error {
	return s.write(ctx, "end a session of "+user, func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE id = ? AND user_name = ?`, id, user)
		if err != nil {
			return err
		}
		if there, err := changed(done); err != nil || there {
			return err
		}
		return fleet.Errorf(fleet.NotFound, "there is no such session").WithField("id").WithHint("see them with `lxdfleet user sessions`")
	})
}

// DeleteSessions ends all sessions of a user but the one with the id keep.
func (s *Store) DeleteSessions(ctx context.Context, user, keep string) error {
	return s.write(ctx, "end the sessions of "+user, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_name = ? AND id <> ?`, user, keep)
		return err
	})
}
