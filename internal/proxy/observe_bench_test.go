package proxy

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
)

// blackHole is a client that takes everything.
type blackHole struct{ header http.Header }

func (w *blackHole) Header() http.Header         { return w.header }
func (w *blackHole) Write(p []byte) (int, error) { return len(p), nil }
func (w *blackHole) WriteHeader(int)             {}
func (w *blackHole) Flush()                      {}

// benchServer is a server with one tenant that serves nobody but who calls its handler.
func benchServer(b *testing.B, change func(*Config)) *Server {
	cfg := Config{HTTPS: "127.0.0.1:0", HTTP: "off", Storage: &certmagic.FileStorage{Path: b.TempDir()}}
	if change != nil {
		change(&cfg)
	}
	s, err := New(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
	})
	s.Router().Publish([]fleet.Route{serving("acme.example", "acme", benchBackend(b))})
	return s
}

// benchBackend answers each request with the same 1 KiB and costs nearly nothing.
func benchBackend(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	whole := []byte("HTTP/1.1 200 OK\r\nServer: test\r\nContent-Type: text/html\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	var serving sync.WaitGroup
	b.Cleanup(func() { ln.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				buf := make([]byte, 4<<10)
				for {
					if _, err := conn.Read(buf); err != nil {
						return
					}
					if _, err := conn.Write(whole); err != nil {
						return
					}
				}
			})
		}
	})
	return ln.Addr().String()
}

func benchRequest(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://acme.example/index.html?a=b", nil)
	r.Body = http.NoBody
	r.Header = http.Header{
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, "Accept": {"*/*"},
		"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"en"}, "Cookie": {"session=0123456789abcdef"},
	}
	return r
}

// BenchmarkRequest is a whole request without TLS and the server's parser, to a backend on
// loopback.
func BenchmarkRequest(b *testing.B) {
	s := benchServer(b, nil)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	r := benchRequest(ctx)
	b.ReportAllocs()
	for b.Loop() {
		s.handle(&blackHole{header: make(http.Header)}, r)
	}
}

// BenchmarkObserve is what counting and logging cost: a request that nobody forwards.
func BenchmarkObserve(b *testing.B) {
	answer := []byte(strings.Repeat("x", 1024))
	for name, change := range observers(b) {
		b.Run(name, func(b *testing.B) {
			s := benchServer(b, change)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := benchRequest(b.Context())
				w := &blackHole{header: make(http.Header)}
				for pb.Next() {
					s.observe(w, r, func(rec *recorder, v *visit) {
						v.tenant = "acme"
						rec.WriteHeader(http.StatusOK)
						rec.Write(answer)
					})
				}
			})
		})
	}
}

func observers(b *testing.B) map[string]func(*Config) {
	logged := func(c *Config) {
		c.Access = accesslog.Open(accesslog.Config{Path: "/dev/null", Sample: 1})
		b.Cleanup(func() { c.Access.Close(context.Background()) })
	}
	sampled := func(c *Config) {
		c.Access = accesslog.Open(accesslog.Config{Path: "/dev/null", Sample: 0.01})
		b.Cleanup(func() { c.Access.Close(context.Background()) })
	}
	return map[string]func(*Config){"counted": nil, "logged": logged, "sampled": sampled}
}
