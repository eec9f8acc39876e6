package realm

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Options are what a Realm works with.
type Options struct {
	Clusters Clusters
	// Link copies from one cluster to another.
	Link func(source, target LXD) Copier
	// Settled tells the member that each instance in use in another cluster is known to be on, by its
	// name. It is asked only while a cluster is away.
	Settled func(ctx context.Context) (map[string]string, error)
	// Local is the name of the device that leads to an instance in its own cluster; a copy in another
	// has it not. Empty: there is none.
	Local  string
	Logger *slog.Logger // nil: dropped
}

// Realm is all clusters. Its methods may be called from many goroutines.
type Realm struct {
	LXD // the home cluster
	opt Options
	log *slog.Logger

	mu     sync.Mutex
	others map[string]*other
	places map[string]string // of instances, by name: the cluster each was last found in
	ears   map[*ear]struct{}
}

// New makes a Realm of the home cluster and of those that Clusters knows. Run keeps it up to date.
func New(ctx context.Context, home LXD, opt Options) (*Realm, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Realm{LXD: home, opt: opt, log: opt.Logger, others: map[string]*other{}, places: map[string]string{}, ears: map[*ear]struct{}{}}
	return r, r.Read(ctx)
}

// Read takes in which clusters there are.
func (r *Realm) Read(ctx context.Context) error {
	names, err := r.opt.Clusters.Names(ctx)
	if err != nil {
		return fmt.Errorf("list the other clusters: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.others {
		if !slices.Contains(names, name) {
			delete(r.others, name)
			maps.DeleteFunc(r.places, func(_, cluster string) bool { return cluster == name })
		}
	}
	for _, name := range names {
		if r.others[name] == nil {
			r.others[name] = &other{name: name}
		}
	}
	for e := range r.ears {
		e.follow(r)
	}
	return nil
}

const (
	// lookEvery is the time between two looks at whether each cluster answers.
	lookEvery = 5 * time.Second
	// lookTime bounds such a look. What is read of a cluster ends when one fails.
	lookTime = 5 * time.Second
)

// Run looks which of the clusters answer, until ctx ends.
func (r *Realm) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		var all sync.WaitGroup
		for _, o := range r.list() {
			all.Go(func() { r.look(ctx, o) })
		}
		all.Wait()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look asks a cluster whether it answers.
func (r *Realm) look(ctx context.Context, o *other) {
	limited, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	lxd, err := r.opt.Clusters.Dial(limited, o.name)
	if err == nil {
		_, err = lxd.Server(limited)
	}
	if ctx.Err() != nil || !o.note(err) {
		return
	}
	if err != nil {
		r.log.Warn("another cluster is away; its tenants are left alone until it is back", "cluster", o.name, "error", err)
	} else {
		r.log.Info("another cluster answers", "cluster", o.name)
	}
	r.tell(fleet.LXDEvent{Action: fleet.EventsResumed, At: time.Now()})
}

func (r *Realm) list() []*other {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.others), func(a, b *other) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

// alone reports whether there is the home cluster only.
func (r *Realm) alone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.others) == 0
}

// reach gives the connection to a cluster; fleet.Unavailable at once where it is away.
func (r *Realm) reach(ctx context.Context, cluster string) (LXD, error) {
	if cluster == "" {
		return r.LXD, nil
	}
	r.mu.Lock()
	o := r.others[cluster]
	r.mu.Unlock()
	if o == nil {
		return nil, fleet.Errorf(fleet.Invalid, "there is no cluster %q", cluster).WithField("member").
			WithHint("lxdfleet cluster list shows them")
	}
	if err := o.trouble(); err != nil {
		return nil, err
	}
	lxd, err := r.opt.Clusters.Dial(ctx, cluster)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster %s: %w", cluster, err)
	}
	return lxd, nil
}

// suspect looks at a cluster of which a call has failed.
func (r *Realm) suspect(ctx context.Context, cluster string, err error) {
	r.mu.Lock()
	o := r.others[cluster]
	r.mu.Unlock()
	if o != nil && fleet.CodeOf(err) == fleet.Unavailable {
		r.look(context.WithoutCancel(ctx), o)
	}
}

// whileThere gives a context that ends when the cluster goes away.
func (r *Realm) whileThere(ctx context.Context, cluster string) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	o := r.others[cluster]
	r.mu.Unlock()
	if o == nil {
		return ctx, func() {}
	}
	return o.whileThere(ctx)
}
