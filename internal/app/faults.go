//go:build faults

package app

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// killVariable names the kind of job and the number of the event after which the process kills
// itself, as KIND:N. Only a daemon built with the tag faults looks at it: the integration tests.
const killVariable = "LXDFLEET_FAULT_KILL"

// runVariable names the kind of job, one of its steps and a program that is run to its end when
// that step begins, as KIND:STEP:PROGRAM.
const runVariable = "LXDFLEET_FAULT_RUN"

func jobFaults() (jobs.Faults, error) {
	if value := os.Getenv(runVariable); value != "" {
		return runFault(value)
	}
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

func runFault(value string) (jobs.Faults, error) {
	parts := strings.SplitN(value, ":", 3)
	if len(parts) != 3 {
		return jobs.Faults{}, fmt.Errorf("%s=%q: want KIND:STEP:PROGRAM", runVariable, value)
	}
	var once sync.Once
	return jobs.Faults{AfterEvent: func(job fleet.Job, event fleet.JobEvent) {
		if job.Kind == parts[0] && event.Type == fleet.EventStarted && event.Step == parts[1] {
			once.Do(func() {
				if out, err := exec.Command(parts[2]).CombinedOutput(); err != nil {
					fmt.Fprintf(os.Stderr, "%s: %v\n%s", parts[2], err, out)
				}
			})
		}
	}}, nil
}
