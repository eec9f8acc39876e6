package jobs

import (
	"errors"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// failure is an error as a job keeps it.
type failure struct {
	message string
	code    fleet.Code
	hint    string
}

func failureOf(err error) failure {
	f := failure{message: err.Error(), code: fleet.CodeOf(err)}
	if e, ok := errors.AsType[*fleet.Error](err); ok && e.Hint != "" {
		f.hint = e.Hint
		f.message = strings.TrimSuffix(f.message, " ("+e.Hint+")")
	}
	return f
}

func cancellation() failure {
	return failure{message: "cancelled on request", code: fleet.Cancelled}
}

// original gives back why a job turned round, from the job and, where an undo that was stuck
// has since taken the job's message, from its events.
func original(job fleet.Job, h *history) failure {
	switch {
	case job.Cancel && job.ErrorCode == fleet.Cancelled:
		return cancellation()
	case h.last == fleet.JobStuck && h.failure != "":
		return failure{message: h.failure, code: job.ErrorCode}
	}
	return failure{message: job.Error, code: job.ErrorCode, hint: job.Hint}
}
