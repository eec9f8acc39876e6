package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// TakeDomain writes t, which has the domain d, as UpdateTenant does, and in the same step takes
// d from the tenant that has it. It gives both as they are now stored; was is zero where d was
// nobody else's. Errors as of UpdateTenant.
func (s *Store) TakeDomain(ctx context.Context, d fleet.Domain, t fleet.Tenant) (was, now fleet.Tenant, err error) {
	row, err := toTenantRow(t)
	if err != nil {
		return fleet.Tenant{}, fleet.Tenant{}, err
	}
	err = s.write(ctx, "give the domain "+d.String()+" to tenant "+t.Name.String(), func(tx *sqlx.Tx) error {
		if err := grow(ctx, tx); err != nil {
			return err
		}
		if was, err = yield(ctx, tx, d, t.ID); err != nil {
			return err
		}
		if err := replace(ctx, tx, t, row); err != nil {
			return err
		}
		stored, err := tenantRowByID(ctx, tx, t.ID)
		if err != nil {
			return err
		}
		now, err = stored.tenant()
		return err
	})
	if err != nil {
		return fleet.Tenant{}, fleet.Tenant{}, err
	}
	return was, now, nil
}

// yield takes d from the tenant that has it, unless that is the one with the id.
func yield(ctx context.Context, tx *sqlx.Tx, d fleet.Domain, id string) (fleet.Tenant, error) {
	var owner string
	err := tx.GetContext(ctx, &owner, `SELECT tenant_id FROM tenant_domains WHERE domain = ? AND tenant_id <> ?`, d.String(), id)
	if errors.Is(err, sql.ErrNoRows) {
		return fleet.Tenant{}, nil
	}
	if err != nil {
		return fleet.Tenant{}, err
	}
	stored, err := tenantRowByID(ctx, tx, owner)
	if err != nil {
		return fleet.Tenant{}, err
	}
	t, err := stored.tenant()
	if err != nil {
		return fleet.Tenant{}, err
	}
	t.DropDomain(d)
	row, err := toTenantRow(t)
	if err != nil {
		return fleet.Tenant{}, err
	}
	err = replace(ctx, tx, t, row)
	t.Revision++
	return t, err
}

// checkRow is what tenant_domains holds of a domain's last check.
type checkRow struct {
	Domain string         `db:"domain"`
	At     int64          `db:"check_at"`
	Next   int64          `db:"check_next"`
	Fails  int            `db:"check_fails"`
	Error  sql.NullString `db:"check_error"`
}

const checkColumns = `domain, check_at, check_next, check_fails, check_error`

func (r checkRow) check() fleet.DomainCheck {
	return fleet.DomainCheck{At: fromMicros(r.At), Next: fromMicros(r.Next), Fails: r.Fails, Error: r.Error.String}
}

// DomainCheck gives the outcome of the last look for the domain's proof: the zero one where it
// was never looked for, fleet.NotFound where no tenant has the domain.
func (s *Store) DomainCheck(ctx context.Context, d fleet.Domain) (fleet.DomainCheck, error) {
	var row checkRow
	err := s.read(ctx, "read the last check of "+d.String(), func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &row, `SELECT `+checkColumns+` FROM tenant_domains WHERE domain = ?`, d.String())
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.Errorf(fleet.NotFound, "no tenant has the domain %s", d).WithHint("lxdfleet domain list shows those there are")
		}
		return err
	})
	if err != nil {
		return fleet.DomainCheck{}, err
	}
	return row.check(), nil
}

// PendingChecks gives the pending domains of all tenants with their last checks.
func (s *Store) PendingChecks(ctx context.Context) (map[fleet.Domain]fleet.DomainCheck, error) {
	var rows []checkRow
	err := s.read(ctx, "list pending domains", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT `+checkColumns+` FROM tenant_domains WHERE pending = 1`)
	})
	if err != nil {
		return nil, err
	}
	checks := make(map[fleet.Domain]fleet.DomainCheck, len(rows))
	for _, r := range rows {
		checks[fleet.Domain(r.Domain)] = r.check()
	}
	return checks, nil
}

// SaveDomainCheck keeps the outcome of a look for the proof that the tenant with the id may
// have d. Where the tenant has not d any more nothing is written, which is no error. It changes
// neither the tenant's revision nor the generation.
func (s *Store) SaveDomainCheck(ctx context.Context, id string, d fleet.Domain, check fleet.DomainCheck) error {
	return s.write(ctx, "write the check of "+d.String(), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE tenant_domains SET check_at = ?, check_next = ?, check_fails = ?, check_error = ?
			WHERE domain = ? AND tenant_id = ?`,
			micros(check.At), micros(check.Next), check.Fails, clean(check.Error), d.String(), id)
		return err
	})
}
