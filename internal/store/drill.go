package store

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// SaveDrill records a drill, or replaces the record of its id.
func (s *Store) SaveDrill(ctx context.Context, d fleet.Drill) error {
	d.Error = clean(d.Error)
	record, err := toJSON(d)
	if err != nil {
		return err
	}
	return s.write(ctx, "record drill "+d.ID, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO drills (id, backup_id, tenant, passed, record) VALUES (?, ?, ?, ?, ?)`,
			d.ID, d.BackupID, d.Tenant.String(), flag(d.Passed), record)
		return err
	})
}

// Drills lists the drills the filter leaves, newest first.
func (s *Store) Drills(ctx context.Context, filter fleet.DrillFilter) ([]fleet.Drill, error) {
	where, args := []string{"1 = 1"}, []any{}
	narrow := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if filter.Tenant != "" {
		narrow("tenant = ?", filter.Tenant.String())
	}
	if filter.Backup != "" {
		narrow("backup_id = ?", filter.Backup)
	}
	if filter.Failed {
		narrow("passed = 0")
	}
	if filter.Before != "" {
		narrow("id < ?", filter.Before)
	}
	var rows []recordRow
	err := s.read(ctx, "list drills", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT id, record FROM drills WHERE `+strings.Join(where, " AND ")+
			` ORDER BY id DESC`+limited(filter.Limit), args...)
	})
	if err != nil {
		return nil, err
	}
	list := make([]fleet.Drill, len(rows))
	for i, row := range rows {
		if err := fromJSON("record", row.Record, &list[i]); err != nil {
			return nil, damaged("drill "+row.ID, err)
		}
	}
	return list, nil
}

// DeleteDrill drops the record of a drill. A missing one is success.
func (s *Store) DeleteDrill(ctx context.Context, id string) error {
	return s.write(ctx, "forget drill "+id, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM drills WHERE id = ?`, id)
		return err
	})
}
