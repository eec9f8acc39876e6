//go:build !faults

package app

import "github.com/lxdfleet/lxdfleet/internal/jobs"

// jobFaults is nothing in the daemon people run.
func jobFaults() (jobs.Faults, error) { return jobs.Faults{}, nil }
