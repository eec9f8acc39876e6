package placement

import (
	"strconv"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Needs is what a plan promises a tenant; 0 where it promises nothing.
type Needs struct {
	CPU          int64 // thousandths of a logical CPU
	Memory, Disk fleet.Size
}

func (n Needs) plus(o Needs) Needs {
	return Needs{CPU: n.CPU + o.CPU, Memory: n.Memory + o.Memory, Disk: n.Disk + o.Disk}
}

func (n Needs) minus(o Needs) Needs {
	return Needs{CPU: n.CPU - o.CPU, Memory: n.Memory - o.Memory, Disk: n.Disk - o.Disk}
}

// NeedsOf reads what a plan promises from its LXD profile: limits.cpu, limits.memory and the
// size of the root disk. A limit that is a share of the member (50%), or cannot be read, promises
// nothing.
func NeedsOf(plan fleet.ProfileSpec) Needs {
	n := Needs{CPU: 1000 * cpus(plan.Config["limits.cpu"]), Memory: bytesOf(plan.Config["limits.memory"])}
	for _, device := range plan.Devices {
		if device["type"] == "disk" && device["path"] == "/" {
			n.Disk = bytesOf(device["size"])
		}
	}
	return n
}

// cpus counts those of limits.cpu: a number of them, or a list such as 0-3,5.
func cpus(limit string) int64 {
	if n, err := strconv.ParseInt(limit, 10, 32); err == nil {
		return max(n, 0)
	}
	count := int64(0)
	for part := range strings.SplitSeq(limit, ",") {
		first, last, span := strings.Cut(strings.TrimSpace(part), "-")
		if !span {
			last = first
		}
		from, err1 := strconv.ParseInt(first, 10, 32)
		to, err2 := strconv.ParseInt(last, 10, 32)
		if err1 != nil || err2 != nil || to < from || from < 0 {
			return 0
		}
		count += to - from + 1
	}
	return count
}

func bytesOf(limit string) fleet.Size {
	size, err := fleet.ParseSize(limit)
	if err != nil {
		return 0
	}
	return size
}
