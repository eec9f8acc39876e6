package placement

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// spread scores a member that passed the filters, between 0 and 100, higher is better. The
// number of tenants for the member's memory weighs most, so that tenants spread out by the
// size of members even before they use anything; the free share of pool and memory tells
// apart members with equally many. What a member scores depends on that member alone.
func spread(m Member) float64 {
	gib := 1.0
	if m.MemoryTotal > 0 {
		gib = float64(m.MemoryTotal) / float64(fleet.GiB)
	}
	crowd := float64(m.Tenants) / gib // tenants for each GiB of memory
	room := 50*freeShare(m.PoolUsed, m.PoolTotal) + 50*freeShare(m.MemoryUsed, m.MemoryTotal)
	return 99/(1+crowd) + room/100
}

// freeShare is between 0 and 1, and 1 where the total is not known.
func freeShare(used, total fleet.Size) float64 {
	if total <= 0 {
		return 1
	}
	return min(1, max(0, 1-float64(used)/float64(total)))
}
