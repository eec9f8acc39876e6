package clusters

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LXD is a connection to a cluster.
type LXD interface {
	Server(ctx context.Context) (fleet.Server, error)
	Members(ctx context.Context) ([]fleet.Member, error)
	Trusted(ctx context.Context) (bool, error)
	AskTrust(ctx context.Context, name, secret string) error
	EnsureTrusted(ctx context.Context, name, certificate string) error
	EnsureDistrusted(ctx context.Context, certificate string) error
	Close()
}

// Store keeps clusters.
type Store interface {
	Clusters(ctx context.Context) ([]fleet.Cluster, error)
	// Cluster fails with fleet.NotFound.
	Cluster(ctx context.Context, name fleet.Name) (fleet.Cluster, error)
	// InsertCluster fails with fleet.Taken.
	InsertCluster(ctx context.Context, c fleet.Cluster) error
	UpdateCluster(ctx context.Context, c fleet.Cluster) error
	DeleteCluster(ctx context.Context, name fleet.Name) error
}

// Deps is what a Service works with.
type Deps[C LXD] struct {
	Store Store
	// Dir is the folder of the keys; it is made.
	Dir string
	// Dial prepares a connection, which is made by its first call.
	Dial func(ctx context.Context, c fleet.Cluster, p Pair) (C, error)
	// Greet gives the certificate that the server at the address answers with, PEM.
	Greet func(ctx context.Context, url string) (string, error)
	// Fingerprint is LXD's name for a certificate.
	Fingerprint func(certificate string) string
	// Own gives the certificate of the cluster that lxdfleet runs on.
	Own func(ctx context.Context) (string, error)
	// Changed is told that a cluster was added or removed. It must return soon. nil: nobody is.
	Changed func(ctx context.Context)
	// InUse says what of lxdfleet's is in a cluster, for people; empty: nothing. away: the cluster does
	// not answer, and it is what is known of it.
	InUse func(ctx context.Context, name fleet.Name) (what string, away bool, err error)
	// Prepare makes project and profiles there, and tells line by line what it did.
	Prepare func(ctx context.Context, lxd C, c fleet.Cluster) (told string, err error)
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: dropped
}

// Service adds, shows and removes clusters, and keeps a connection to each. C is what a connection
// can do besides.
type Service[C LXD] struct {
	Deps[C]
	keys keys

	changing sync.Mutex // one change at a time
	mu       sync.Mutex
	open     map[fleet.Name]C
}

// NewService makes a Service.
func NewService[C LXD](deps Deps[C]) *Service[C] {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Changed == nil {
		deps.Changed = func(context.Context) {}
	}
	if deps.InUse == nil {
		deps.InUse = func(context.Context, fleet.Name) (string, bool, error) { return "", false, nil }
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service[C]{Deps: deps, keys: keys{deps.Dir}, open: map[fleet.Name]C{}}
}

// Close ends all connections.
func (s *Service[C]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lxd := range s.open {
		lxd.Close()
	}
	clear(s.open)
}

// Client gives the connection to a cluster, which is kept; fleet.NotFound. The cluster may be away:
// then its calls fail with fleet.Unavailable.
func (s *Service[C]) Client(ctx context.Context, name fleet.Name) (C, error) {
	s.mu.Lock()
	lxd, ok := s.open[name]
	s.mu.Unlock()
	if ok {
		return lxd, nil
	}
	var none C
	c, err := s.cluster(ctx, name)
	if err != nil {
		return none, err
	}
	pair, err := s.keys.load(name, false)
	if err != nil {
		return none, err
	}
	if lxd, err = s.Dial(ctx, c, pair); err != nil {
		return none, fmt.Errorf("connect to the cluster %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, raced := s.open[name]; raced {
		lxd.Close()
		return other, nil
	}
	s.open[name] = lxd
	return lxd, nil
}

// forget ends the connection to a cluster.
func (s *Service[C]) forget(name fleet.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lxd, ok := s.open[name]; ok {
		lxd.Close()
		delete(s.open, name)
	}
}

func (s *Service[C]) cluster(ctx context.Context, name fleet.Name) (fleet.Cluster, error) {
	c, err := s.Store.Cluster(ctx, name)
	if fleet.CodeOf(err) == fleet.NotFound {
		err = fleet.Errorf(fleet.NotFound, "there is no cluster %s", name).WithHint("lxdfleet cluster list shows them")
	}
	return c, err
}

// View is a cluster with what it says now.
type View struct {
	fleet.Cluster
	Fingerprint string // of its certificate
	// Problem says why it cannot be used; empty: it can.
	Problem string
	Version string
	Members []fleet.Member // by name; those it told
	// Prepared tells what was made there; only after Add.
	Prepared string
}

// askTime bounds what one cluster may take to tell how it is.
const askTime = 8 * time.Second

// List gives all clusters, by name, each asked how it is.
func (s *Service[C]) List(ctx context.Context) ([]View, error) {
	list, err := s.Store.Clusters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	views := make([]View, len(list))
	var all sync.WaitGroup
	for i, c := range list {
		all.Go(func() { views[i] = s.ask(ctx, c) })
	}
	all.Wait()
	return views, nil
}

// Get gives one cluster; fleet.NotFound.
func (s *Service[C]) Get(ctx context.Context, name fleet.Name) (View, error) {
	c, err := s.cluster(ctx, name)
	if err != nil {
		return View{}, err
	}
	return s.ask(ctx, c), nil
}

// Record gives what is written down of a cluster, without asking it; fleet.NotFound.
func (s *Service[C]) Record(ctx context.Context, name fleet.Name) (View, error) {
	c, err := s.cluster(ctx, name)
	if err != nil {
		return View{}, err
	}
	return View{Cluster: c, Fingerprint: s.Fingerprint(c.ServerCert)}, nil
}

func (s *Service[C]) ask(ctx context.Context, c fleet.Cluster) View {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	v := View{Cluster: c, Fingerprint: s.Fingerprint(c.ServerCert)}
	lxd, err := s.Client(ctx, c.Name)
	if err == nil {
		err = s.fill(ctx, &v, lxd)
	}
	if err != nil {
		v.Problem = err.Error()
	}
	return v
}

func (s *Service[C]) fill(ctx context.Context, v *View, lxd LXD) error {
	server, err := lxd.Server(ctx)
	if err != nil {
		return err
	}
	v.Version = server.Version
	trusted, err := lxd.Trusted(ctx)
	if err != nil {
		return err
	}
	if !trusted {
		return fleet.Errorf(fleet.Forbidden, "it does not trust our certificate any more").
			WithHint("remove it and add it again: lxdfleet cluster remove --force %s", v.Name)
	}
	v.Members, err = lxd.Members(ctx)
	slices.SortFunc(v.Members, func(a, b fleet.Member) int { return strings.Compare(a.Name, b.Name) })
	return err
}
