package realm

import (
	"context"
	"slices"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// other is a cluster besides the home cluster.
type other struct {
	name string

	mu   sync.Mutex
	away error // why it does not answer; nil: it does, or was not asked yet
	// What it told last. Locations and members are as its own words have them.
	instances []fleet.Instance
	members   []fleet.Member
	snapshots map[string][]fleet.InstanceSnapshot
	reads     map[int]context.CancelFunc // what is being read of it
	count     int
}

// note takes in whether it answers. changed: that is news.
func (o *other) note(err error) (changed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	changed = (o.away == nil) != (err == nil)
	if o.away = err; err != nil {
		for _, end := range o.reads {
			end()
		}
	}
	return changed
}

// whileThere gives a context that ends when the cluster goes away.
func (o *other) whileThere(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancel(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reads == nil {
		o.reads = map[int]context.CancelFunc{}
	}
	o.count++
	id := o.count
	o.reads[id] = end
	return ctx, func() {
		end()
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.reads, id)
	}
}

// trouble is the error of what is asked of it while it is away.
func (o *other) trouble() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away == nil {
		return nil
	}
	return fleet.Errorf(fleet.Unavailable, "the cluster %s is away: %w", o.name, o.away).
		WithHint("see what is wrong with it: lxdfleet cluster show %s", o.name)
}

func (o *other) isAway() bool { return o.trouble() != nil }

// has reports whether the instance was there when they were last listed.
func (o *other) has(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.instances, func(inst fleet.Instance) bool { return inst.Name == name })
}
