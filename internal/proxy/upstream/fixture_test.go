package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// front is a web server that forwards everything to one backend.
type front struct {
	*httptest.Server
	t      *testing.T
	client *Client
	leave  <-chan struct{} // given to ForwardUntil
	errs   chan error      // what Forward gave, for each request that did not panic
}

// startFront runs a server with TLS, HTTP/1.1 and 2, until the test ends.
func startFront(t *testing.T, cfg Config, backend string) *front {
	t.Helper()
	f := &front{t: t, client: New(cfg), errs: make(chan error, 1000)}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f.client.ForwardUntil(w, r, backend, f.leave)
		select {
		case f.errs <- err:
		default: // nobody looks at so many
		}
		switch {
		case errors.Is(err, ErrLeft):
			panic(http.ErrAbortHandler)
		case errors.Is(err, ErrNotSent):
			w.WriteHeader(http.StatusServiceUnavailable)
		case errors.Is(err, ErrTimeout):
			w.WriteHeader(http.StatusGatewayTimeout)
		case errors.Is(err, ErrRequest):
			w.WriteHeader(http.StatusBadRequest)
		case err != nil:
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	f.EnableHTTP2 = true
	f.StartTLS()
	t.Cleanup(func() {
		f.Close()
		f.client.Close()
	})
	return f
}

// web is a client of the server that speaks HTTP/1.1 or 2 only.
func (f *front) web(proto string) *http.Client {
	tr := f.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig = &tls.Config{RootCAs: tr.TLSClientConfig.RootCAs}
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetHTTP1(proto == "HTTP/1.1")
	tr.Protocols.SetHTTP2(proto == "HTTP/2")
	tr.ForceAttemptHTTP2 = proto == "HTTP/2"
	tr.DisableCompression = true
	tr.ExpectContinueTimeout = 20 * time.Second
	f.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// dial opens a TLS connection for raw HTTP/1.
func (f *front) dial() *tls.Conn {
	f.t.Helper()
	cfg := f.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	cfg.NextProtos = nil
	cfg.ServerName = "example.com" // what httptest's certificate is for
	conn, err := tls.Dial("tcp", f.Listener.Addr().String(), cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	return conn
}

var protocols = []string{"HTTP/1.1", "HTTP/2"}

// answer is a response whose body was read.
type answer struct {
	*http.Response
	body string
	err  error // of reading it
}

func do(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Error(err)
		return answer{Response: &http.Response{Header: http.Header{}}, err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, string(body), err}
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// startBackend runs a web server and gives its address.
func startBackend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// raw is a backend whose connections are served by hand.
type raw struct {
	address  string
	conns    atomic.Int64 // accepted
	requests atomic.Int64
}

// startRaw answers each request that serve's connection brings; serve gives false to close it.
func startRaw(t *testing.T, serve func(c net.Conn, r *http.Request) bool) *raw {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &raw{address: ln.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.conns.Add(1)
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				br := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					b.requests.Add(1)
					if !serve(conn, r) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return b
}

// says answers every request with the same bytes and keeps the connection.
func says(text string) func(net.Conn, *http.Request) bool {
	return func(c net.Conn, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		_, err := io.WriteString(c, text)
		return err == nil
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// dialUnless connects by TCP while refuse is false.
func dialUnless(refuse *bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if *refuse {
			return nil, syscall.ECONNREFUSED
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}
