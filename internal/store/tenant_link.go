package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// SaveTenantLink keeps a one-time link to the credentials of the tenant with the id, and drops
// those of all tenants that have ended unused. fleet.NotFound where there is no such tenant.
func (s *Store) SaveTenantLink(ctx context.Context, id, hash string, now, until time.Time) error {
	return s.write(ctx, "keep a link to credentials", func(tx *sqlx.Tx) error {
		if _, err := tenantRowByID(ctx, tx, id); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return fleet.Errorf(fleet.NotFound, "there is no tenant with the id %s", id).WithHint("lxdfleet tenant list shows them")
			}
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM tenant_links WHERE used_at = 0 AND expires_at <= ?`, micros(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO tenant_links (hash, tenant_id, expires_at, used_at) VALUES (?, ?, ?, 0)`, hash, id, micros(until))
		return err
	})
}

// TenantLink gives the id of the tenant a link is for; fleet.Unauthenticated where it was used,
// has ended or was never made.
func (s *Store) TenantLink(ctx context.Context, hash string, now time.Time) (id string, err error) {
	err = s.read(ctx, "read a link to credentials", func(q *sqlx.DB) error {
		return badTenantLink(q.GetContext(ctx, &id, `SELECT tenant_id FROM tenant_links WHERE hash = ? AND used_at = 0 AND expires_at > ?`, hash, micros(now)))
	})
	return id, err
}

// UseTenantLink uses up a link, and ends the tenant's others: of two at the same time one
// succeeds. Errors as TenantLink.
func (s *Store) UseTenantLink(ctx context.Context, hash string, now time.Time) error {
	return s.write(ctx, "use a link to credentials", func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE tenant_links SET used_at = ? WHERE hash = ? AND used_at = 0 AND expires_at > ?`, micros(now), hash, micros(now))
		if err != nil {
			return err
		}
		mine, err := changed(done)
		if err != nil {
			return err
		}
		if !mine {
			return badTenantLink(sql.ErrNoRows)
		}
		var id string
		if err := tx.GetContext(ctx, &id, `SELECT tenant_id FROM tenant_links WHERE hash = ?`, hash); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM tenant_links WHERE tenant_id = ? AND hash <> ?`, id, hash)
		return err
	})
}

// TenantLinkUsed is when the credentials of the tenant with the id were last shown by a link;
// zero: never.
func (s *Store) TenantLinkUsed(ctx context.Context, id string) (time.Time, error) {
	var at int64
	err := s.read(ctx, "read whether a link was used", func(q *sqlx.DB) error {
		return q.GetContext(ctx, &at, `SELECT COALESCE(MAX(used_at), 0) FROM tenant_links WHERE tenant_id = ?`, id)
	})
	if err != nil || at == 0 {
		return time.Time{}, err
	}
	return fromMicros(at), nil
}

func badTenantLink(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fleet.Errorf(fleet.Unauthenticated, "the link is not good any more").WithField("link").
			WithHint("ask for another: lxdfleet tenant credentials NAME")
	}
	return err
}
