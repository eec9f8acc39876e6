package store

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ScheduleMarks tells how far the schedules of one sort (snapshots, backups, drills) were
// followed, by tenant's id.
func (s *Store) ScheduleMarks(ctx context.Context, what string) (map[string]fleet.ScheduleMark, error) {
	var rows []struct {
		TenantID string `db:"tenant_id"`
		Rule     string `db:"rule"`
		LastAt   int64  `db:"last_at"`
	}
	err := s.read(ctx, "read the schedule of "+what, func(q *sqlx.DB) error {
		rows = nil
		return q.SelectContext(ctx, &rows, `SELECT tenant_id, rule, last_at FROM schedule_marks WHERE what = ?`, what)
	})
	if err != nil {
		return nil, err
	}
	marks := make(map[string]fleet.ScheduleMark, len(rows))
	for _, row := range rows {
		marks[row.TenantID] = fleet.ScheduleMark{Rule: row.Rule, Last: fromMicros(row.LastAt)}
	}
	return marks, nil
}

// marksAtOnce bounds a transaction.
const marksAtOnce = 500

// SaveScheduleMarks notes how far schedules were followed. It may be done in parts where it fails.
func (s *Store) SaveScheduleMarks(ctx context.Context, what string, marks map[string]fleet.ScheduleMark) error {
	part := make(map[string]fleet.ScheduleMark, min(len(marks), marksAtOnce))
	for id, mark := range marks {
		part[id] = mark
		if len(part) == marksAtOnce {
			if err := s.saveMarks(ctx, what, part); err != nil {
				return err
			}
			clear(part)
		}
	}
	if len(part) == 0 {
		return nil
	}
	return s.saveMarks(ctx, what, part)
}

func (s *Store) saveMarks(ctx context.Context, what string, marks map[string]fleet.ScheduleMark) error {
	return s.write(ctx, "note the schedule of "+what, func(tx *sqlx.Tx) error {
		for id, mark := range marks {
			_, err := tx.ExecContext(ctx, `REPLACE INTO schedule_marks (what, tenant_id, rule, last_at) VALUES (?, ?, ?, ?)`,
				what, id, mark.Rule, micros(mark.Last))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
