package guard

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// patience is how long tests wait for what happens at once.
const patience = 30 * time.Second

// site is a server behind a Listener.
type site struct {
	*Listener
	t    *testing.T
	addr string

	mu      sync.Mutex
	refused map[Reason]int
}

// serve starts a server until the test ends. Without a handler it says what it was asked for.
func serve(t *testing.T, cfg ListenerConfig, handler http.HandlerFunc, change func(*http.Server)) *site {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, addr: inner.Addr().String(), refused: make(map[Reason]int)}
	cfg.Refused = func(why Reason) { s.mu.Lock(); defer s.mu.Unlock(); s.refused[why]++ }
	s.Listener = NewListener(inner, cfg)
	if handler == nil {
		handler = describe
	}
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: patience,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	if change != nil {
		change(srv)
	}
	s.Attach(srv)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(s.Listener) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		eventually(t, "connections are counted that are closed", func() bool { return s.conns.Open() == 0 })
	})
	return s
}

// describe answers with what net/http made of the request.
func describe(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s %s from %s tls=%v body=%q trailer=%q", r.Method, r.Host, r.RequestURI, r.RemoteAddr, r.TLS != nil, body, r.Trailer.Get("X-Sum"))
}

func (s *site) count(why Reason) int { s.mu.Lock(); defer s.mu.Unlock(); return s.refused[why] }

// certificate is for a server that nobody has to trust.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	return &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: []string{"acme-tls/1"}}
}

// dial opens a connection; protos are those of a client by TLS, none: plain.
func (s *site) dial(protos ...string) net.Conn {
	s.t.Helper()
	var conn net.Conn
	var err error
	if len(protos) > 0 {
		conn, err = tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: protos})
	} else {
		conn, err = net.Dial("tcp", s.addr)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// tlsOver makes a connection a client's by TLS.
func tlsOver(t *testing.T, conn net.Conn) net.Conn {
	t.Helper()
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secure
}

// say writes raw in pieces of n bytes; 0: at once.
func say(t *testing.T, conn net.Conn, raw string, n int) {
	t.Helper()
	if n == 0 {
		n = len(raw)
	}
	for p := []byte(raw); len(p) > 0; p = p[min(n, len(p)):] {
		if _, err := conn.Write(p[:min(n, len(p))]); err != nil {
			return // refused before all was said
		}
	}
}

// status reads one answer.
func status(t *testing.T, r *bufio.Reader) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body.String()
}

// ended waits until the other side has closed the connection.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the connection stays open")
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}
