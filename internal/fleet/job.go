package fleet

import (
	"encoding/json"
	"time"
)

// KindRestore is the kind of the jobs that bring a tenant back to one of its snapshots. Its
// visitors wait meanwhile.
const KindRestore = "snapshot.restore"

// JobState is where a job is in its life. queued → running → done | undoing → undone |
// cancelled; and stuck, from which only an operator's retry leads back to running or undoing.
type JobState string

const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobUndoing   JobState = "undoing"
	JobDone      JobState = "done"      // all steps done
	JobUndone    JobState = "undone"    // failed before the commit point; nothing is left behind
	JobCancelled JobState = "cancelled" // somebody asked, before the commit point; nothing is left behind
	JobStuck     JobState = "stuck"     // gave up where it is; an operator must look
)

// Finished reports whether no runner will touch the job again by itself.
func (s JobState) Finished() bool {
	return s == JobDone || s == JobUndone || s == JobCancelled || s == JobStuck
}

// Job is a durable operation. State of its steps is in its events.
type Job struct {
	ID          string          `json:"id"`
	Kind        string          `json:"kind"`
	KindVersion int             `json:"kind_version"`
	Subject     string          `json:"subject"` // what it works on, "tenant/acme"; one active job per subject
	Args        json.RawMessage `json:"args"`
	State       JobState        `json:"state"`
	// Error is the reason of the failure, once there is one; Hint what to do about it.
	Error     string    `json:"error,omitempty"`
	ErrorCode Code      `json:"error_code,omitempty"`
	Hint      string    `json:"hint,omitempty"`
	Cancel    bool      `json:"cancel,omitempty"` // somebody asked it to stop
	Key       string    `json:"-"`                // idempotency key, unique where not empty
	KeyHash   string    `json:"-"`                // hash of the request the key came with
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// The lease: who runs it, until when, and the epoch that fences out older runners.
	LeaseOwner string    `json:"-"`
	LeaseUntil time.Time `json:"-"`
	LeaseEpoch int64     `json:"-"`
	// NotBefore delays the next claim (back-off).
	NotBefore time.Time `json:"-"`
}

// JobEventType says what happened.
type JobEventType string

const (
	EventStarted     JobEventType = "started"
	EventProgress    JobEventType = "progress"
	EventOutput      JobEventType = "output" // text the step printed
	EventDone        JobEventType = "done"
	EventFailed      JobEventType = "failed"
	EventUndoStarted JobEventType = "undo_started"
	EventUndone      JobEventType = "undone"
	// EventState: the job as a whole changed state; Step is empty and Message the new state.
	EventState JobEventType = "state"
)

// JobEvent is one entry of a job's append-only history.
type JobEvent struct {
	JobID string          `json:"job_id"`
	Seq   int64           `json:"seq"` // 1, 2, 3 … within the job
	Step  string          `json:"step,omitempty"`
	Type  JobEventType    `json:"type"`
	State json.RawMessage `json:"state,omitempty"` // the kind's state after this event (done and undone)
	// Message is a line for people: progress, the error's text, or the output itself.
	Message string    `json:"message,omitempty"`
	Percent int       `json:"percent,omitempty"` // 0 to 100, with progress
	Bytes   int64     `json:"bytes,omitempty"`
	At      time.Time `json:"at"`
}

// Progress is what a step tells while it works. Percent is 0 where it is not known.
type Progress struct {
	Message string
	Percent int
	Bytes   int64
}
