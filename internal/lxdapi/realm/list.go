package realm

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// each asks the other clusters that are not away, all at once, until they go away; one that fails is
// looked at.
func (r *Realm) each(ctx context.Context, ask func(ctx context.Context, o *other, lxd LXD) error) {
	var all sync.WaitGroup
	for _, o := range r.list() {
		all.Go(func() {
			lxd, err := r.reach(ctx, o.name)
			if err != nil {
				return
			}
			there, end := o.whileThere(ctx)
			defer end()
			if err := ask(there, o, lxd); err != nil && ctx.Err() == nil {
				r.log.Debug("another cluster cannot be read", "cluster", o.name, "error", err)
				r.look(ctx, o)
			}
		})
	}
	all.Wait()
}

// Instances lists those of all clusters, by name. Those of a cluster that is away have the status Error
// and no configuration.
func (r *Realm) Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error) {
	if r.alone() {
		return r.LXD.Instances(ctx, withAddresses)
	}
	fresh := map[string]bool{}
	var mu sync.Mutex
	var homes []fleet.Instance
	var err error
	var all sync.WaitGroup
	all.Go(func() { homes, err = r.LXD.Instances(ctx, withAddresses) })
	r.each(ctx, func(ctx context.Context, o *other, lxd LXD) error {
		list, err := lxd.Instances(ctx, withAddresses)
		if err != nil {
			return err
		}
		o.mu.Lock()
		o.instances = list
		o.mu.Unlock()
		mu.Lock()
		fresh[o.name] = true
		mu.Unlock()
		return nil
	})
	all.Wait()
	if err != nil {
		return nil, err
	}
	return r.merged(ctx, homes, fresh), nil
}

// merged puts together what the clusters told. Of two instances with one name, which an operator must
// have made, the one that was there before is told.
func (r *Realm) merged(ctx context.Context, homes []fleet.Instance, fresh map[string]bool) []fleet.Instance {
	byName := make(map[string]fleet.Instance, len(homes))
	places := make(map[string]string, len(homes))
	r.mu.Lock()
	before := maps.Clone(r.places)
	r.mu.Unlock()
	add := func(cluster string, inst fleet.Instance) {
		if _, twice := byName[inst.Name]; twice && before[inst.Name] != cluster {
			return
		}
		byName[inst.Name], places[inst.Name] = seen(cluster, inst), cluster
	}
	for _, inst := range homes {
		add("", inst)
	}
	for _, o := range r.list() {
		for _, inst := range r.lastOf(ctx, o, fresh[o.name]) {
			add(o.name, inst)
		}
	}
	r.mu.Lock()
	r.places = places // what has changed meanwhile is looked for when it is not there
	r.mu.Unlock()
	return slices.SortedFunc(maps.Values(byName), func(a, b fleet.Instance) int { return strings.Compare(a.Name, b.Name) })
}

// lastOf gives the instances of another cluster, as it has just told, or as they are known: from its
// last list, from what was found or made there since, and from where tenants are said to be.
func (r *Realm) lastOf(ctx context.Context, o *other, fresh bool) []fleet.Instance {
	o.mu.Lock()
	list := slices.Clone(o.instances)
	o.mu.Unlock()
	if fresh {
		return list
	}
	locations := map[string]string{}
	for _, inst := range list {
		locations[inst.Name] = inst.Location
	}
	r.mu.Lock()
	for name, cluster := range r.places {
		if _, listed := locations[name]; cluster == o.name && !listed {
			locations[name] = ""
		} else if cluster != o.name {
			delete(locations, name) // it is elsewhere by now
		}
	}
	r.mu.Unlock()
	for name, member := range r.settled(ctx) {
		if cluster, own := fleet.SplitMember(member); cluster == o.name {
			locations[name] = own
		}
	}
	list = list[:0]
	for name, location := range locations {
		list = append(list, fleet.Instance{Name: name, Location: location, Status: fleet.InstanceError})
	}
	return list
}

// settled is what Settled tells; nothing where it cannot.
func (r *Realm) settled(ctx context.Context) map[string]string {
	if r.opt.Settled == nil {
		return nil
	}
	settled, err := r.opt.Settled(ctx)
	if err != nil {
		r.log.Debug("where tenants are said to be cannot be read", "error", err)
	}
	return settled
}

// Members lists those of all clusters. Those of a cluster that is away are offline; where it has not
// told them yet, one stands for all.
func (r *Realm) Members(ctx context.Context) ([]fleet.Member, error) {
	var members []fleet.Member
	var err error
	var all sync.WaitGroup
	all.Go(func() { members, err = r.LXD.Members(ctx) })
	r.each(ctx, func(ctx context.Context, o *other, lxd LXD) error {
		list, err := lxd.Members(ctx)
		if err == nil {
			o.mu.Lock()
			o.members = list
			o.mu.Unlock()
		}
		return err
	})
	all.Wait()
	if err != nil {
		return nil, err
	}
	for _, o := range r.list() {
		members = append(members, o.membersNow()...)
	}
	return members, nil
}

func (o *other) membersNow() []fleet.Member {
	away := o.trouble()
	o.mu.Lock()
	list := slices.Clone(o.members)
	o.mu.Unlock()
	if len(list) == 0 {
		list = []fleet.Member{{}}
	}
	for i := range list {
		list[i].Name = o.name + ":" + list[i].Name
		if away != nil || list[i].Name == o.name+":" {
			list[i].Online, list[i].Status, list[i].Load = false, fleet.MemberOffline, nil
			list[i].Message = "the cluster " + o.name + " is away"
		}
	}
	return list
}

// AllSnapshots lists the snapshots of all instances. Those of a cluster that is away are told as they
// were last.
func (r *Realm) AllSnapshots(ctx context.Context) (map[string][]fleet.InstanceSnapshot, error) {
	list, err := r.LXD.AllSnapshots(ctx)
	if err != nil || r.alone() {
		return list, err
	}
	r.each(ctx, func(ctx context.Context, o *other, lxd LXD) error {
		there, err := lxd.AllSnapshots(ctx)
		if err == nil {
			o.mu.Lock()
			o.snapshots = there
			o.mu.Unlock()
		}
		return err
	})
	for _, o := range r.list() {
		o.mu.Lock()
		for name, snapshots := range o.snapshots {
			if _, twice := list[name]; !twice {
				list[name] = snapshots
			}
		}
		o.mu.Unlock()
	}
	return list, nil
}

// DriverOn tells the driver of the pool that instances on the member live in.
func (r *Realm) DriverOn(ctx context.Context, member string) (string, error) {
	lxd, err := r.reach(ctx, fleet.ClusterOf(member))
	if err != nil {
		return "", err
	}
	return lxd.PoolDriver(ctx)
}
