package api

import "net/http"

// stream is an answer that writes itself, as long as it takes. It fits every operation that
// streams.
type stream func(w http.ResponseWriter) error

func (s stream) VisitStreamEventsResponse(w http.ResponseWriter) error    { return s(w) }
func (s stream) VisitStreamJobEventsResponse(w http.ResponseWriter) error { return s(w) }
func (s stream) VisitGetTenantLogsResponse(w http.ResponseWriter) error   { return s(w) }
func (s stream) VisitExecTenantResponse(w http.ResponseWriter) error      { return s(w) }
func (s stream) VisitGetSnapshotFileResponse(w http.ResponseWriter) error { return s(w) }
func (s stream) VisitGetBackupFileResponse(w http.ResponseWriter) error   { return s(w) }
func (s stream) VisitExportAuditResponse(w http.ResponseWriter) error     { return s(w) }
