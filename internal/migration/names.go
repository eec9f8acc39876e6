package migration

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// copyName is the copy's name until it takes the tenant's, and leftName that of the original from
// then on.
func copyName(job string) string { return fleet.ReservedPrefix + "move-" + job }

func leftName(job string) string { return fleet.ReservedPrefix + "left-" + job }

// passPrefix begins the snapshots that a move takes to send differences. They are no snapshots of
// the tenant's, and go with the move.
func passPrefix(job string) string { return fleet.MoveSnapshotPrefix + job + "-" }
