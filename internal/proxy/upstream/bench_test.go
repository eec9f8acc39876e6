package upstream

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// blackHole is a client that takes everything.
type blackHole struct{ header http.Header }

func (w *blackHole) Header() http.Header         { return w.header }
func (w *blackHole) Write(p []byte) (int, error) { return len(p), nil }
func (w *blackHole) WriteHeader(int)             {}
func (w *blackHole) Flush()                      {}

// reverseProxy is what this package is measured against.
func reverseProxy(b *testing.B, backend string) http.Handler {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	b.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "http", Host: backend})
			pr.Out.Host = pr.In.Host
			pr.SetXForwarded()
		},
		Transport:     transport,
		FlushInterval: -1,
	}
}

func BenchmarkForward(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20} {
		answer := "HTTP/1.1 200 OK\r\nServer: test\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/html\r\n" +
			"Cache-Control: no-store\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n" + strings.Repeat("x", size)
		address := benchBackend(b, answer)
		client := New(Config{})
		b.Cleanup(client.Close)
		for kind, forward := range map[string]http.Handler{
			"own": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := client.Forward(w, r, address); err != nil {
					b.Error(err)
				}
			}),
			"ReverseProxy": reverseProxy(b, address),
		} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				ctx, cancel := context.WithCancel(b.Context()) // as net/http's server gives one
				defer cancel()
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://acme.example/index.html?a=b", nil)
				r.Header = http.Header{
					"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, "Accept": {"*/*"},
					"Accept-Encoding": {"gzip, br"}, "Accept-Language": {"en"}, "Cookie": {"session=0123456789abcdef"},
				}
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					forward.ServeHTTP(&blackHole{header: make(http.Header)}, r)
				}
			})
		}
	}
}

// benchBackend answers each request with the same bytes and costs nearly nothing.
func benchBackend(b *testing.B, answer string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	b.Cleanup(func() { ln.Close(); serving.Wait() }) // its clients have closed by then
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				buf, whole := make([]byte, 4<<10), []byte(answer)
				for {
					n, err := conn.Read(buf)
					if err != nil || !strings.HasSuffix(string(buf[:n]), "\r\n\r\n") {
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

func BenchmarkParseHead(b *testing.B) {
	text := "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/html\r\n" +
		"Content-Length: 1024\r\nConnection: keep-alive\r\nCache-Control: no-store\r\nset-cookie: a=b\r\n\r\n"
	var h head
	b.ReportAllocs()
	for b.Loop() {
		if err := h.parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeChunks(b *testing.B) {
	coded := []byte(strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 8) + "0\r\n\r\n")
	work := make([]byte, len(coded))
	b.SetBytes(int64(len(coded)))
	for b.Loop() {
		copy(work, coded)
		c := chunks{max: 100}
		if _, _, err := c.decode(work); err != nil || !c.done() {
			b.Fatal(err)
		}
	}
}
