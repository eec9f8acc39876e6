package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// eventWriter writes server-sent events, each at once. A client that takes none for a while
// makes the write fail.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	patient time.Duration // how long a write may take
}

func newEventWriter(w http.ResponseWriter) (*eventWriter, error) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	e := &eventWriter{w: w, control: http.NewResponseController(w), patient: 30 * time.Second}
	return e, e.control.Flush()
}

// event writes one event; data becomes one line of JSON.
func (e *eventWriter) event(id, name string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("event %s: %w", name, err)
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return e.write(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, name, text))
}

// keepAlive writes a comment, so that whatever is between knows that the stream is alive.
func (e *eventWriter) keepAlive() error { return e.write(": keep-alive\n\n") }

func (e *eventWriter) write(text string) error {
	// Not every connection can have a deadline; then a stuck client is noticed later.
	_ = e.control.SetWriteDeadline(time.Now().Add(e.patient))
	if _, err := io.WriteString(e.w, text); err != nil {
		return err
	}
	return e.control.Flush()
}
