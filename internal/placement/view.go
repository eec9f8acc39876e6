package placement

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// View is the state of the fleet at one moment. The order of Members and Tenants does not matter.
type View struct {
	Members []Member
	// Tenants are all that live on a member, or are about to (reservations). Names are unique.
	Tenants []Tenant
	Rules   Rules
}

// Member is what placement knows of one member.
type Member struct {
	fleet.Member
	// Cordoned: an operator wants nothing more on it; Reason is what was said of it.
	Cordoned bool
	Reason   string
	// Labels are the ones operators set.
	Labels map[string]string
	// Unpacked has the fingerprints of images that a clone need not wait for.
	Unpacked map[string]bool
}

// has reports whether the member has a label: one of the operators', or one of those that LXD's
// words make.
func (m *Member) has(key, value string) bool {
	if v, ok := m.Labels[key]; ok {
		return v == value
	}
	switch key {
	case "name":
		return m.Name == value
	case "failure-domain":
		return m.FailureDomain == value
	case "group":
		return contains(m.Groups, value)
	case "role":
		return contains(m.Roles, value)
	}
	return false
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// Tenant is what placement knows of one tenant.
type Tenant struct {
	Name   string
	Member string // where it is, or is promised a place
	Labels map[string]string
	Needs  Needs
	Wishes fleet.Wishes

	// The rest is for plans of moves.

	// Bytes is its own data, which a move copies.
	Bytes fleet.Size
	// Memory is what it uses of its member's memory, 0 where that is not known.
	Memory fleet.Size
	// Hold is how long its requests are expected to wait in a move.
	Hold time.Duration
	// Stay says why it must be left alone for now, in words that follow its name; empty: it may
	// be moved.
	Stay string
}

// Wish is what a tenant asks of its place.
type Wish struct {
	// Tenant is its name. One of this name in the view is left out of account: it is the same.
	Tenant string
	Labels map[string]string
	Needs  Needs
	Wishes fleet.Wishes
	// Member is the only one in question; empty: any of the cluster of Leave; "west:": any of that
	// cluster.
	Member string
	// Leave is the member it is to leave; empty: none.
	Leave string
	// Image is the fingerprint of what it is cloned from; empty: it is not known.
	Image string
	// Pool is the space, in bytes, the tenant takes at once, beyond the head-room. A clone
	// shares its blocks with the golden image and takes next to nothing.
	Pool fleet.Size
	// Memory is what it is expected to use at once; 0: next to nothing, or not known.
	Memory fleet.Size
}
