package placement

import (
	"fmt"
	"strconv"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// resource is one thing that plans promise and members have.
type resource struct {
	name  string
	need  func(Needs) int64
	total func(*Member) int64 // 0 where it is not known
	ratio func(Overcommit) float64
	text  func(int64) string
}

// resources are all there are.
var resources = [...]resource{
	{
		name:  "memory",
		need:  func(n Needs) int64 { return int64(n.Memory) },
		total: func(m *Member) int64 { return int64(m.MemoryTotal) },
		ratio: func(o Overcommit) float64 { return o.Memory },
		text:  func(n int64) string { return about(fleet.Size(n)) },
	},
	{
		name:  "CPU",
		need:  func(n Needs) int64 { return n.CPU },
		total: func(m *Member) int64 { return 1000 * int64(m.CPUs) },
		ratio: func(o Overcommit) float64 { return o.CPU },
		text:  func(n int64) string { return strconv.FormatFloat(float64(n)/1000, 'f', -1, 64) },
	},
	{
		name:  "disk",
		need:  func(n Needs) int64 { return int64(n.Disk) },
		total: func(m *Member) int64 { return int64(m.PoolTotal) },
		ratio: func(o Overcommit) float64 { return o.Disk },
		text:  func(n int64) string { return about(fleet.Size(n)) },
	},
}

// capacity is how much of the resource may be promised on the member; bounded is false where
// there is no bound, or what the member has is not known.
func (r *resource) capacity(m *Member, o Overcommit) (most int64, bounded bool) {
	total, ratio := r.total(m), r.ratio(o)
	if ratio <= 0 || total <= 0 {
		return 0, false
	}
	return int64(float64(total) * ratio), true
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
