package realm

import (
	"context"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// whereabouts is what is known of where an instance is.
type whereabouts struct {
	cluster string
	found   bool // it is there, or was, in a cluster that is away now
	cached  bool // it was there when last asked for
	// unsure: a cluster that is away may have it.
	unsure bool
}

// find tells which cluster has the instance. Where none does, it is the home cluster that says so.
func (r *Realm) find(ctx context.Context, name string) (whereabouts, error) {
	r.mu.Lock()
	cluster, ok := r.places[name]
	r.mu.Unlock()
	if ok {
		return whereabouts{cluster: cluster, found: true, cached: true}, nil
	}
	return r.search(ctx, name)
}

// search asks all clusters for the instance, the home cluster first.
func (r *Realm) search(ctx context.Context, name string) (whereabouts, error) {
	_, err := r.LXD.Instance(ctx, name)
	switch {
	case err == nil:
		r.found(name, "")
		return whereabouts{found: true}, nil
	case fleet.CodeOf(err) != fleet.NotFound:
		// Away, or another trouble that is not of the instance: another cluster may have it.
		if at := r.ask(ctx, name); at.found {
			return at, nil
		}
		return whereabouts{}, err
	}
	return r.ask(ctx, name), nil
}

// ask asks the other clusters, all at once. Of those that are away it is told what is known.
func (r *Realm) ask(ctx context.Context, name string) whereabouts {
	list := r.list()
	has := make([]bool, len(list))
	var all sync.WaitGroup
	for i, o := range list {
		all.Go(func() { has[i] = r.hasNow(ctx, o, name) })
	}
	all.Wait()
	var at whereabouts
	for i, o := range list {
		if has[i] {
			r.found(name, o.name)
			return whereabouts{cluster: o.name, found: true}
		}
	}
	for _, o := range list {
		if !o.isAway() {
			continue
		}
		r.mu.Lock()
		last := r.places[name]
		r.mu.Unlock()
		if o.has(name) || last == o.name {
			return whereabouts{cluster: o.name, found: true}
		}
		at.unsure = true
	}
	if !at.unsure {
		return at
	}
	if member, ok := r.settled(ctx)[name]; ok && r.Away(fleet.ClusterOf(member)) {
		return whereabouts{cluster: fleet.ClusterOf(member), found: true}
	}
	return at
}

func (r *Realm) hasNow(ctx context.Context, o *other, name string) bool {
	lxd, err := r.reach(ctx, o.name)
	if err != nil {
		return false
	}
	there, end := o.whileThere(ctx)
	defer end()
	_, err = lxd.Instance(there, name)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		r.look(ctx, o)
		return o.has(name) && !o.isAway() // its member is offline
	}
	return err == nil
}

// Away reports whether another cluster does not answer.
func (r *Realm) Away(cluster string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.others[cluster]
	return o != nil && o.isAway()
}

func (r *Realm) found(name, cluster string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places[name] = cluster
}

func (r *Realm) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.places, name)
}

// doubt has the next call look for an instance anew, unless it was last in a cluster that is away.
func (r *Realm) doubt(name string) {
	r.mu.Lock()
	cluster := r.places[name]
	r.mu.Unlock()
	if !r.Away(cluster) {
		r.forget(name)
	}
}

// free fails with fleet.Taken where another cluster than the given one has an instance of the name.
func (r *Realm) free(ctx context.Context, name, cluster string) error {
	at, err := r.search(ctx, name)
	if err != nil && cluster == "" {
		return nil // the home cluster itself will say what is wrong
	}
	if err != nil || !at.found || at.cluster == cluster {
		return err
	}
	where := "the home cluster"
	if at.cluster != "" {
		where = "the cluster " + at.cluster
	}
	return fleet.Errorf(fleet.Taken, "the name %s is taken by an instance of %s", name, where).WithField("name").
		WithHint("choose another name, or rename that instance: lxc rename")
}

// site is a cluster that an instance was found in.
type site struct {
	LXD
	cluster string // empty: the home cluster
}

// at does something with an instance, in the cluster that has it. An instance that is not where it was
// last is looked for.
func at[T any](ctx context.Context, r *Realm, name string, do func(site) (T, error)) (T, error) {
	if r.alone() {
		return do(site{LXD: r.LXD})
	}
	var none T
	for again := false; ; again = true {
		place, err := r.find(ctx, name)
		if err != nil {
			return none, err
		}
		lxd, err := r.reach(ctx, place.cluster)
		if err != nil {
			return none, err
		}
		out, err := do(site{lxd, place.cluster})
		if fleet.CodeOf(err) == fleet.NotFound && place.cached && !again {
			r.forget(name)
			continue
		}
		r.suspect(ctx, place.cluster, err)
		return out, err
	}
}

// with is at for what gives nothing but an error.
func with(ctx context.Context, r *Realm, name string, do func(LXD) error) error {
	_, err := at(ctx, r, name, func(s site) (struct{}, error) { return struct{}{}, do(s.LXD) })
	return err
}

// read is at for what is soon over: it ends where the cluster goes away.
func read[T any](ctx context.Context, r *Realm, name string, do func(context.Context, site) (T, error)) (T, error) {
	return at(ctx, r, name, func(s site) (T, error) {
		ctx, end := r.whileThere(ctx, s.cluster)
		defer end()
		return do(ctx, s)
	})
}
