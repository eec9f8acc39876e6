package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// SaveBackup records a backup, or replaces the record of its id.
func (s *Store) SaveBackup(ctx context.Context, b fleet.Backup) error {
	return s.write(ctx, "record backup "+b.ID, func(tx *sqlx.Tx) error { return saveBackup(ctx, tx, b) })
}

func saveBackup(ctx context.Context, tx *sqlx.Tx, b fleet.Backup) error {
	b.Note, b.Why, b.Damage = clean(b.Note), clean(b.Why), clean(b.Damage)
	record, err := toJSON(b)
	if err != nil {
		return err
	}
	if err := fits("id", b.ID); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `REPLACE INTO backups (id, tenant, tenant_id, job_id, taken_at, damaged, record)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, b.ID, b.Tenant.String(), b.TenantID, b.JobID, micros(b.TakenAt), flag(b.Damage != ""), record)
	return err
}

// EditBackup changes the record of a backup by edit, which may be called again. fleet.NotFound.
func (s *Store) EditBackup(ctx context.Context, id string, edit func(*fleet.Backup)) (after fleet.Backup, err error) {
	err = s.write(ctx, "change the record of backup "+id, func(tx *sqlx.Tx) error {
		// A statement that writes comes first: of two who edit one waits for the other.
		if _, err := tx.ExecContext(ctx, `UPDATE backups SET damaged = damaged WHERE id = ?`, id); err != nil {
			return err
		}
		var record string
		err := tx.GetContext(ctx, &record, `SELECT record FROM backups WHERE id = ?`, id)
		if errors.Is(err, sql.ErrNoRows) {
			return noBackup(id)
		}
		if err != nil {
			return err
		}
		if after, err = backupOf(id, record); err != nil {
			return err
		}
		edit(&after)
		after.ID = id
		return saveBackup(ctx, tx, after)
	})
	return after, err
}

// Backup gives the record of a backup; fleet.NotFound.
func (s *Store) Backup(ctx context.Context, id string) (fleet.Backup, error) {
	var record string
	err := s.read(ctx, "read backup "+id, func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &record, `SELECT record FROM backups WHERE id = ?`, id)
		if errors.Is(err, sql.ErrNoRows) {
			return noBackup(id)
		}
		return err
	})
	if err != nil {
		return fleet.Backup{}, err
	}
	return backupOf(id, record)
}

// Backups lists the records the filter leaves, newest first where it says nothing else.
func (s *Store) Backups(ctx context.Context, filter fleet.BackupFilter) (found []fleet.Backup, err error) {
	// What a record alone tells is looked for in it, a portion of records after the other.
	portion := filter
	if filter.Limit > 0 && (filter.Policy != "" || filter.Consistency != "" || filter.Pinned != nil) {
		portion.Limit = max(filter.Limit, recordsAtOnce)
	}
	for {
		list, err := s.backupPortion(ctx, portion)
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if filter.Keeps(b) {
				found = append(found, b)
			}
			if filter.Limit > 0 && len(found) == filter.Limit {
				return found, nil
			}
		}
		if portion.Limit <= 0 || len(list) < portion.Limit {
			return found, nil
		}
		portion.Before = &list[len(list)-1]
	}
}

// recordsAtOnce is how many records are read at least where some of them are left out.
const recordsAtOnce = 500

// backupPortion lists what the columns of the table tell.
func (s *Store) backupPortion(ctx context.Context, filter fleet.BackupFilter) ([]fleet.Backup, error) {
	where, args := []string{"1 = 1"}, []any{}
	narrow := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if filter.Tenant != "" {
		narrow("tenant = ?", filter.Tenant.String())
	}
	if filter.TenantID != "" {
		narrow("tenant_id = ?", filter.TenantID)
	}
	if filter.JobID != "" {
		narrow("job_id = ?", filter.JobID)
	}
	if filter.Damaged {
		narrow("damaged = 1")
	}
	if !filter.From.IsZero() {
		narrow("taken_at >= ?", micros(filter.From))
	}
	if !filter.To.IsZero() {
		narrow("taken_at < ?", micros(filter.To))
	}
	follows, way := "<", "DESC"
	if filter.OldestFirst {
		follows, way = ">", "ASC"
	}
	if b := filter.Before; b != nil {
		at := micros(b.TakenAt)
		narrow("(taken_at "+follows+" ? OR taken_at = ? AND id "+follows+" ?)", at, at, b.ID)
	}
	var rows []recordRow
	err := s.read(ctx, "list backups", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT id, record FROM backups WHERE `+strings.Join(where, " AND ")+
			` ORDER BY taken_at `+way+`, id `+way+limited(filter.Limit), args...)
	})
	if err != nil {
		return nil, err
	}
	list := make([]fleet.Backup, len(rows))
	for i, row := range rows {
		if list[i], err = backupOf(row.ID, row.Record); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// DeleteBackup drops the record of a backup. A missing one is success.
func (s *Store) DeleteBackup(ctx context.Context, id string) error {
	return s.write(ctx, "forget backup "+id, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM backups WHERE id = ?`, id)
		return err
	})
}

// BackupFact gives a fact about the repository; empty where it was never noted.
func (s *Store) BackupFact(ctx context.Context, name string) (value string, err error) {
	err = s.read(ctx, "read a fact about the backups", func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &value, `SELECT value FROM backup_facts WHERE name = ?`, name)
		if errors.Is(err, sql.ErrNoRows) {
			value = ""
			return nil
		}
		return err
	})
	return value, err
}

// SetBackupFact notes a fact about the repository.
func (s *Store) SetBackupFact(ctx context.Context, name, value string) error {
	return s.write(ctx, "note a fact about the backups", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO backup_facts (name, value) VALUES (?, ?)`, name, clean(value))
		return err
	})
}

// limited ends a query that gives at most n rows; 0: all.
func limited(n int) string {
	if n <= 0 {
		return ""
	}
	return " LIMIT " + strconv.Itoa(n)
}

// recordRow is a row of a table that keeps what it has as JSON.
type recordRow struct {
	ID     string `db:"id"`
	Record string `db:"record"`
}

func backupOf(id, record string) (fleet.Backup, error) {
	var b fleet.Backup
	if err := fromJSON("record", record, &b); err != nil {
		return fleet.Backup{}, damaged("backup "+id, err)
	}
	return b, nil
}

func noBackup(id string) error {
	return fleet.Errorf(fleet.NotFound, "there is no backup %s", id).WithField("backup").
		WithHint("lxdfleet backup list shows those there are")
}
