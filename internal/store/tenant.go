package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// InsertTenant stores a new tenant, at revision 1. When a tenant with this ID is there
// already nothing is changed. fleet.Taken with field "name" or "domain" when another tenant
// has the name or one of the domains; fleet.Invalid for a domain that is listed twice or a
// label that is too long.
func (s *Store) InsertTenant(ctx context.Context, t fleet.Tenant) error {
	row, err := toTenantRow(t)
	if err != nil {
		return err
	}
	row.Revision = 1
	return s.write(ctx, "store tenant "+t.Name.String(), func(tx *sqlx.Tx) error {
		if err := grow(ctx, tx); err != nil {
			return err
		}
		if _, err := tenantRowByID(ctx, tx, t.ID); !errors.Is(err, sql.ErrNoRows) {
			return or(err, errUnchanged)
		}
		if err := free(ctx, tx, t); err != nil {
			return err
		}
		if _, err := tx.NamedExecContext(ctx, insertTenant, row); err != nil {
			return err
		}
		return index(ctx, tx, t)
	})
}

// UpdateTenant writes all of the tenant but ID and CreatedAt, and gives it as it is now
// stored, with its new revision. fleet.Conflict when t.Revision is not the stored one,
// fleet.NotFound when the tenant is gone; fleet.Taken and fleet.Invalid as InsertTenant.
func (s *Store) UpdateTenant(ctx context.Context, t fleet.Tenant) (fleet.Tenant, error) {
	row, err := toTenantRow(t)
	if err != nil {
		return fleet.Tenant{}, err
	}
	var stored tenantRow
	err = s.write(ctx, "change tenant "+t.Name.String(), func(tx *sqlx.Tx) error {
		if err := grow(ctx, tx); err != nil {
			return err
		}
		if err := replace(ctx, tx, t, row); err != nil {
			return err
		}
		stored, err = tenantRowByID(ctx, tx, t.ID)
		return err
	})
	if err != nil {
		return fleet.Tenant{}, err
	}
	return stored.tenant()
}

// DeleteTenant removes the tenant, with the records of its snapshots, and frees its name and
// domains. A missing one is success.
func (s *Store) DeleteTenant(ctx context.Context, id string) error {
	return s.write(ctx, "delete tenant "+id, func(tx *sqlx.Tx) error {
		if err := grow(ctx, tx); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM tenants WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return or(err, errUnchanged)
		}
		for _, table := range []string{"snapshots", "schedule_marks"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE tenant_id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tenant gives the tenant of a name; fleet.NotFound.
func (s *Store) Tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error) {
	return s.oneTenant(ctx, "tenant "+name.String(), `name = ?`, name.String())
}

// TenantByID gives the tenant of an ID; fleet.NotFound.
func (s *Store) TenantByID(ctx context.Context, id string) (fleet.Tenant, error) {
	return s.oneTenant(ctx, "tenant with id "+id, `id = ?`, id)
}

// TenantByDomain gives the tenant that has a domain; fleet.NotFound.
func (s *Store) TenantByDomain(ctx context.Context, domain fleet.Domain) (fleet.Tenant, error) {
	return s.oneTenant(ctx, "tenant with domain "+domain.String(),
		`id = (SELECT tenant_id FROM tenant_domains WHERE domain = ?)`, domain.String())
}

func (s *Store) oneTenant(ctx context.Context, what, where string, arg any) (fleet.Tenant, error) {
	var row tenantRow
	err := s.read(ctx, "read "+what, func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &row, `SELECT `+tenantColumns+` FROM tenants WHERE `+where, arg)
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.Errorf(fleet.NotFound, "there is no %s", what).WithHint("lxdfleet tenant list shows those there are")
		}
		return err
	})
	if err != nil {
		return fleet.Tenant{}, err
	}
	return row.tenant()
}

