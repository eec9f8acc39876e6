package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// audited writes each change, and each refused one, into the audit log. It does so just before
// the answer begins: who has the answer finds the entry. Changes of one subject come one after the
// other, so that what a change begins with is what it was asked for of.
func (s *Server) audited(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		c, known := ec.Request().Context().Value(callKey{}).(*call)
		if !known || !c.access.audit {
			return next(ec)
		}
		c.subject = subjectOf(ec, c)
		var before json.RawMessage
		if c.access.method != http.MethodGet {
			done, err := s.turnOf(ec.Request().Context(), c.subject)
			if err != nil {
				return err
			}
			c.release = sync.OnceFunc(done)
			defer c.release()
			before = s.document(ec.Request().Context(), c.subject)
			changed := before
			thing := thingOf(ec, c)
			if thing != c.subject && conditional(ec.Request()) {
				changed = s.document(ec.Request().Context(), thing)
			}
			if err := matches(ec.Request(), thing, changed); err != nil {
				s.record(ec, c, c.subject, before)
				return err
			}
		}
		s.record(ec, c, c.subject, before)
		return next(ec)
	}
}

// record has the entry written once the status of the answer is known.
func (s *Server) record(ec echo.Context, c *call, subject string, before json.RawMessage) {
	if !c.access.audit {
		return
	}
	var once sync.Once
	c.note = func(status int, location string) {
		once.Do(func() { s.write(context.WithoutCancel(ec.Request().Context()), c, subject, before, status, location) })
	}
	ec.Response().Before(func() { c.note(ec.Response().Status, ec.Response().Header().Get("Location")) })
}

// write writes an entry of the audit log.
func (s *Server) write(ctx context.Context, c *call, subject string, before json.RawMessage, status int, location string) {
	e := fleet.AuditEntry{Operation: c.access.operation, Status: status, Before: before, Subject: subject}
	if c.subject != "" && c.subject != subject {
		e.Subject, e.Before = c.subject, nil
	}
	if e.Status < 300 && e.Subject != "" && c.access.method != http.MethodGet {
		e.After = s.document(ctx, e.Subject)
	}
	if job, ok := strings.CutPrefix(location, "/v1/jobs/"); ok {
		e.Job = job
	}
	caller := c.caller
	if caller.User == "" && c.user != "" {
		caller.Kind, caller.User, caller.Name = fleet.CallerSession, c.user, c.user
	}
	if err := s.Accounts.Note(ctx, caller, e); err != nil {
		s.log.Error("a change could not be written into the audit log", "operation", e.Operation, "subject", e.Subject,
			"actor", caller.String(), "address", caller.Address, "status", e.Status, "error", err)
	}
}

// ListAudit gives a page of the audit log.
func (s *Server) ListAudit(ctx context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	size, before, err := pageOf(r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	f := fleet.AuditFilter{
		User: r.Params.User, Subject: r.Params.Subject, Operation: r.Params.Operation,
		From: r.Params.From, To: r.Params.To, Limit: size + 1,
	}
	if before != "" {
		if f.Before, err = strconv.ParseInt(before, 10, 64); err != nil {
			return nil, fleet.Errorf(fleet.Invalid, "%q is not a cursor", r.Params.Cursor).WithField("cursor").
				WithHint("give next_cursor of the page before, unchanged")
		}
	}
	entries, err := s.Accounts.Audit(ctx, callerOf(ctx), f)
	if err != nil {
		return nil, err
	}
	entries, next := cut(entries, size, func(e fleet.AuditEntry) string { return strconv.FormatInt(e.Seq, 10) })
	list := AuditList{Items: make([]AuditEntry, len(entries)), NextCursor: next}
	for i, e := range entries {
		list.Items[i] = auditOut(e)
	}
	return ListAudit200JSONResponse(list), nil
}

// exportPage is how many entries an export reads at a time.
const exportPage = 500

// ExportAudit sends the audit log as lines.
func (s *Server) ExportAudit(ctx context.Context, r ExportAuditRequestObject) (ExportAuditResponseObject, error) {
	f := fleet.AuditFilter{
		User: r.Params.User, Subject: r.Params.Subject, Operation: r.Params.Operation,
		From: r.Params.From, To: r.Params.To, Limit: exportPage,
	}
	caller := callerOf(ctx)
	page, err := s.Accounts.Audit(ctx, caller, f)
	if err != nil {
		return nil, err
	}
	return stream(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Content-Disposition", `attachment; filename="lxdfleet-audit.ndjson"`)
		w.WriteHeader(http.StatusOK)
		for out := json.NewEncoder(w); len(page) > 0; {
			for _, e := range page {
				if err := out.Encode(auditOut(e)); err != nil {
					return nil //nolint:nilerr // the client has left
				}
			}
			if len(page) < exportPage {
				break
			}
			f.Before = page[len(page)-1].Seq
			if page, err = s.Accounts.Audit(ctx, caller, f); err != nil {
				return fmt.Errorf("read on in the audit log: %w", err)
			}
		}
		return nil
	}), nil
}

// CheckAudit looks whether the audit log is as it was written.
func (s *Server) CheckAudit(ctx context.Context, _ CheckAuditRequestObject) (CheckAuditResponseObject, error) {
	last, flaws, err := s.Accounts.Check(ctx)
	if err != nil {
		return nil, err
	}
	out := AuditCheck{Entries: last.Seq, LastHash: last.Hash, Flaws: make([]AuditFlaw, len(flaws))}
	for i, f := range flaws {
		out.Flaws[i] = AuditFlaw{Seq: f.Seq, What: f.What}
	}
	return CheckAudit200JSONResponse(out), nil
}

func auditOut(e fleet.AuditEntry) AuditEntry {
	out := AuditEntry{
		Seq: e.Seq, At: e.At, Actor: e.Actor, User: e.User, Address: e.Address, Operation: e.Operation, Subject: e.Subject,
		Status: e.Status, Job: e.Job, Prev: e.Prev, Hash: e.Hash,
	}
	if len(e.Before) > 0 {
		out.Before = e.Before
	}
	if len(e.After) > 0 {
		out.After = e.After
	}
	return out
}
