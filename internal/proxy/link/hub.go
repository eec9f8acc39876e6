package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// HubConfig is what a Hub is made of. Zero fields take the defaults named here.
type HubConfig struct {
	// Records keeps the proxies there are; nil: there are none but Local, and nothing to serve.
	Records Records
	// Local is the router of the controller's own process; nil: it has no proxy.
	Local Router
	// Storage keeps the certificates, for proxies that have no storage of their own; nil: they
	// get none.
	Storage certmagic.Storage
	// Settings is handed to proxies that ask for it, as it is; nil: there is none.
	Settings []byte
	// Address is where proxies reach the controller, as https://host:port. It is put into tokens.
	Address string
	// Observe is told of a tenant whose backend refuses connections at a proxy. It must not block.
	Observe func(tenant fleet.Name)
	// Lease is how long a silent proxy is waited for; default DefaultLease.
	Lease time.Duration
	// LockLease is how long a lock in Storage is held for a proxy that is silent; default 20 s.
	LockLease time.Duration
	// Now is the clock of certificates and tokens; default time.Now.
	Now func() time.Time
	// Log takes what goes wrong; default: nothing is logged.
	Log *slog.Logger
}

func (c HubConfig) withDefaults() HubConfig {
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.LockLease == 0 {
		c.LockLease = 20 * time.Second
	}
	if c.Observe == nil {
		c.Observe = func(fleet.Name) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Hub is the controller's end. What it publishes goes to the router of its own process and to
// every proxy. Its methods may be called from any goroutine.
type Hub struct {
	cfg   HubConfig
	log   *slog.Logger
	epoch string
	locks *leases

	authority *authority
	certMu    sync.Mutex
	cert      *tls.Certificate // the controller's own

	// roster makes the records and the members change together.
	roster sync.Mutex
	// order makes changes reach the local router and the proxies in one order.
	order sync.Mutex

	mu         sync.Mutex
	state      *state
	generation int64
	published  bool // routes were published, not only holds
	history    []record
	weight     int // routes in history
	members    map[string]*member
	moved      chan struct{} // closed and made anew when anything below members or generation changes
	drains     map[int64]chan<- string
	drainSeq   int64
	closed     bool

	base   context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // sessions
}

// record is one change that was published.
type record struct {
	generation int64
	at         time.Time
	lines      [][]byte
	routes     int
}

// member is a proxy that has joined.
type member struct {
	fleet.Proxy
	session *session // nil: not connected
	seen    int64    // by the session
	since   time.Time
	contact time.Time // last sign of life; at first, the start of the hub
}

// NewHub makes a hub that knows the proxies in its records. It publishes nothing yet, and
// listens nowhere until Serve. It has to be ended by Close.
func NewHub(ctx context.Context, cfg HubConfig) (*Hub, error) {
	cfg = cfg.withDefaults()
	h := &Hub{
		cfg: cfg, log: cfg.Log, epoch: rand.Text(), state: newState(),
		members: make(map[string]*member), moved: make(chan struct{}), drains: make(map[int64]chan<- string),
	}
	h.locks = newLeases(cfg.Storage, cfg.LockLease, cfg.Log)
	h.base, h.cancel = context.WithCancel(context.Background())
	if cfg.Records == nil {
		return h, nil
	}
	err := h.openAuthority(ctx)
	if err == nil {
		err = h.Refresh(ctx)
	}
	if err != nil {
		h.cancel()
		return nil, err
	}
	return h, nil
}

func (h *Hub) openAuthority(ctx context.Context) error {
	fresh, err := NewAuthority(h.cfg.Now())
	if err != nil {
		return err
	}
	kept, err := h.cfg.Records.ProxyAuthority(ctx, fresh)
	if err != nil {
		return fmt.Errorf("open the authority of the proxies: %w", err)
	}
	h.authority, err = parseAuthority(kept)
	return err
}

// open reports as an error that there are no proxies elsewhere.
func (h *Hub) open() error {
	if h.cfg.Records == nil {
		return fleet.Errorf(fleet.Conflict, "this daemon takes no proxies on other hosts").WithField("proxies.listen").
			WithHint("set proxies.listen in its configuration file, such as :8444, and restart it")
	}
	return nil
}

// Refresh reads the records: proxies that joined or were removed at another daemon are so here.
func (h *Hub) Refresh(ctx context.Context) error {
	if err := h.open(); err != nil {
		return err
	}
	h.roster.Lock()
	defer h.roster.Unlock()
	known, err := h.cfg.Records.Proxies(ctx)
	if err != nil {
		return fmt.Errorf("list the proxies: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	wanted := make(map[string]bool)
	for _, p := range known {
		wanted[p.Name] = true
		if m := h.members[p.Name]; m == nil || m.ID != p.ID {
			h.expel(p.Name)
			h.members[p.Name] = &member{Proxy: p, contact: time.Now()}
		}
	}
	for name := range h.members {
		if !wanted[name] {
			h.expel(name)
		}
	}
	h.stir()
	return nil
}

// Run refreshes now and then, until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := h.Refresh(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			h.log.Warn("the list of proxies cannot be read; those known stay", "error", err)
		}
		failing = err != nil
	}
}

// expel drops a proxy and cuts it off. The caller has mu.
func (h *Hub) expel(name string) {
	if m := h.members[name]; m != nil && m.session != nil {
		m.session.cancel()
	}
	delete(h.members, name)
}

// stir wakes all who wait for something to change. The caller has mu.
func (h *Hub) stir() {
	close(h.moved)
	h.moved = make(chan struct{})
}

// Close cuts all proxies off and gives back the locks they hold. It may be called more than
// once.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.cancel()
	h.mu.Unlock()
	h.work.Wait()
	h.locks.close()
}
