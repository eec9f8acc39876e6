package config

import (
	"math"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func checkPlacement(c Config) *fleet.Error {
	p := c.Placement
	if p.Strategy != "spread" && p.Strategy != "pack" {
		return invalid("placement.strategy", "write spread or pack", "%q is no strategy", p.Strategy)
	}
	for _, r := range []struct {
		field string
		ratio float64
	}{
		{"placement.overcommit_cpu", p.OvercommitCPU},
		{"placement.overcommit_memory", p.OvercommitMemory},
		{"placement.overcommit_disk", p.OvercommitDisk},
	} {
		if r.ratio < 0 || math.IsNaN(r.ratio) || r.ratio > 1000 {
			return invalid(r.field, "write 0 for no bound, or a number such as 4 or 1.5", "%v is not a ratio", r.ratio)
		}
	}
	for _, n := range []struct {
		field    string
		is, most int
	}{
		{"placement.pool_head_room_percent", p.PoolHeadRoomPercent, 90},
		{"placement.spare_members", p.SpareMembers, 100},
		{"placement.target_promised", p.TargetPromised, 100},
		{"placement.target_used", p.TargetUsed, 100},
	} {
		if n.is < 0 || n.is > n.most {
			return fleet.Errorf(fleet.Invalid, "%d is out of range", n.is).WithField(n.field).WithHint("write 0 to %d", n.most)
		}
	}
	if p.RestAfterMove < 0 {
		return invalid("placement.rest_after_move", "write 0s or more", "a time cannot be negative")
	}
	return nil
}
