package placement

import (
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// filter rejects members that may not take the tenant. reject gives the reason in words that
// follow the member's name, or nothing.
type filter struct {
	name   string
	code   fleet.Code // of the error when this filter alone emptied the list
	reject func(m Member, wish Wish, rules Rules) string
}

// filters run in this order; the first that rejects a member gives its reason.
func filters() []filter {
	return []filter{
		{"pinned", fleet.Invalid, notPinned},
		{"online", fleet.Unavailable, offline},
		{"cordon", fleet.Exhausted, cordoned},
		{"pool", fleet.Exhausted, poolFull},
		{"memory", fleet.Exhausted, memoryFull},
	}
}

func notPinned(m Member, wish Wish, _ Rules) string {
	if wish.Member == "" || wish.Member == m.Name {
		return ""
	}
	return "is not " + wish.Member
}

func offline(m Member, _ Wish, _ Rules) string {
	switch {
	case m.Online:
		return ""
	case m.Message != "":
		return "is offline: " + m.Message
	}
	return "is offline"
}

func cordoned(m Member, _ Wish, _ Rules) string {
	if m.Cordoned {
		return "is cordoned"
	}
	return ""
}

// poolFull rejects a member whose pool would keep less than the head-room. A pool whose size
// could not be read is let through: LXD itself refuses when it is full.
func poolFull(m Member, wish Wish, rules Rules) string {
	free, keep := m.PoolTotal-m.PoolUsed, rules.PoolHeadRoom.Of(m.PoolTotal)
	if m.PoolTotal <= 0 || free > 0 && free-wish.Pool >= keep {
		return ""
	}
	return fmt.Sprintf("has a full pool: %s of %s free, %s kept as head-room",
		about(max(free, 0)), about(m.PoolTotal), about(keep))
}

func memoryFull(m Member, _ Wish, rules Rules) string {
	free := m.MemoryTotal - m.MemoryUsed
	if m.MemoryTotal <= 0 || free > 0 && free >= rules.MemoryHeadRoom {
		return ""
	}
	return fmt.Sprintf("has no memory left: %s of %s free", about(max(free, 0)), about(m.MemoryTotal))
}

// about writes a size with one decimal in the largest fitting unit, for people.
func about(s fleet.Size) string {
	for _, u := range []struct {
		name string
		size fleet.Size
	}{{"TiB", fleet.TiB}, {"GiB", fleet.GiB}, {"MiB", fleet.MiB}, {"KiB", fleet.KiB}} {
		if s >= u.size {
			return fmt.Sprintf("%.1f %s", float64(s)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d B", int64(s))
}
