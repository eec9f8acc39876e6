//go:build faults

package app

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// killVariable names the kind of job and the number of the event after which the process kills
// itself, as KIND:N. Only a daemon built with the tag faults looks at it: the integration tests.
const killVariable = "LXDFLEET_FAULT_KILL"

func jobFaults() (jobs.Faults, error) {
	value := os.Getenv(killVariable)
	if value == "" {
		return jobs.Faults{}, nil
	}
	kind, number, _ := strings.Cut(value, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return jobs.Faults{}, fmt.Errorf("%s=%q: want KIND:N", killVariable, value)
	}
	var seen atomic.Int64
	return jobs.Faults{AfterEvent: func(job fleet.Job, _ fleet.JobEvent) {
		if job.Kind == kind && seen.Add(1) == n {
			// SIGKILL: nothing is flushed, closed or told, as in a power cut.
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {}
		}
	}}, nil
}
