package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// One INSERT carries at most this many events, and text of about this many bytes.
const (
	eventsAtOnce = 100
	bytesAtOnce  = 1 << 20
	idsAtOnce    = 500 // that one SELECT names
)

const eventColumns = `job_id, seq, step, type, state, message, percent, bytes, at`

// eventRow is a row of the table job_events.
type eventRow struct {
	JobID   string `db:"job_id"`
	Seq     int64  `db:"seq"`
	Step    string `db:"step"`
	Type    string `db:"type"`
	State   string `db:"state"`
	Message string `db:"message"`
	Percent int    `db:"percent"`
	Bytes   int64  `db:"bytes"`
	At      int64  `db:"at"`
}

// AppendEvents stores events in order and returns them with their numbers; see [jobs.Store].
// The job counts as updated at the time of the last one.
func (s *Store) AppendEvents(ctx context.Context, id string, epoch int64, events []fleet.JobEvent) ([]fleet.JobEvent, error) {
	var stored []fleet.JobEvent
	err := s.write(ctx, "store events of job "+id, func(tx *sqlx.Tx) (err error) {
		set, args := `last_seq = last_seq + ?`, []any{len(events)}
		if n := len(events); n > 0 && !events[n-1].At.IsZero() {
			set, args = set+`, updated_at = ?`, append(args, micros(events[n-1].At))
		}
		if err := fenced(ctx, tx, id, epoch, set, args...); err != nil {
			return err
		}
		stored, err = appendEvents(ctx, tx, id, events)
		return err
	})
	return stored, err
}

// JobEvents lists events with a number above after, in order, at most limit (0: all). A job
// that does not exist has none.
func (s *Store) JobEvents(ctx context.Context, id string, after int64, limit int) ([]fleet.JobEvent, error) {
	query := `SELECT ` + eventColumns + ` FROM job_events WHERE job_id = ? AND seq > ? ORDER BY seq`
	args := []any{id, after}
	if limit > 0 {
		query, args = query+` LIMIT ?`, append(args, limit)
	}
	var rows []eventRow
	err := s.read(ctx, "read events of job "+id, func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, query, args...)
	})
	if err != nil {
		return nil, err
	}
	events := make([]fleet.JobEvent, len(rows))
	for i, r := range rows {
		events[i] = r.event()
	}
	return events, nil
}

// LastStates gives, of each of the jobs that has any, the state that its last done or undone event
// stored; see [jobs.Store].
func (s *Store) LastStates(ctx context.Context, ids []string) (map[string]json.RawMessage, error) {
	states := map[string]json.RawMessage{}
	for some := range slices.Chunk(ids, idsAtOnce) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = id
		}
		var rows []eventRow
		err := s.read(ctx, "read what jobs have stored", func(q *sqlx.DB) error {
			rows = rows[:0]
			return q.SelectContext(ctx, &rows, `SELECT e.job_id, e.state FROM job_events e JOIN (
				SELECT job_id, MAX(seq) AS seq FROM job_events WHERE job_id IN `+marks(len(some))+` AND type IN ('done', 'undone') GROUP BY job_id
			) latest ON latest.job_id = e.job_id AND latest.seq = e.seq`, args...)
		})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			states[r.JobID] = raw(r.State)
		}
	}
	return states, nil
}

// appendEvents inserts events whose numbers the caller has counted into last_seq, in this
// transaction: its UPDATE holds the job's row, so no other writer's numbers are among them.
func appendEvents(ctx context.Context, tx *sqlx.Tx, id string, events []fleet.JobEvent) ([]fleet.JobEvent, error) {
	var last int64
	if err := tx.GetContext(ctx, &last, `SELECT last_seq FROM jobs WHERE id = ?`, id); err != nil {
		return nil, err
	}
	stored := slices.Clone(events)
	for i := range stored {
		e := &stored[i]
		e.JobID, e.Seq = id, last-int64(len(stored)-1-i)
		e.At, e.Message, e.Step = e.At.Truncate(time.Microsecond).UTC(), clean(e.Message), clean(e.Step)
	}
	for rest := stored; len(rest) > 0; {
		n := portion(rest)
		if err := insertEvents(ctx, tx, rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return stored, nil
}

// portion says how many of the events go into one statement: at least one.
func portion(events []fleet.JobEvent) int {
	size := 0
	for i, e := range events {
		size += len(e.Message) + len(e.State)
		if i > 0 && size > bytesAtOnce {
			return min(i, eventsAtOnce)
		}
	}
	return min(len(events), eventsAtOnce)
}

func insertEvents(ctx context.Context, tx *sqlx.Tx, events []fleet.JobEvent) error {
	rows := make([]string, len(events))
	var args []any
	for i, e := range events {
		rows[i] = marks(9)
		args = append(args, e.JobID, e.Seq, e.Step, string(e.Type), string(e.State), e.Message, e.Percent, e.Bytes, micros(e.At))
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO job_events (`+eventColumns+`) VALUES `+strings.Join(rows, ", "), args...)
	return err
}

func (r eventRow) event() fleet.JobEvent {
	return fleet.JobEvent{
		JobID: r.JobID, Seq: r.Seq, Step: r.Step, Type: fleet.JobEventType(r.Type), State: raw(r.State),
		Message: r.Message, Percent: r.Percent, Bytes: r.Bytes, At: fromMicros(r.At),
	}
}
