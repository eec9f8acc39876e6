package bulk

import (
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Action is what is done to each tenant.
type Action string

const (
	Start    Action = "start"
	Stop     Action = "stop"
	Restart  Action = "restart"
	Snapshot Action = "snapshot"
	Backup   Action = "backup"
	Move     Action = "move"
	Resize   Action = "resize" // another plan
	Delete   Action = "delete" // into the trash; only of tenants that are named
)

// Actions lists all there are.
func Actions() []Action {
	return []Action{Start, Stop, Restart, Snapshot, Backup, Move, Resize, Delete}
}

func (a Action) known() bool { return slices.Contains(Actions(), a) }

// did is what a tenant is after it.
func (a Action) did() string {
	switch a {
	case Start:
		return "started"
	case Stop:
		return "stopped"
	case Restart:
		return "restarted"
	case Snapshot:
		return "snapshotted"
	case Backup:
		return "backed up"
	case Move:
		return "moved"
	case Resize:
		return "resized"
	case Delete:
		return "put into the trash"
	}
	return "done"
}

// wants reports whether it makes sense for a tenant that a selector chose: one that is in the
// trash already, or not made yet, is nobody's wish.
func (r Request) wants(t fleet.Tenant) bool {
	if t.Desired == fleet.DesiredRemoved || !t.Ready {
		return false
	}
	switch r.Action {
	case Stop, Restart:
		return t.Desired != fleet.DesiredStopped
	case Move:
		return r.To == "" || t.Member != r.To
	case Resize:
		return t.Plan != r.Plan
	}
	return true
}
