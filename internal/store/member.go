package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const memberColumns = `name, cordoned, reason, labels, updated_at, revision`

// memberRow is a row of the table members.
type memberRow struct {
	Name      string `db:"name"`
	Cordoned  int64  `db:"cordoned"`
	Reason    string `db:"reason"`
	Labels    string `db:"labels"`
	UpdatedAt int64  `db:"updated_at"`
	Revision  int64  `db:"revision"`
}

func (r memberRow) record() (fleet.MemberRecord, error) {
	m := fleet.MemberRecord{
		Name: r.Name, Cordoned: r.Cordoned != 0, Reason: r.Reason, UpdatedAt: fromMicros(r.UpdatedAt), Revision: r.Revision,
	}
	if err := fromJSON("labels", r.Labels, &m.Labels); err != nil {
		return fleet.MemberRecord{}, damaged("member "+r.Name, err)
	}
	return m, nil
}

// MemberRecords lists what operators have said of members, by name. Most members have no record.
func (s *Store) MemberRecords(ctx context.Context) ([]fleet.MemberRecord, error) {
	var rows []memberRow
	err := s.read(ctx, "list what is recorded of members", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT `+memberColumns+` FROM members ORDER BY name`)
	})
	if err != nil {
		return nil, err
	}
	out := make([]fleet.MemberRecord, len(rows))
	for i, r := range rows {
		if out[i], err = r.record(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// MemberRecord gives what operators have said of a member; one nobody has spoken of has the zero
// record of its name.
func (s *Store) MemberRecord(ctx context.Context, name string) (fleet.MemberRecord, error) {
	var row memberRow
	err := s.read(ctx, "read what is recorded of member "+name, func(q *sqlx.DB) error {
		row = memberRow{Name: name, Labels: "null"}
		return notNoRows(q.GetContext(ctx, &row, `SELECT `+memberColumns+` FROM members WHERE name = ?`, name))
	})
	if err != nil {
		return fleet.MemberRecord{}, err
	}
	return row.record()
}

// SaveMemberRecord writes m and gives it with its new revision. fleet.Conflict when m.Revision is
// not the stored one, which is 0 where there is none.
func (s *Store) SaveMemberRecord(ctx context.Context, m fleet.MemberRecord) (fleet.MemberRecord, error) {
	if err := fits("member", m.Name); err != nil {
		return fleet.MemberRecord{}, err
	}
	labels, err := toJSON(m.Labels)
	if err != nil {
		return fleet.MemberRecord{}, err
	}
	row := memberRow{
		Name: m.Name, Cordoned: flag(m.Cordoned), Reason: clean(m.Reason), Labels: labels,
		UpdatedAt: micros(m.UpdatedAt), Revision: m.Revision + 1,
	}
	err = s.write(ctx, "record member "+m.Name, func(tx *sqlx.Tx) error {
		var have int64
		err := tx.GetContext(ctx, &have, `SELECT revision FROM members WHERE name = ?`, m.Name)
		there := !errors.Is(err, sql.ErrNoRows)
		if there && err != nil {
			return err
		}
		if have != m.Revision {
			return fleet.Errorf(fleet.Conflict, "what is recorded of member %s has changed since it was read", m.Name).
				WithHint("read it again and repeat the change")
		}
		query := `INSERT INTO members (` + memberColumns + `) VALUES (:name, :cordoned, :reason, :labels, :updated_at, :revision)`
		if there {
			query = `UPDATE members SET cordoned = :cordoned, reason = :reason, labels = :labels, updated_at = :updated_at,
				revision = :revision WHERE name = :name AND revision = :revision - 1`
		}
		done, err := tx.NamedExecContext(ctx, query, row)
		if err != nil {
			return err
		}
		if mine, err := changed(done); err != nil || mine {
			return err
		}
		return fleet.Errorf(fleet.Conflict, "what is recorded of member %s has changed just now", m.Name).
			WithHint("read it again and repeat the change")
	})
	if err != nil {
		return fleet.MemberRecord{}, err
	}
	m.Revision = row.Revision
	return m, nil
}
