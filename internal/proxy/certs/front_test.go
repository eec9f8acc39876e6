//go:build integration

package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/integration/daemon"
	"github.com/lxdfleet/lxdfleet/integration/pebble"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
)

// front is a proxy as far as certificates go.
type front struct {
	*certs.Keeper
	t     *testing.T
	https string
	clock *clock

	mu     sync.Mutex
	routes map[string]fleet.Route
	logged strings.Builder
}

// clock is the time, moved ahead by tests.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return time.Now().Add(c.ahead) }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.ahead += d }

// places are where a proxy listens, chosen before the authority that validates there.
type places struct{ http, https string }

func newPlaces(t *testing.T) places {
	return places{daemon.FreeAddr(t), daemon.FreeAddr(t)}
}

func (p places) options() pebble.Options { return pebble.Options{HTTP: p.http, HTTPS: p.https} }

func authority(p *pebble.Pebble) certs.Authority {
	return certs.Authority{Directory: p.Directory(), Roots: p.Roots()}
}

// startFront starts a proxy with authorities that it asks in their order.
func startFront(t *testing.T, at places, change func(*certs.Config), authorities ...certs.Authority) *front {
	t.Helper()
	f := &front{t: t, https: at.https, clock: &clock{}, routes: make(map[string]fleet.Route)}
	plain, secure := listen(t, at.http), listen(t, at.https)
	cfg := certs.Config{
		Storage: &certmagic.FileStorage{Path: t.TempDir()}, Lookup: f.lookup, HTTP: plain.Addr(), HTTPS: secure.Addr(),
		ACME:  &certs.ACME{Email: "ops@agency.example", Authorities: authorities},
		Every: 50 * time.Millisecond, Now: f.clock.now, Log: slog.New(slog.NewTextHandler(f, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.Keeper, err = certs.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil || !f.HandleHTTPChallenge(w, r) {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	servers := []*http.Server{{Handler: handler, ErrorLog: quiet}, {Handler: handler, TLSConfig: f.TLSConfig(), ErrorLog: quiet}}
	go func() { _ = servers[0].Serve(plain) }()
	go func() { _ = servers[1].ServeTLS(secure, "", "") }()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		f.Close()
		for _, s := range servers {
			_ = s.Close()
		}
		if t.Failed() {
			f.mu.Lock()
			defer f.mu.Unlock()
			t.Logf("log:\n%s", f.logged.String())
		}
	})
	return f
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Write takes the log.
func (f *front) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logged.Write(p)
}

// hosts leads hosts to a tenant, as the only ones; nothing is made ahead for them.
func (f *front) hosts(hosts ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes = make(map[string]fleet.Route)
	for _, h := range hosts {
		f.routes[h] = fleet.Route{Domain: fleet.Domain(h), Tenant: "acme", State: fleet.RouteServe, Backend: "10.0.0.1:80"}
	}
}

// publish is hosts, and has their certificates made ahead.
func (f *front) publish(hosts ...string) {
	f.hosts(hosts...)
	f.Want(f)
}

// Routes makes the front a certs.Table.
func (f *front) Routes() (routes []fleet.Route) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.routes {
		routes = append(routes, r)
	}
	return routes
}

func (f *front) lookup(host string) (fleet.Route, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.routes[host]; ok {
		return r, true
	}
	_, parent, _ := strings.Cut(host, ".")
	r, ok := f.routes["*."+parent]
	return r, ok
}

// dial shakes hands and gives the certificates the proxy sent.
func (f *front) dial(host string) []*x509.Certificate {
	f.t.Helper()
	dialer := &net.Dialer{Timeout: 40 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", f.https, &tls.Config{
		ServerName: host, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"},
	})
	if err != nil {
		f.t.Fatalf("handshake for %s: %v", host, err)
	}
	defer func() { _ = conn.Close() }()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		f.t.Errorf("protocol %q", got)
	}
	return conn.ConnectionState().PeerCertificates
}

// trusted is dial, and checks that clients who trust the authority accept it.
func (f *front) trusted(host string, by *pebble.Pebble) *x509.Certificate {
	f.t.Helper()
	chain := f.dial(host)
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: by.Issued(), Intermediates: between}); err != nil {
		f.t.Fatalf("certificate for %s: %v", host, err)
	}
	return chain[0]
}

func (f *front) state(host string) fleet.Certificate {
	f.t.Helper()
	s, err := f.Status(f.t.Context(), host)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// eventually waits for something that others bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
