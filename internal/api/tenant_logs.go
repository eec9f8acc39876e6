package api

import (
	"context"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

const (
	defaultLines = 100
	maxLines     = 100_000
)

// GetTenantLogs sends a tenant's log. An error before the first line is a problem document; a
// later one cuts the connection.
func (s *Server) GetTenantLogs(ctx context.Context, r GetTenantLogsRequestObject) (GetTenantLogsResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	wanted := tenants.LogRequest{Lines: defaultLines, Follow: r.Params.Follow, Unit: r.Params.Unit}
	if r.Params.Lines != nil {
		wanted.Lines = *r.Params.Lines
	}
	if wanted.Lines < 1 || wanted.Lines > maxLines {
		return nil, fleet.Errorf(fleet.Invalid, "%d is out of range", wanted.Lines).WithField("lines").
			WithHint("ask for 1 to %d lines", maxLines)
	}
	return stream(func(w http.ResponseWriter) error {
		ctx, done := s.untilShutdown(ctx)
		defer done()
		out := &textWriter{w: w, control: http.NewResponseController(w)}
		err := s.Tenants.Logs(ctx, name, wanted, out)
		if err != nil && ctx.Err() == nil {
			return err
		}
		out.begin()
		return nil
	}), nil
}

// textWriter sends text as it comes. Nothing is sent before the first byte, so that an error
// can still become a problem document.
type textWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (t *textWriter) begin() {
	if t.begun {
		return
	}
	t.begun = true
	h := t.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	t.w.WriteHeader(http.StatusOK)
}

func (t *textWriter) Write(p []byte) (int, error) {
	t.begin()
	_ = t.control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // not every connection can
	n, err := t.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, t.control.Flush()
}