// replace writes row and its indexes if the revision is still the one t was read at.
func replace(ctx context.Context, tx *sqlx.Tx, t fleet.Tenant, row tenantRow) error {
	if err := fresh(ctx, tx, t); err != nil {
		return err
	}
	if err := free(ctx, tx, t); err != nil {
		return err
	}
	if _, err := tx.NamedExecContext(ctx, updateTenant, row); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM tenant_labels WHERE tenant_id = ?`, t.ID); err != nil {
		return err
	}
	return index(ctx, tx, t)
}

// fresh fails when the tenant is gone or has another revision than t.
func fresh(ctx context.Context, tx *sqlx.Tx, t fleet.Tenant) error {
	now, err := tenantRowByID(ctx, tx, t.ID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fleet.Errorf(fleet.NotFound, "there is no tenant %s any more", t.Name).
			WithHint("lxdfleet tenant list shows those there are")
	case err == nil && now.Revision != t.Revision:
		return fleet.Errorf(fleet.Conflict, "tenant %s has changed since it was read (revision %d, now %d)", now.Name, t.Revision, now.Revision).
			WithHint("read it again and repeat the change")
	}
	return err
}

// free fails with fleet.Taken when another tenant has the name or one of the domains.
func free(ctx context.Context, tx *sqlx.Tx, t fleet.Tenant) error {
	var owner struct{ Name, Desired, Domain string }
	err := tx.GetContext(ctx, &owner, `SELECT name, desired FROM tenants WHERE name = ? AND id <> ?`, t.Name, t.ID)
	if err == nil {
		return fleet.Errorf(fleet.Taken, "there is a tenant %s already", owner.Name).WithField("name").
			WithHint("%s", ownerHint(owner.Name, owner.Desired))
	}
	if !errors.Is(err, sql.ErrNoRows) || len(t.Domains) == 0 {
		return notNoRows(err)
	}
	args := []any{t.ID}
	for _, d := range t.Domains {
		args = append(args, d.String())
	}
	err = tx.GetContext(ctx, &owner, `SELECT t.name, t.desired, d.domain FROM tenant_domains d JOIN tenants t ON t.id = d.tenant_id
		WHERE d.tenant_id <> ? AND d.domain IN `+marks(len(t.Domains))+` ORDER BY d.domain LIMIT 1`, args...)
	if err == nil {
		return fleet.Errorf(fleet.Taken, "%s belongs to tenant %s", owner.Domain, owner.Name).WithField("domain").
			WithHint("%s", ownerHint(owner.Name, owner.Desired))
	}
	return notNoRows(err)
}

func ownerHint(name, desired string) string {
	if desired == string(fleet.DesiredRemoved) {
		return "it is in the trash: lxdfleet tenant delete " + name + " --now frees it at once"
	}
	return "choose another, or see lxdfleet tenant show " + name
}

// index writes the rows that tenants are found by; labels of before must be gone.
func index(ctx context.Context, tx *sqlx.Tx, t fleet.Tenant) error {
	if err := indexDomains(ctx, tx, t); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		if _, err := tx.ExecContext(ctx, `INSERT INTO tenant_labels (tenant_id, label_key, label_value, tenant_name) VALUES (?, ?, ?, ?)`,
			t.ID, clean(key), clean(t.Labels[key]), t.Name.String()); err != nil {
			return err
		}
	}
	return nil
}

// indexDomains makes the tenant's rows of tenant_domains those of its domains. A row that stays
// keeps what is known of the domain's checks.
func indexDomains(ctx context.Context, tx *sqlx.Tx, t fleet.Tenant) error {
	var rows []struct {
		Domain  string
		Pending int64
	}
	if err := tx.SelectContext(ctx, &rows, `SELECT domain, pending FROM tenant_domains WHERE tenant_id = ?`, t.ID); err != nil {
		return err
	}
	have := make(map[string]int64, len(rows))
	for _, r := range rows {
		if !slices.Contains(t.Domains, fleet.Domain(r.Domain)) {
			if _, err := tx.ExecContext(ctx, `DELETE FROM tenant_domains WHERE domain = ?`, r.Domain); err != nil {
				return err
			}
			continue
		}
		have[r.Domain] = r.Pending
	}
	for _, d := range t.Domains {
		pending := flag(t.DomainSettings[d].Pending)
		was, there := have[d.String()]
		var err error
		switch {
		case !there:
			_, err = tx.ExecContext(ctx, `INSERT INTO tenant_domains (domain, tenant_id, pending) VALUES (?, ?, ?)`, d.String(), t.ID, pending)
		case was != pending:
			_, err = tx.ExecContext(ctx, `UPDATE tenant_domains SET pending = ? WHERE domain = ?`, pending, d.String())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func tenantRowByID(ctx context.Context, tx *sqlx.Tx, id string) (row tenantRow, err error) {
	err = tx.GetContext(ctx, &row, `SELECT `+tenantColumns+` FROM tenants WHERE id = ?`, id)
	return row, err
}

// notNoRows gives err, or nil when it only says that nothing was found.
func notNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// or gives the first error, or the second where there is none.
func or(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
