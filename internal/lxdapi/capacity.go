package lxdapi

import (
	"sync"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// resourcesEvery is the least time between two questions for what a member's machine has. LXD
// closes two file descriptors twice per network card to answer GET /1.0/resources
// (lxd/resources/network_ethtool.go: "defer unix.Close(fd)" and "return unix.Close(fd)", seen in
// 5.0.2 and 6.3). Where another thread got the number in between, LXD loses a file that it
// works with: an export fails with "bad file descriptor", or LXD ends. It is rare, and must
// stay so. docs/decisions/2026-11-22-lxd-resources.md
const resourcesEvery = 10 * time.Minute

// resourcesAgain is that time where LXD had no answer.
const resourcesAgain = time.Minute

// capacities remembers what the members' machines have.
type capacities struct {
	mu     sync.Mutex
	byName map[string]*capacity
}

// capacity is what one member's machine has, and when LXD may be asked again.
type capacity struct {
	mu                      sync.Mutex // held while LXD is asked
	next                    time.Time
	memoryTotal, memoryUsed fleet.Size
	cpus                    int
}

func (k *capacities) of(member string) *capacity {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byName == nil {
		k.byName = map[string]*capacity{}
	}
	if k.byName[member] == nil {
		k.byName[member] = &capacity{}
	}
	return k.byName[member]
}

// forget drops a member that is away: it may come back as another machine.
func (k *capacities) forget(member string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byName, member)
}

// fill writes into m what is remembered, asking anew where that is too old.
func (p *capacity) fill(m *fleet.Member, ask func(out any) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !time.Now().Before(p.next) {
		var r api.Resources
		switch err := ask(&r); {
		case err == nil:
			p.memoryTotal, p.memoryUsed, p.cpus = fleet.Size(r.Memory.Total), fleet.Size(r.Memory.Used), int(r.CPU.Total)
			p.next = time.Now().Add(resourcesEvery)
		case isCode(err, fleet.Failed):
			p.next = time.Now().Add(resourcesAgain)
		default:
			return // LXD did not come to it: it may be asked again soon
		}
	}
	m.MemoryTotal, m.MemoryUsed, m.CPUs = p.memoryTotal, p.memoryUsed, p.cpus
}
