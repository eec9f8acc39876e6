package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// SaveSnapshot records a snapshot of the tenant with the id, or replaces the record of its name.
// fleet.NotFound where there is no such tenant any more.
func (s *Store) SaveSnapshot(ctx context.Context, tenantID string, snapshot fleet.Snapshot) error {
	return s.write(ctx, "record snapshot "+snapshot.Name, func(tx *sqlx.Tx) error {
		// A statement that writes comes first: a delete of the tenant waits, or is seen.
		result, err := tx.ExecContext(ctx, `UPDATE tenants SET id = id WHERE id = ?`, tenantID)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			if err == nil {
				_, err = tenantRowByID(ctx, tx, tenantID)
			}
			if errors.Is(err, sql.ErrNoRows) {
				return fleet.Errorf(fleet.NotFound, "the tenant of snapshot %s is gone", snapshot.Name).WithHint("lxdfleet tenant list shows which there are")
			}
			if err != nil {
				return err
			}
		}
		return saveSnapshot(ctx, tx, tenantID, snapshot)
	})
}

func saveSnapshot(ctx context.Context, tx *sqlx.Tx, tenantID string, snapshot fleet.Snapshot) error {
	if err := fits("name", snapshot.Name); err != nil {
		return err
	}
	snapshot.Note, snapshot.Why = clean(snapshot.Note), clean(snapshot.Why)
	record, err := toJSON(snapshot)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `REPLACE INTO snapshots (tenant_id, name, record) VALUES (?, ?, ?)`, tenantID, snapshot.Name, record)
	return err
}

// EditSnapshot changes the record of a snapshot by edit, which may be called again. Where there
// is none, edit gets first.
func (s *Store) EditSnapshot(ctx context.Context, tenantID string, first fleet.Snapshot, edit func(*fleet.Snapshot)) (after fleet.Snapshot, err error) {
	err = s.write(ctx, "change the record of snapshot "+first.Name, func(tx *sqlx.Tx) error {
		// Of two who edit one waits for the other.
		if _, err := tx.ExecContext(ctx, `UPDATE snapshots SET record = record WHERE tenant_id = ? AND name = ?`, tenantID, first.Name); err != nil {
			return err
		}
		var record string
		err := tx.GetContext(ctx, &record, `SELECT record FROM snapshots WHERE tenant_id = ? AND name = ?`, tenantID, first.Name)
		after = first
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return err
		default:
			if after, err = snapshotOf(first.Name, record); err != nil {
				return err
			}
		}
		edit(&after)
		after.Name = first.Name
		return saveSnapshot(ctx, tx, tenantID, after)
	})
	return after, err
}

// DeleteSnapshot forgets what is known of a tenant's snapshot. A missing record is success.
func (s *Store) DeleteSnapshot(ctx context.Context, tenantID, name string) error {
	return s.write(ctx, "forget snapshot "+name, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM snapshots WHERE tenant_id = ? AND name = ?`, tenantID, name)
		return err
	})
}

// Snapshots gives the records of a tenant's snapshots by name.
func (s *Store) Snapshots(ctx context.Context, tenantID string) (map[string]fleet.Snapshot, error) {
	all, err := s.snapshots(ctx, ` WHERE tenant_id = ?`, tenantID)
	return all[tenantID], err
}

// AllSnapshots gives the records of all snapshots, by tenant's id and name.
func (s *Store) AllSnapshots(ctx context.Context) (map[string]map[string]fleet.Snapshot, error) {
	return s.snapshots(ctx, "")
}

func (s *Store) snapshots(ctx context.Context, where string, args ...any) (all map[string]map[string]fleet.Snapshot, err error) {
	var rows []struct {
		TenantID string `db:"tenant_id"`
		Name     string `db:"name"`
		Record   string `db:"record"`
	}
	err = s.read(ctx, "read the records of snapshots", func(q *sqlx.DB) error {
		rows = nil
		return q.SelectContext(ctx, &rows, `SELECT tenant_id, name, record FROM snapshots`+where, args...)
	})
	if err != nil {
		return nil, err
	}
	all = map[string]map[string]fleet.Snapshot{}
	for _, row := range rows {
		if all[row.TenantID] == nil {
			all[row.TenantID] = map[string]fleet.Snapshot{}
		}
		if all[row.TenantID][row.Name], err = snapshotOf(row.Name, row.Record); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func snapshotOf(name, record string) (snapshot fleet.Snapshot, err error) {
	if err = fromJSON("record", record, &snapshot); err != nil {
		return fleet.Snapshot{}, damaged(fmt.Sprintf("snapshot %s", name), err)
	}
	return snapshot, nil
}
