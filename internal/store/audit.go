package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// AppendAudit gives the entry its number, the hash of the one before and its own, and stores it.
// Entries of several processes make one chain.
func (s *Store) AppendAudit(ctx context.Context, e fleet.AuditEntry) (fleet.AuditEntry, error) {
	// As it will be read, and so sealed.
	e.At = fromMicros(micros(e.At))
	var err error
	if e.Before, err = compact(e.Before); err != nil {
		return e, err
	}
	if e.After, err = compact(e.After); err != nil {
		return e, err
	}
	err = s.write(ctx, "write to the audit log", func(tx *sqlx.Tx) error {
		// First in the transaction, it makes others wait: numbers are without gaps.
		if _, err := tx.ExecContext(ctx, `UPDATE counters SET value = value + 1 WHERE name = 'audit'`); err != nil {
			return err
		}
		if err := tx.GetContext(ctx, &e.Seq, `SELECT value FROM counters WHERE name = 'audit'`); err != nil {
			return err
		}
		e.Prev = ""
		err := tx.GetContext(ctx, &e.Prev, `SELECT hash FROM audit WHERE seq = ?`, e.Seq-1)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		e.Hash = e.Seal()
		doc, err := toJSON(e)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO audit (seq, at, user_name, operation, subject, hash, doc) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			e.Seq, micros(e.At), e.User, e.Operation, e.Subject, e.Hash, doc)
		return err
	})
	return e, err
}

// compact gives a document as it is after it was stored and read.
func compact(doc json.RawMessage) (json.RawMessage, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fleet.Errorf(fleet.Internal, "a document for the audit log is no JSON: %w", err)
	}
	return text, nil
}

// Audit lists entries, the newest first.
func (s *Store) Audit(ctx context.Context, f fleet.AuditFilter) ([]fleet.AuditEntry, error) {
	where, args := auditWhere(f)
	query := `SELECT doc FROM audit` + where + ` ORDER BY seq DESC`
	if f.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, f.Limit)
	}
	var docs []string
	err := s.read(ctx, "read the audit log", func(q *sqlx.DB) error {
		docs = docs[:0]
		return q.SelectContext(ctx, &docs, query, args...)
	})
	if err != nil {
		return nil, err
	}
	out := make([]fleet.AuditEntry, len(docs))
	for i, doc := range docs {
		if err := fromJSON("doc", doc, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func auditWhere(f fleet.AuditFilter) (where string, args []any) {
	var terms []string
	add := func(term string, values ...any) {
		terms, args = append(terms, term), append(args, values...)
	}
	if f.User != "" {
		add(`user_name = ?`, f.User)
	}
	switch {
	case strings.HasSuffix(f.Subject, "/"):
		add(`subject >= ? AND subject < ?`, f.Subject, strings.TrimSuffix(f.Subject, "/")+"0") // 0 comes after /
	case f.Subject != "":
		add(`subject = ?`, f.Subject)
	}
	if f.Operation != "" {
		add(`operation = ?`, f.Operation)
	}
	if f.Tenants != nil {
		subjects := []any{""} // never empty, and no entry of a tenant has it
		for _, t := range f.Tenants {
			subjects = append(subjects, "tenant/"+t.String())
		}
		add(`subject <> '' AND subject IN `+marks(len(subjects)), subjects...)
	}
	if !f.From.IsZero() {
		add(`at >= ?`, micros(f.From))
	}
	if !f.To.IsZero() {
		add(`at < ?`, micros(f.To))
	}
	if f.Before > 0 {
		add(`seq < ?`, f.Before)
	}
	if len(terms) == 0 {
		return "", nil
	}
	return ` WHERE ` + strings.Join(terms, ` AND `), args
}
