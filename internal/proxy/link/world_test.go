package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// records keeps proxies in memory; the SQL store passes a suite of its own.
type records struct {
	mu        sync.Mutex
	authority []byte
	proxies   map[string]fleet.Proxy
	tokens    map[string]fleet.ProxyToken
	now       func() time.Time
	fails     error
}

func newRecords() *records {
	return &records{proxies: map[string]fleet.Proxy{}, tokens: map[string]fleet.ProxyToken{}, now: time.Now}
}

func (r *records) Proxies(context.Context) ([]fleet.Proxy, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.proxies)), r.fails
}

func (r *records) AddProxyToken(_ context.Context, t fleet.ProxyToken) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens[t.Hash] = t
	return nil
}

func (r *records) JoinProxy(_ context.Context, hash string, p fleet.Proxy) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, found := r.tokens[hash]
	if !found || !t.ExpiresAt.After(p.JoinedAt) || t.Name != "" && t.Name != p.Name {
		return fleet.Errorf(fleet.Forbidden, "the token was used, has ended or is for another name")
	}
	if _, taken := r.proxies[p.Name]; taken {
		return errNameTaken(p.Name)
	}
	delete(r.tokens, hash)
	r.proxies[p.Name] = p
	return nil
}

func (r *records) RemoveProxy(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, found := r.proxies[name]; !found {
		return fleet.Errorf(fleet.NotFound, "there is no proxy %s", name)
	}
	delete(r.proxies, name)
	return nil
}

func (r *records) SaveProxySeen(_ context.Context, p fleet.Proxy) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proxies[p.Name].ID == p.ID {
		r.proxies[p.Name] = p
	}
	return nil
}

func (r *records) ProxyAuthority(_ context.Context, fresh []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.authority == nil {
		r.authority = fresh
	}
	return r.authority, nil
}

// router notes what it is told.
type router struct {
	mu       sync.Mutex
	routes   map[fleet.Domain]fleet.Route
	held     map[Hold]bool
	calls    []string
	slow     chan struct{} // Publish waits for it to be closed, where it is not nil
	inside   chan struct{} // Drain likewise
	swaps    int64
	changed  chan struct{}
	inFlight atomic.Int64
}

func newRouter() *router {
	return &router{held: map[Hold]bool{}, changed: make(chan struct{})}
}

func (r *router) did(format string, args ...any) {
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *router) Publish(routes []fleet.Route) int64 {
	r.mu.Lock()
	slow := r.slow
	r.mu.Unlock()
	if slow != nil {
		<-slow
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.routes = map[fleet.Domain]fleet.Route{}
	for _, route := range routes {
		r.routes[route.Domain] = route
	}
	r.swaps++
	r.did("publish %d", len(routes))
	return r.swaps
}

func (r *router) Hold(tenant fleet.Name, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[Hold{tenant, reason}] = true
	r.did("hold %s %s", tenant, reason)
}

func (r *router) Resume(tenant fleet.Name, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.held, Hold{tenant, reason})
	r.did("resume %s %s", tenant, reason)
}

func (r *router) Drain(ctx context.Context, _ fleet.Name) error {
	r.mu.Lock()
	inside := r.inside
	r.mu.Unlock()
	if inside == nil {
		return nil
	}
	r.inFlight.Add(1)
	select {
	case <-inside:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *router) isHeld(h Hold) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[h]
}

func (r *router) backend(d fleet.Domain) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.routes[d].Backend
}

func (r *router) log() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// until waits for the router to come to a state.
func (r *router) until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if reached() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not in 30 s: %s; the router was told %q", what, r.log())
		}
	}
}

// eventually waits for something that nobody signals.
func eventually(t testing.TB, what string, reached func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !reached(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in 30 s: %s", what)
		}
	}
}

// controller is a hub that listens.
type controller struct {
	*Hub
	t     testing.TB
	local *router
	addr  string
	stop  func()
}

// startController runs a hub until the test ends or stop is called. addr is where to listen;
// empty: anywhere.
func startController(t testing.TB, r *records, addr string, change func(*HubConfig)) *controller {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var ln net.Listener
	eventually(t, "listen", func() (yes bool) {
		var err error
		ln, err = net.Listen("tcp", addr)
		return err == nil
	})
	local := newRouter()
	cfg := HubConfig{Records: r, Local: local, Address: "https://" + ln.Addr().String()}
	if change != nil {
		change(&cfg)
	}
	h, err := NewHub(t.Context(), cfg)
	ok(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.Serve(ctx, ln) }()
	c := &controller{Hub: h, t: t, local: local, addr: ln.Addr().String()}
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		h.Close()
	})
	t.Cleanup(c.stop)
	return c
}

// join has a proxy join, and gives its client.
func (c *controller) join(name string) *Client {
	c.t.Helper()
	token, _, err := c.NewToken(c.t.Context(), name, time.Hour)
	ok(c.t, err)
	identity, err := Join(c.t.Context(), token, "", "any")
	ok(c.t, err)
	path := filepath.Join(c.t.TempDir(), "identity.json")
	ok(c.t, identity.Save(path))
	if identity, err = LoadIdentity(path); err != nil {
		c.t.Fatal(err)
	}
	client, err := NewClient(identity, path)
	ok(c.t, err)
	c.t.Cleanup(client.Close)
	return client
}

// edge is a proxy that follows.
type edge struct {
	*Follower
	router *router
	stop   func()
}

func startEdge(t testing.TB, client *Client, change func(*FollowerConfig)) *edge {
	t.Helper()
	r := newRouter()
	cfg := FollowerConfig{Client: client, Router: r, Version: "1.2.3", Pause: 200 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	e := &edge{Follower: NewFollower(cfg), router: r}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); e.Run(ctx) }()
	e.stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(e.stop)
	return e
}

func (e *edge) connected() bool { yes, _ := e.Status(); return yes }

func (c *controller) status(name string) fleet.ProxyStatus {
	for _, p := range c.Proxies() {
		if p.Name == name {
			return p
		}
	}
	return fleet.ProxyStatus{}
}

// seen waits until every proxy has what was published.
func (c *controller) seen(generation int64) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	ok(c.t, c.WaitSeen(ctx, generation))
}

func route(i int, backend string) fleet.Route {
	return fleet.Route{
		Domain: fleet.Domain(fmt.Sprintf("www.client-%05d.example", i)), Tenant: fleet.Name(fmt.Sprintf("client-%05d", i)),
		State: fleet.RouteServe, Backend: backend,
	}
}

func routes(n int) []fleet.Route {
	all := make([]fleet.Route, n)
	for i := range all {
		all[i] = route(i, "10.0.0.1:80")
	}
	return all
}

func fileStorage(dir string) func(*HubConfig) {
	return func(c *HubConfig) { c.Storage = &certmagic.FileStorage{Path: dir} }
}

// heard is a log that a test can look into.
type heard struct {
	mu   sync.Mutex
	text []byte
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, p...)
	return len(p), nil
}

func (h *heard) String() string { h.mu.Lock(); defer h.mu.Unlock(); return string(h.text) }

func (h *heard) logger() *slog.Logger { return slog.New(slog.NewTextHandler(h, nil)) }

var errDown = errors.New("the store is down")
