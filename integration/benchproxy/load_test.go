package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// stopwatch counts how often it was read.
type stopwatch struct{ begun, ended int }

func (s *stopwatch) begin() error { s.begun++; return nil }
func (s *stopwatch) end() error   { s.ended++; return nil }

// front is an HTTPS server for all hosts with a certificate of ours.
func front(t *testing.T, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	dir := t.TempDir()
	if err := writeWildcard(dir); err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(dir+"/cert.pem", dir+"/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that were not served well leave
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return netip.MustParseAddrPort(srv.Listener.Addr().String())
}

func good(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(bodySize))
	w.Write(body)
}

// connectors are the ways to ask.
func connectors(l *load) map[string]func(int) (worker, error) {
	return map[string]func(int) (worker, error){
		"HTTP/1.1": func(i int) (worker, error) { return connectHTTP1(l, i, 3) },
		"HTTP/2":   func(i int) (worker, error) { return connectHTTP2(l, l.hosts[i], 3) },
		"new":      func(i int) (worker, error) { return &handshakes{load: l, next: i}, nil },
	}
}

func newLoad(addr netip.AddrPort) *load {
	return &load{addr: addr, hosts: []string{hostName(0), hostName(1)}, requests: 100, workers: 2, limit: time.Minute}
}

func TestEveryHostIsAsked(t *testing.T) {
	for name := range connectors(nil) {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			seen := make(map[string]int)
			l := newLoad(front(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[r.Host+" "+r.Proto]++
				mu.Unlock()
				good(w, r)
			}))
			var s stopwatch
			o, err := l.measure(t.Context(), &s, connectors(l)[name])
			if err != nil {
				t.Fatal(err)
			}
			if len(o.times) != 100 || !slices.IsSorted(o.times) || s != (stopwatch{1, 1}) {
				t.Errorf("%d times, sorted %v, %+v", len(o.times), slices.IsSorted(o.times), s)
			}
			sum := 0
			for _, n := range seen {
				sum += n
			}
			if len(seen) != 2 || sum != 110 { // a tenth to warm up
				t.Errorf("asked: %v", seen)
			}
		})
	}
}

func TestAnotherAnswerIsAFailure(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(bodySize))
			w.WriteHeader(http.StatusBadGateway)
			w.Write(body)
		},
		"length": func(w http.ResponseWriter, r *http.Request) { w.Write(body[1:]) },
		"body":   func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(strings.Repeat("x", bodySize))) },
		"none":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for way := range connectors(nil) {
			t.Run(way+", "+name, func(t *testing.T) {
				l := newLoad(front(t, h))
				if _, err := l.measure(t.Context(), &stopwatch{}, connectors(l)[way]); err == nil {
					t.Error("no error")
				}
			})
		}
	}
}

func TestTurnsAreBounded(t *testing.T) {
	block := make(chan struct{})
	addr := front(t, func(http.ResponseWriter, *http.Request) { <-block })
	defer close(block)
	for _, way := range []string{"HTTP/1.1", "HTTP/2", "new"} {
		l := newLoad(addr)
		l.limit = time.Second
		if _, err := l.measure(t.Context(), &stopwatch{}, connectors(l)[way]); err == nil {
			t.Errorf("%s: no error", way)
		}
	}
}

func TestBackendAnswersRequestsInPieces(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(ln.Addr().String())
	ln.Close()
	go serveBackend([]netip.AddrPort{addr}) // until the test's process ends
	var conn net.Conn
	for end := time.Now().Add(30 * time.Second); conn == nil; {
		if conn, err = net.Dial("tcp", addr.String()); err != nil && time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer conn.Close()
	request := requestFor(hostName(0), true)
	buf := make([]byte, 8<<10)
	for range 3 {
		if _, err := conn.Write(request[:20]); err != nil {
			t.Fatal(err)
		}
		if err := ask(conn, request[20:], buf); err != nil {
			t.Fatal(err)
		}
	}
}
