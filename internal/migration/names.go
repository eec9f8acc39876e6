package migration

import (
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// mark ends the names of what a move makes: the last characters of its job's ID, which are random.
func mark(job string) string { return job[max(0, len(job)-8):] }

// copyName is the copy's name until it takes the tenant's, and leftName that of the original from
// then on. An instance's name has at most 63 characters.
func copyName(tenant fleet.Name, job string) string {
	return within63(tenant.String(), "-to-"+mark(job))
}

func leftName(tenant fleet.Name, job string) string {
	return within63(tenant.String(), "-left-"+mark(job))
}

func within63(name, end string) string {
	name = name[:min(len(name), 63-len(end))]
	return strings.TrimRight(name, "-") + end
}

// passPrefix begins the snapshots that a move takes to send differences.
const passPrefix = "lxdfleet-move-"
