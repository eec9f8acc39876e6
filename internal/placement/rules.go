package placement

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// Strategy says which of the members that fit is best.
type Strategy string

const (
	// Spread: the one with the most room, so that each tenant has much and a failure hits few.
	Spread Strategy = "spread"
	// Pack: the fullest that still fits, so that few members are in use.
	Pack Strategy = "pack"
)

// Rules are the limits every choice keeps.
type Rules struct {
	Strategy     Strategy // empty: Spread
	PoolHeadRoom HeadRoom
	// MemoryHeadRoom is the memory, in bytes, that must be free; 0: any at all.
	MemoryHeadRoom fleet.Size
	// Overcommit bounds what the tenants' plans promise.
	Overcommit Overcommit
	// SpareMembers is how many members may fail with room left on the others for all that their
	// tenants' plans promise. Only what Overcommit bounds is looked at.
	SpareMembers int
}

// Overcommit is how many times over what a member has may be promised to tenants by their plans;
// 0: any number of times.
type Overcommit struct{ CPU, Memory, Disk float64 }

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

// DefaultRules spread tenants, keep DefaultHeadRoom of the pool, and promise memory four times
// over: a tenant at rest uses a tenth of its plan's.
func DefaultRules() Rules {
	return Rules{Strategy: Spread, PoolHeadRoom: DefaultHeadRoom(), Overcommit: Overcommit{Memory: 4}}
}
