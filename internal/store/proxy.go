package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type proxyRow struct {
	Name     string `db:"name"`
	ID       string `db:"id"`
	JoinedAt int64  `db:"joined_at"`
	SeenAt   int64  `db:"seen_at"`
	Address  string `db:"address"`
	Version  string `db:"version"`
}

// Proxies lists the proxies that have joined, by name.
func (s *Store) Proxies(ctx context.Context) ([]fleet.Proxy, error) {
	var rows []proxyRow
	err := s.read(ctx, "list the proxies", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT name, id, joined_at, seen_at, address, version FROM proxies ORDER BY name`)
	})
	if err != nil {
		return nil, err
	}
	out := make([]fleet.Proxy, len(rows))
	for i, r := range rows {
		out[i] = fleet.Proxy{
			Name: r.Name, ID: r.ID, JoinedAt: fromMicros(r.JoinedAt), SeenAt: fromMicros(r.SeenAt), Address: r.Address, Version: r.Version,
		}
	}
	return out, nil
}

// AddProxyToken keeps a token until it is used or has ended.
func (s *Store) AddProxyToken(ctx context.Context, t fleet.ProxyToken) error {
	return s.write(ctx, "keep a token for a proxy", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO proxy_tokens (hash, name, created_at, expires_at) VALUES (?, ?, ?, ?)`,
			t.Hash, t.Name, micros(t.CreatedAt), micros(t.ExpiresAt))
		return err
	})
}

// JoinProxy uses up the token with the hash and adds p, in one step; tokens that ended before p
// joined are dropped. fleet.Forbidden where there is no such token, or it has ended or is for
// another name; fleet.Taken where there is a proxy of that name, and then the token stays good.
func (s *Store) JoinProxy(ctx context.Context, hash string, p fleet.Proxy) error {
	return s.write(ctx, "let proxy "+p.Name+" join", func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM proxy_tokens WHERE expires_at <= ?`, micros(p.JoinedAt)); err != nil {
			return err
		}
		var name string
		err := tx.GetContext(ctx, &name, `SELECT name FROM proxy_tokens WHERE hash = ?`, hash)
		if errors.Is(err, sql.ErrNoRows) {
			return badToken("it was used, has ended or was never made")
		}
		if err != nil {
			return err
		}
		if name != "" && name != p.Name {
			return badToken("it is for a proxy named " + name)
		}
		var there int
		if err := tx.GetContext(ctx, &there, `SELECT COUNT(*) FROM proxies WHERE name = ?`, p.Name); err != nil {
			return err
		}
		if there > 0 {
			return fleet.Errorf(fleet.Taken, "there is a proxy %s already", p.Name).WithField("name").
				WithHint("remove it first with `lxdfleet proxy remove %s`, or choose another name with --name", p.Name)
		}
		// Whoever deletes the row has the token: of two at the same time one finds nothing.
		done, err := tx.ExecContext(ctx, `DELETE FROM proxy_tokens WHERE hash = ?`, hash)
		if err != nil {
			return err
		}
		if mine, err := changed(done); err != nil {
			return err
		} else if !mine {
			return badToken("it was used just now")
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO proxies (name, id, joined_at, seen_at, address, version) VALUES (?, ?, ?, ?, ?, ?)`,
			p.Name, p.ID, micros(p.JoinedAt), micros(p.SeenAt), clean(p.Address), clean(p.Version))
		return err
	})
}

func badToken(why string) error {
	return fleet.Errorf(fleet.Forbidden, "the token is not good: %s", why).WithField("token").
		WithHint("make one on the controller with `lxdfleet proxy token`")
}

// RemoveProxy drops a proxy. fleet.NotFound where there is none of that name.
func (s *Store) RemoveProxy(ctx context.Context, name string) error {
	return s.write(ctx, "remove proxy "+name, func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM proxies WHERE name = ?`, name)
		if err != nil {
			return err
		}
		if there, err := changed(done); err != nil || there {
			return err
		}
		return fleet.Errorf(fleet.NotFound, "there is no proxy %s", name).WithField("name").
			WithHint("see them with `lxdfleet proxy list`")
	})
}

// SaveProxySeen notes when, from where and with which version a proxy was seen. One that was
// removed is no error.
func (s *Store) SaveProxySeen(ctx context.Context, p fleet.Proxy) error {
	return s.write(ctx, "note that proxy "+p.Name+" was seen", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE proxies SET seen_at = ?, address = ?, version = ? WHERE name = ? AND id = ?`,
			micros(p.SeenAt), clean(p.Address), clean(p.Version), p.Name, p.ID)
		return err
	})
}

// ProxyAuthority gives the authority that the certificates of proxies come from. Where there is
// none, fresh becomes it.
func (s *Store) ProxyAuthority(ctx context.Context, fresh []byte) (pem []byte, err error) {
	err = s.write(ctx, "read the authority of the proxies", func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &pem, `SELECT pem FROM proxy_authority WHERE id = 1`)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		pem = fresh
		_, err = tx.ExecContext(ctx, `INSERT INTO proxy_authority (id, pem) VALUES (1, ?)`, string(fresh))
		return err
	})
	return pem, err
}
