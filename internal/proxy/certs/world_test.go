package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// world is a Keeper whose authorities are internal CAs that count and fail as told.
type world struct {
	*Keeper
	t       testing.TB
	clock   *clock
	storage certmagic.Storage

	mu     sync.Mutex
	routes map[string]fleet.Route
	orders []string // subjects, in order
	down   map[string]error
}

// fake is an authority of a world.
type fake struct {
	*CA
	w         *world
	directory string
}

func (f *fake) IssuerKey() string { return "fake-" + f.directory }

func (f *fake) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	f.w.mu.Lock()
	f.w.orders = append(f.w.orders, strings.Join(request.DNSNames, "+"))
	err := f.w.down[f.directory]
	f.w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return f.CA.Issue(ctx, request)
}

func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.orders...)
}

func (w *world) lookup(host string) (fleet.Route, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, ok := w.routes[host]; ok {
		return r, true
	}
	_, parent, _ := strings.Cut(host, ".")
	r, ok := w.routes["*."+parent]
	return r, ok
}

// Routes makes the world a Table.
func (w *world) Routes() (routes []fleet.Route) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.routes {
		routes = append(routes, r)
	}
	return routes
}

// lead leads hosts to a tenant, beside those there are.
func (w *world) lead(tenant string, hosts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range hosts {
		w.routes[h] = fleet.Route{Domain: fleet.Domain(h), Tenant: fleet.Name(tenant), State: fleet.RouteServe, Backend: "10.0.0.1:80"}
	}
}

func (w *world) fail(directory string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[directory] = err
}

func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{at: time.Now()}, routes: make(map[string]fleet.Route), down: make(map[string]error)}
	cfg := Config{
		Storage: &certmagic.FileStorage{Path: t.TempDir()}, Lookup: w.lookup, Now: w.clock.now, Every: 10 * time.Millisecond,
		ACME: &ACME{Email: "ops@agency.example", Authorities: []Authority{{Directory: "one"}, {Directory: "two"}}},
	}
	if change != nil {
		change(&cfg)
	}
	w.storage = cfg.Storage
	cfg.issuer = func(directory string) certmagic.Issuer {
		ca, err := openCA(t.Context(), &certmagic.FileStorage{Path: t.TempDir()}, "Public "+directory, w.clock.now)
		if err != nil {
			t.Fatal(err)
		}
		return &fake{CA: ca, w: w, directory: directory}
	}
	var err error
	if w.Keeper, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// run runs the schedule until the test ends.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	w.t.Cleanup(func() { cancel(); running.Wait() })
}

// hello asks for a host's certificate as a handshake does, and gives its first name.
func (w *world) hello(host string) string {
	w.t.Helper()
	cert, err := w.GetCertificate(helloFor(host))
	if err != nil {
		w.t.Fatal(err)
	}
	return cert.Leaf.DNSNames[0]
}

// helloFor is what a client sends, without a connection.
func helloFor(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: host, SupportedVersions: []uint16{tls.VersionTLS13}}
}

func (w *world) state(host string) fleet.Certificate {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), host)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var errRefused = errors.New("refused, for a test")

func names(n int, format string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}
