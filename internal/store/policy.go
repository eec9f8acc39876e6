package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Policies lists all policies, by name.
func (s *Store) Policies(ctx context.Context) (all []fleet.Policy, err error) {
	var rows []policyRow
	err = s.read(ctx, "list policies", func(q *sqlx.DB) error {
		rows = nil
		return q.SelectContext(ctx, &rows, `SELECT name, revision, record FROM policies`)
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		p, err := row.policy()
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b fleet.Policy) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Policy gives a policy; fleet.NotFound.
func (s *Store) Policy(ctx context.Context, name string) (p fleet.Policy, err error) {
	var row policyRow
	err = s.read(ctx, "read policy "+name, func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &row, `SELECT name, revision, record FROM policies WHERE name = ?`, name)
		return or(noPolicy(name, err), err)
	})
	if err != nil {
		return fleet.Policy{}, err
	}
	return row.policy()
}

// SavePolicy stores a new policy, of revision 0, or changes one, and gives it with its new
// revision. fleet.Taken with field "name" for a new one whose name there is; fleet.Conflict
// where the stored one has another revision; fleet.NotFound where it is gone.
func (s *Store) SavePolicy(ctx context.Context, p fleet.Policy) (fleet.Policy, error) {
	if err := fits("name", p.Name); err != nil {
		return fleet.Policy{}, err
	}
	p.Description = clean(p.Description)
	stored := p
	stored.Revision++
	record, err := toJSON(stored)
	if err != nil {
		return fleet.Policy{}, err
	}
	err = s.write(ctx, "store policy "+p.Name, func(tx *sqlx.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE policies SET revision = revision + 1, record = ? WHERE name = ? AND revision = ? AND revision > 0`,
			record, p.Name, p.Revision)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		var revision int64
		err = tx.GetContext(ctx, &revision, `SELECT revision FROM policies WHERE name = ?`, p.Name)
		switch {
		case errors.Is(err, sql.ErrNoRows) && p.Revision == 0:
			_, err = tx.ExecContext(ctx, `INSERT INTO policies (name, revision, record) VALUES (?, 1, ?)`, p.Name, record)
			return err
		case err != nil:
			return or(noPolicy(p.Name, err), err)
		case p.Revision == 0:
			return fleet.Errorf(fleet.Taken, "there is a policy %s already", p.Name).WithField("name").WithHint("choose another name, or change that one")
		}
		return fleet.Errorf(fleet.Conflict, "policy %s has changed since it was read", p.Name).WithHint("read it again and repeat the change")
	})
	if err != nil {
		return fleet.Policy{}, err
	}
	return policyRow{Name: p.Name, Revision: stored.Revision, Record: record}.policy()
}

// DeletePolicy removes a policy; fleet.NotFound.
func (s *Store) DeletePolicy(ctx context.Context, name string) error {
	return s.write(ctx, "delete policy "+name, func(tx *sqlx.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM policies WHERE name = ?`, name)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return noPolicy(name, sql.ErrNoRows)
	})
}

type policyRow struct {
	Name     string `db:"name"`
	Revision int64  `db:"revision"`
	Record   string `db:"record"`
}

func (r policyRow) policy() (p fleet.Policy, err error) {
	if err = fromJSON("record", r.Record, &p); err != nil {
		return fleet.Policy{}, damaged("policy "+r.Name, err)
	}
	p.Revision = r.Revision
	return p, nil
}

// noPolicy is nil for another error than that there is no row.
func noPolicy(name string, err error) error {
	if !errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return fleet.Errorf(fleet.NotFound, "there is no policy %s", name).WithField("name").WithHint("lxdfleet policy list shows them")
}
