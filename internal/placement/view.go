package placement

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// Member is what placement knows of one member.
type Member struct {
	fleet.Member
	// Cordoned: an operator wants no new tenants on it.
	Cordoned bool
	// Tenants counts the tenants that live on it or are about to (reservations).
	Tenants int
}

// View is the state of the members at one moment. The order of Members does not matter.
type View struct {
	Members []Member
	Rules   Rules
}

// Rules are the limits every choice keeps.
type Rules struct {
	PoolHeadRoom HeadRoom
	// MemoryHeadRoom is the memory, in bytes, that must be free; 0: any at all.
	MemoryHeadRoom fleet.Size
}

// HeadRoom is the space of a pool that placement leaves free: the larger of Bytes and
// Percent of the pool.
type HeadRoom struct {
	Bytes   fleet.Size
	Percent int // 0 to 100
}

// DefaultHeadRoom leaves 1 GiB or 5 % of the pool, whichever is more. A copy-on-write pool
// that fills up stops every tenant on it, not only the new one.
func DefaultHeadRoom() HeadRoom { return HeadRoom{Bytes: fleet.GiB, Percent: 5} }

// Of gives the head-room of a pool of this size, in bytes.
func (h HeadRoom) Of(total fleet.Size) fleet.Size {
	return max(h.Bytes, total/100*fleet.Size(h.Percent))
}

// Wish is what a tenant asks of its place.
type Wish struct {
	// Member pins the tenant to one member; empty: any.
	Member string
	// Pool is the space, in bytes, the tenant takes at once, beyond the head-room. A clone
	// shares its blocks with the golden image and takes next to nothing.
	Pool fleet.Size
}
