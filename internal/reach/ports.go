package reach

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ports knows which ports devices have, as LXD says. A port is given to one instance of all
// members: whoever moves an instance by hand takes its device along.
type ports struct {
	first, last int

	mu     sync.Mutex
	loaded bool
	given  map[int]holder
}

type holder struct {
	instance string
	at       time.Time // when it was given by this process, or seen
}

func (p *ports) start(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return int(h.Sum32() % uint32(p.last-p.first+1))
}

// free gives a port from the range for which taken is false; instances begin to look at different
// places, and each at the same one every time. 0: there is none.
func (p *ports) free(name string, taken func(int) bool) int {
	n, start := p.last-p.first+1, p.start(name)
	for i := range n {
		if port := p.first + (start+i)%n; !taken(port) {
			return port
		}
	}
	return 0
}

func (p *ports) within(port int) bool { return port >= p.first && port <= p.last }

// exhausted is the error where all ports are taken.
func (p *ports) exhausted() error {
	return fleet.Errorf(fleet.Exhausted, "all ports from %d to %d are taken", p.first, p.last).
		WithField("network.ports").WithHint("give a wider range")
}

// load reads the instances once.
func (p *ports) load(ctx context.Context, list func(context.Context) ([]fleet.Instance, error)) error {
	p.mu.Lock()
	loaded := p.loaded
	p.mu.Unlock()
	if loaded {
		return nil
	}
	began := time.Now()
	found, err := list(ctx)
	if err != nil {
		return fmt.Errorf("read which ports are taken: %w", err)
	}
	p.observe(found, began)
	return nil
}

// observe takes in the devices of all instances, as of a read that began at the given time.
func (p *ports) observe(list []fleet.Instance, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.given
	p.given, p.loaded = map[int]holder{}, true
	made := map[string]time.Time{}
	for _, inst := range list {
		port := listenPort(inst.Devices[DeviceName])
		if port == 0 {
			continue
		}
		made[inst.Name] = inst.CreatedAt
		now, twice := p.given[port]
		// A copy made by hand has the original's port: the original keeps it.
		if !twice || was[port].instance == inst.Name || was[port].instance != now.instance && inst.CreatedAt.Before(made[now.instance]) {
			p.given[port] = holder{inst.Name, began}
		}
	}
	for port, h := range was {
		if _, there := p.given[port]; !there && h.at.After(began) {
			p.given[port] = h // given while the list was read
		}
	}
}

// take gives a port to the instance.
func (p *ports) take(name string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	port := p.free(name, func(port int) bool { _, taken := p.given[port]; return taken })
	if port == 0 {
		return 0, p.exhausted()
	}
	p.set(port, name)
	return port, nil
}

func (p *ports) set(port int, name string) {
	if p.given == nil {
		p.given = map[int]holder{}
	}
	p.given[port] = holder{name, time.Now()}
}

// claim keeps the port for the instance that has it; false where it is another's.
func (p *ports) claim(port int, name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h, taken := p.given[port]; taken && h.instance != name {
		return false
	}
	p.set(port, name)
	return true
}

// avoid marks a port that something else on a member listens on, until instances are listed next.
func (p *ports) avoid(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(port, "")
}

func (p *ports) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for port, h := range p.given {
		if h.instance == name {
			delete(p.given, port)
		}
	}
}
