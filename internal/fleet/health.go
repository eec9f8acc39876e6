package fleet

import "time"

// HealthCheck says when an instance's application is well: an HTTP GET of Path on Port,
// with Host as its Host header, answers with Status within Timeout of the start.
type HealthCheck struct {
	Port    int           `json:"port"`           // TCP port of the application, 1 to 65535
	Path    string        `json:"path"`           // starts with a slash
	Status  int           `json:"status"`         // wanted status code; 0 means any from 200 to 399
	Body    string        `json:"body,omitempty"` // text the answer must contain; empty for any
	Timeout time.Duration `json:"timeout_ns"`     // from start to the first good answer
}

// DefaultHealth is used by images that say nothing: GET / on port 80 within a minute.
func DefaultHealth() HealthCheck { return HealthCheck{Port: 80, Path: "/", Timeout: time.Minute} }

// Accepts reports whether an answer with this status code passes.
func (h HealthCheck) Accepts(status int) bool {
	if h.Status == 0 {
		return status >= 200 && status < 400
	}
	return status == h.Status
}
