package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// server shakes hands with w's settings, as net/http has them, and says nothing else.
func (w *world) server() (addr string) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	s := &http.Server{
		Handler: http.NotFoundHandler(), TLSConfig: w.TLSConfig(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeTLS(l, "", "") }()
	w.t.Cleanup(func() { _ = s.Close(); <-done })
	return l.Addr().String()
}

// shake makes one request, which also reads the session ticket.
func shake(t *testing.T, addr string, cfg *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }()
	if conn.ConnectionState().NegotiatedProtocol == "http/1.1" {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			return tls.ConnectionState{}, err
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			return tls.ConnectionState{}, err
		}
	}
	return conn.ConnectionState(), nil
}

func TestProtocols(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "acme.localhost")
	addr := w.server()
	for name, tc := range map[string]struct {
		offered []string
		want    string
	}{
		"both": {[]string{"h2", "http/1.1"}, "h2"}, "old": {[]string{"http/1.1"}, "http/1.1"}, "oldest": {[]string{"http/1.0"}, "http/1.0"}, "none": {nil, ""},
	} {
		state, err := shake(t, addr, &tls.Config{ServerName: "acme.localhost", InsecureSkipVerify: true, NextProtos: tc.offered})
		if err != nil || state.NegotiatedProtocol != tc.want || state.PeerCertificates[0].DNSNames[0] != "acme.localhost" {
			t.Errorf("%s: %q, %v", name, state.NegotiatedProtocol, err)
		}
	}
	if _, err := shake(t, addr, &tls.Config{ServerName: "acme.localhost", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// A client that knows one proxy resumes its session at another, and after the keys have changed.
func TestSessionsAreShared(t *testing.T) {
	one := newWorld(t, nil)
	two := newWorld(t, func(c *Config) { c.Storage = one.storage })
	var addrs []string
	for _, w := range []*world{one, two} {
		w.lead("acme", "acme.localhost")
		w.tickets.refresh(t.Context(), w.log)
		addrs = append(addrs, w.server())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(one.CA().Export())
	client := &tls.Config{
		ServerName: "acme.localhost", RootCAs: roots, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	resumed := func(addr string) bool {
		t.Helper()
		state, err := shake(t, addr, client)
		if err != nil {
			t.Fatal(err)
		}
		return state.DidResume
	}
	if resumed(addrs[0]) {
		t.Error("the first handshake resumes")
	}
	if !resumed(addrs[0]) || !resumed(addrs[1]) {
		t.Error("not resumed at another proxy")
	}
	for _, w := range []*world{one, two} {
		w.clock.pass(ticketLife + time.Minute)
		w.tickets.refresh(t.Context(), w.log)
	}
	if len(two.tickets.keys) != 2 || one.tickets.keys[0].Key != two.tickets.keys[0].Key {
		t.Errorf("%d keys, after one change", len(two.tickets.keys))
	}
	if !resumed(addrs[1]) {
		t.Error("not resumed with the key before")
	}
	one.clock.pass(ticketLife + time.Minute)
	one.tickets.refresh(t.Context(), one.log)
	if len(one.tickets.keys) != 2 {
		t.Errorf("%d keys, after two changes", len(one.tickets.keys))
	}
}

// calls counts what is asked of a storage.
type calls struct {
	certmagic.Storage
	n atomic.Int64
}

func (c *calls) Load(ctx context.Context, key string) ([]byte, error) {
	c.n.Add(1)
	return c.Storage.Load(ctx, key)
}

// Challenges that nobody has made are looked up for the table's hosts only, and only so often.
func TestChallengesOfStrangers(t *testing.T) {
	storage := &calls{Storage: &certmagic.FileStorage{Path: t.TempDir()}}
	w := newWorld(t, func(c *Config) { c.Storage = storage })
	w.lead("acme", "www.dev", "acme.localhost")
	before := storage.n.Load()
	for range 100 {
		for _, host := range []string{"stranger.dev", "acme.localhost", ""} {
			hello := helloFor(host)
			hello.SupportedProtos = []string{challengeProtocol}
			if _, err := w.GetCertificate(hello); err == nil {
				t.Errorf("%q: a challenge nobody made is answered", host)
			}
			r := httptest.NewRequest(http.MethodGet, "http://"+host+":80/.well-known/acme-challenge/abc", nil)
			if w.HandleHTTPChallenge(httptest.NewRecorder(), r) {
				t.Errorf("%q: a challenge nobody made is answered", host)
			}
		}
	}
	if n := storage.n.Load() - before; n != 0 {
		t.Errorf("%d reads for strangers", n)
	}
	looks := 0
	for range 500 { // at one moment, as the clock stands still
		if w.challenged("www.dev") {
			looks++
		}
	}
	if looks != mostLookups {
		t.Errorf("looked up %d times", looks)
	}
	w.clock.pass(time.Second)
	if !w.challenged("www.dev") {
		t.Error("not looked up a second later")
	}
	r := httptest.NewRequest(http.MethodGet, "http://www.dev/index.html", nil)
	if w.HandleHTTPChallenge(httptest.NewRecorder(), r) {
		t.Error("another path is taken")
	}
}

// A host that has left the table is visited by nobody, and nothing is done ahead for it.
func TestNothingIsDoneAheadOutsideTheTable(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "www.dev", "gone.dev")
	w.hello("www.dev")
	w.hello("gone.dev")
	w.mu.Lock()
	delete(w.routes, "gone.dev")
	w.mu.Unlock()
	w.follow(w)
	w.clock.pass(61 * 24 * time.Hour)
	w.enqueue()
	w.Keeper.mu.Lock()
	queue := len(w.queue)
	w.Keeper.mu.Unlock()
	if queue != 1 {
		t.Errorf("%d are to be renewed", queue)
	}
	w.lead("acme", "new.dev") // not followed yet
	if got := w.hello("new.dev"); got != "new.dev" || w.hello("new.dev") != "new.dev" || len(w.asked()) != 3 {
		t.Errorf("certificate of %q, %d orders", got, len(w.asked()))
	}
}
