package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Keeper has the certificates of the table's hosts: those in memory, those in storage, and the
// orders for those that are missing or due. Its methods may be called from any goroutine.
type Keeper struct {
	cfg      Config
	log      *slog.Logger
	ca       *CA
	cache    *certmagic.Cache
	internal *certmagic.Config // signs by the internal CA, and loads what it signed
	public   *certmagic.Config // loads what any of the authorities gave; it orders nothing
	asked    []authority
	fallback *tls.Certificate
	tickets  *tickets
	live     *tls.Config
	lookups  *bucket // of challenges in storage, per second

	wanted chan Table
	wake   chan struct{}
	slots  chan struct{} // orders that run at the same time
	base   context.Context
	cancel context.CancelFunc
	runs   sync.WaitGroup
	once   sync.Once

	limits sync.Mutex // one at a time takes from the buckets in storage

	mu      sync.Mutex
	entries map[string]*entry // by subject
	queue   []*entry          // to be looked at ahead
	plans   map[string]plan   // of the last table followed; nil before the first
	ahead   int               // of those, how many are under way
	paused  map[fleet.Name]time.Time
}

// entry is what is known of the certificate of one subject.
type entry struct {
	plan plan
	// known: the storage was looked at; the times are those of the newest certificate there,
	// zero where there is none.
	known               bool
	notBefore, notAfter time.Time
	revoked             bool

	quiet    time.Time // the storage failed: not asked again before this
	next     time.Time // no order before this
	recheck  time.Time // while waiting for next: when another proxy may have changed something
	failures int       // of the internal CA, or that could not be stored
	reason   string
	tried    time.Time
	run      *run // nil: nobody works on it
}

// run is one look at the storage, with an order where it shows that one is needed.
type run struct {
	done     chan struct{}
	err      error // to be read after done
	ordering bool  // guarded by Keeper.mu
}

// Table is where the hosts come from.
type Table interface{ Routes() []fleet.Route }

const (
	mostOrders = 16 // at the same time
	mostAhead  = 4  // of the work nobody waits for
	// storageWait is how long a storage that failed is left alone for a host.
	storageWait = 5 * time.Second
	// recheckEvery is how often a proxy looks whether another one, or an operator, has changed
	// what it waits for.
	recheckEvery = 30 * time.Second
)

// Open opens the internal certificate authority, making it where there is none, and prepares
// the others; none is asked yet. A Keeper has to be ended by Close.
func Open(ctx context.Context, cfg Config) (*Keeper, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	k := &Keeper{
		cfg: cfg, log: cfg.Log, lookups: &bucket{},
		wanted: make(chan Table, 1), wake: make(chan struct{}, 1), slots: make(chan struct{}, mostOrders),
		entries: make(map[string]*entry), paused: make(map[fleet.Name]time.Time),
	}
	var err error
	if k.ca, err = openCA(ctx, cfg.Storage, cfg.CAName, cfg.Now); err != nil {
		return nil, fmt.Errorf("open the internal certificate authority: %w", err)
	}
	if k.fallback, err = fallbackCertificate(cfg.Now()); err != nil {
		return nil, fmt.Errorf("make the certificate for unknown hosts: %w", err)
	}
	k.base, k.cancel = context.WithCancel(context.Background())
	k.prepare()
	k.live = &tls.Config{
		GetCertificate: k.GetCertificate, MinVersion: tls.VersionTLS12,
		// curl -0 offers nothing but http/1.0; net/http's server knows it.
		NextProtos: []string{"h2", "http/1.1", "http/1.0", challengeProtocol},
	}
	k.tickets = newTickets(cfg.Storage, cfg.Now, k.live.SetSessionTicketKeys)
	return k, nil
}

// CA is the internal certificate authority.
func (k *Keeper) CA() *CA { return k.ca }

// TLSConfig is for a server of HTTP/1.1 and HTTP/2. Each call gives the same settings; keys of
// session tickets are shared by all connections, and change under them.
func (k *Keeper) TLSConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: k.GetCertificate, MinVersion: k.live.MinVersion, NextProtos: k.live.NextProtos,
		// A server clones its settings; these are the ones whose ticket keys are kept up to date.
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.live, nil },
	}
}

// Close ends the orders under way, gives their locks back and frees the memory. It may be
// called more than once.
func (k *Keeper) Close() {
	k.once.Do(func() {
		k.mu.Lock() // no run begins after this
		k.cancel()
		k.mu.Unlock()
		k.runs.Wait()
		k.cache.Stop()
	})
}
