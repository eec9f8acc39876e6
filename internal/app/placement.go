package app

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// rules are the rules of placement that the configuration says.
func rules(p config.Placement) *placement.Rules {
	return &placement.Rules{
		Strategy:       placement.Strategy(p.Strategy),
		PoolHeadRoom:   placement.HeadRoom{Bytes: p.PoolHeadRoom, Percent: p.PoolHeadRoomPercent},
		MemoryHeadRoom: p.MemoryHeadRoom,
		Overcommit:     placement.Overcommit{CPU: p.OvercommitCPU, Memory: p.OvercommitMemory, Disk: p.OvercommitDisk},
		SpareMembers:   p.SpareMembers,
	}
}

func targets(p config.Placement) *placement.Targets {
	return &placement.Targets{Promised: p.TargetPromised, Used: p.TargetUsed}
}

// orNone gives what a service understands as none where its own default is not meant.
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
