package setup

// State is the outcome of a check.
type State string

const (
	OK   State = "ok"
	Warn State = "warn" // works, but somebody should look
	Fail State = "fail" // lxdfleet cannot do its work
)

// Finding is what one check found.
type Finding struct {
	Check   string `json:"check"`
	State   State  `json:"state"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // how to mend it; empty when ok
}

// Failed reports whether any finding is a failure.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Fail {
			return true
		}
	}
	return false
}
