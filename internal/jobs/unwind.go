package jobs

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// unwind undoes, last first, each step that started, and ends the job as undone or
// cancelled; why is the reason it keeps.
func (r *run) unwind(h *history, why failure) error {
	var pending []fleet.JobEvent
	for i := len(r.kind.steps) - 1; i >= 0; i-- {
		s := r.kind.steps[i]
		if !h.started[s.name] || h.undone[s.name] {
			continue
		}
		pending = append(pending, r.event(fleet.EventUndoStarted, s.name, "", nil))
		if s.undo != nil {
			if err := r.write(pending...); err != nil {
				return err
			}
			pending = nil
			if r.base.Err() != nil {
				return r.halted()
			}
			next, err := r.takeBack(s, h.state)
			if broken, ok := errors.AsType[*stepError](err); ok {
				return r.finish(fleet.JobStuck, whileUndone(r.stuck(broken), why))
			}
			if err != nil {
				return err
			}
			h.state = next
		}
		h.undone[s.name] = true
		pending = append(pending, r.event(fleet.EventUndone, s.name, "", h.state))
	}
	if err := r.write(pending...); err != nil {
		return err
	}
	if why.code == fleet.Cancelled && r.snapshot().Cancel {
		return r.finish(fleet.JobCancelled, why)
	}
	return r.finish(fleet.JobUndone, why)
}

// whileUndone is what a job keeps that got stuck on the way back, on which why had sent it.
func whileUndone(stuck, why failure) failure {
	stuck.message += fmt.Sprintf(" (it was being undone because: %s)", why.message)
	stuck.code = why.code // it tells a retry what the job was undone for
	return stuck
}

// takeBack calls the Undo of a step until it succeeds or has failed too often.
func (r *run) takeBack(s step, state json.RawMessage) (json.RawMessage, error) {
	return r.insist(r.base, r.e.opt.UndoAttempts, s.name, "undoing "+s.name, fleet.EventUndoStarted, func() (json.RawMessage, error) {
		next, err := r.call(r.base, s.name, s.undo, state)
		if repeat := r.e.opt.Faults.RepeatUndo; err == nil && repeat != nil && repeat(r.snapshot(), s.name) {
			next, err = r.call(r.base, s.name, s.undo, state)
		}
		return next, err
	})
}
