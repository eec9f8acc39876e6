package jobs

import (
	"encoding/json"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// history is what a job's events tell about where it stands.
type history struct {
	state   json.RawMessage // the kind's state: that of the last done or undone event, else the arguments
	started map[string]bool
	done    map[string]bool
	undone  map[string]bool
	last    fleet.JobState // of the last state event; empty where there is none
	undoing bool           // the job turned back once, so it only goes back
	failure string         // what the last failed step said before the job turned back
	output  int            // bytes of output stored
}

// replay reads a job's events, which are in order.
func replay(job fleet.Job, events []fleet.JobEvent) *history {
	h := &history{state: job.Args, started: map[string]bool{}, done: map[string]bool{}, undone: map[string]bool{}}
	for _, ev := range events {
		switch ev.Type {
		case fleet.EventStarted:
			h.started[ev.Step] = true
		case fleet.EventDone:
			h.done[ev.Step], h.state = true, ev.State
		case fleet.EventUndone:
			h.undone[ev.Step], h.state = true, ev.State
		case fleet.EventFailed:
			if !h.undoing {
				h.failure = ev.Message
			}
		case fleet.EventOutput:
			h.output += len(ev.Message)
		case fleet.EventState:
			h.last = fleet.JobState(ev.Message)
			h.undoing = h.undoing || h.last == fleet.JobUndoing
		case fleet.EventProgress, fleet.EventUndoStarted:
		}
	}
	return h
}

// next is the index of the first step that is not done.
func (h *history) next(k *kind) int {
	for i, s := range k.steps {
		if !h.done[s.name] {
			return i
		}
	}
	return len(k.steps)
}

// committed tells the step at or past the commit point that has started; empty: none.
func (h *history) committed(k *kind) string {
	for _, s := range k.steps[k.commit:] {
		if h.started[s.name] {
			return s.name
		}
	}
	return ""
}
