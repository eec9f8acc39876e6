package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type tokenRow struct {
	ID         string `db:"id"`
	Hash       string `db:"hash"`
	Name       string `db:"name"`
	Owner      string `db:"owner"`
	Role       string `db:"role"`
	Tenants    string `db:"tenants"`
	CreatedAt  int64  `db:"created_at"`
	ExpiresAt  int64  `db:"expires_at"`
	LastUsedAt int64  `db:"last_used_at"`
	LastUsedBy string `db:"last_used_by"`
}

const tokenColumns = `id, hash, name, owner, role, tenants, created_at, expires_at, last_used_at, last_used_by`

func (r tokenRow) token() fleet.Token {
	return fleet.Token{
		ID: r.ID, Hash: r.Hash, Name: r.Name, Owner: r.Owner, Role: fleet.Role(r.Role), Tenants: readNames(r.Tenants),
		CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
		LastUsedAt: fromMicros(r.LastUsedAt), LastUsedBy: r.LastUsedBy,
	}
}

// InsertToken keeps a token. fleet.Taken with field "name" where its owner has one of that name;
// fleet.Invalid for a name that is too long.
func (s *Store) InsertToken(ctx context.Context, t fleet.Token) error {
	if err := fits("name", t.Name); err != nil {
		return err
	}
	return s.write(ctx, "keep token "+t.Name, func(tx *sqlx.Tx) error {
		var there int
		if err := tx.GetContext(ctx, &there, `SELECT COUNT(*) FROM tokens WHERE owner = ? AND name = ?`, t.Owner, t.Name); err != nil {
			return err
		}
		if there > 0 {
			return fleet.Errorf(fleet.Taken, "%s has a token %q already", t.Owner, t.Name).WithField("name").
				WithHint("choose another name, or delete that one first")
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO tokens (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, t.Hash, clean(t.Name), t.Owner, string(t.Role), namesColumn(t.Tenants),
			micros(t.CreatedAt), micros(t.ExpiresAt), micros(t.LastUsedAt), clean(t.LastUsedBy))
		return err
	})
}

// TokenByHash gives the token of a secret's hash, also one that has ended; fleet.NotFound.
func (s *Store) TokenByHash(ctx context.Context, hash string) (fleet.Token, error) {
	var row tokenRow
	err := s.read(ctx, "read a token", func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &row, `SELECT `+tokenColumns+` FROM tokens WHERE hash = ?`, hash)
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.Errorf(fleet.NotFound, "there is no such token").WithHint("make one with `lxdfleet token create`")
		}
		return err
	})
	return row.token(), err
}

// Tokens lists the tokens of an owner, or all where it is empty, by owner and name.
func (s *Store) Tokens(ctx context.Context, owner string) ([]fleet.Token, error) {
	var rows []tokenRow
	err := s.read(ctx, "list the tokens", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT `+tokenColumns+` FROM tokens WHERE owner = ? OR ? = '' ORDER BY owner, name`, owner, owner)
	})
	out := make([]fleet.Token, len(rows))
	for i, r := range rows {
		out[i] = r.token()
	}
	return out, err
}

// SaveTokenUsed notes when and from where a token was used.
func (s *Store) SaveTokenUsed(ctx context.Context, id, from string, at time.Time) error {
	return s.write(ctx, "note that a token was used", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE tokens SET last_used_at = ?, last_used_by = ? WHERE id = ?`, micros(at), clean(from), id)
		return err
	})
}

// DeleteToken ends a token of an owner, or of anybody where owner is empty; fleet.NotFound.
func (s *Store) DeleteToken(ctx context.Context, owner, id string) error {
	return s.write(ctx, "delete token "+id, func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE id = ? AND (owner = ? OR ? = '')`, id, owner, owner)
		if err != nil {
			return err
		}
		if there, err := changed(done); err != nil || there {
			return err
		}
		return fleet.Errorf(fleet.NotFound, "there is no token %s", id).WithField("id").WithHint("see them with `lxdfleet token list`")
	})
}
