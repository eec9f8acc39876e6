package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestForwardedHeaders(t *testing.T) {
	seen := make(chan *http.Request, 1)
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "backend")
		w.Header().Set("Keep-Alive", "timeout=5")
	})))
	r, err := http.NewRequest(http.MethodGet, "https://acme.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "acme.example:8443"
	for name, value := range map[string]string{
		"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example",
		"X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/x", "Forwarded": "for=6.6.6.6", "X-Real-Ip": "6.6.6.6",
		"X-Original-Url": "/admin", "Proxy": "http://evil.example",
		"Connection": "X-Mine", "X-Mine": "hop", "Proxy-Authorization": "x", "X-Kept": "kept",
	} {
		r.Header.Set(name, value)
	}
	a := do(t, f.client(http1), r)
	got := <-seen
	if got.Host != "acme.example:8443" {
		t.Errorf("Host %q", got.Host)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "acme.example:8443",
		"X-Real-Ip": "127.0.0.1", "X-Kept": "kept", "Forwarded": `for=127.0.0.1;host="acme.example:8443";proto=https`, "X-Forwarded-Port": "", "X-Forwarded-Prefix": "",
		"X-Original-Url": "", "Proxy": "", "X-Mine": "", "Proxy-Authorization": "",
	} {
		if v := strings.Join(got.Header.Values(name), ", "); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if a.Header.Get("X-Hop") != "" || a.Header.Get("Keep-Alive") != "" {
		t.Errorf("hop-by-hop headers of the backend pass: %v", a.Header)
	}
}

func TestTrailers(t *testing.T) {
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "got "+r.Trailer.Get("X-Sent"))
	})))
	for name, change := range map[string]func(*http.Transport){"HTTP/1.1": http1, "HTTP/2": nil} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, "https://acme.example/", io.MultiReader(strings.NewReader("in pieces")))
			if err != nil {
				t.Fatal(err)
			}
			r.Trailer = http.Header{"X-Sent": {"42"}}
			if a := do(t, f.client(change), r); a.body != "body" || a.Trailer.Get("X-Sum") != "got 42" {
				t.Errorf("%q, trailers %v", a.body, a.Trailer)
			}
		})
	}
}

func TestWebSocket(t *testing.T) {
	f := startFront(t, nil)
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	f.publish(serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			kind, data, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, data) != nil {
				return
			}
		}
	})))
	d := websocket.Dialer{TLSClientConfig: f.tls("acme.example"), NetDialContext: func(ctx context.Context, n, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, n, f.HTTPSAddr().String())
	}}
	conn, res, err := d.DialContext(t.Context(), "wss://acme.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer res.Body.Close()
	for i := range 100 {
		sent := bytes.Repeat([]byte{byte(i)}, i*500)
		if err := conn.WriteMessage(websocket.BinaryMessage, sent); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("message %d: %d bytes, %v", i, len(got), err)
		}
	}
	if got := f.gateState("acme").Inflight; got != 1 {
		t.Errorf("%d in flight, want the open WebSocket", got)
	}
	if err := f.end(5 * time.Second); err != nil {
		t.Errorf("shutdown with an open WebSocket: %v", err)
	}
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the WebSocket outlives the proxy")
	}
}

func TestAnswersAreNotBuffered(t *testing.T) {
	for name, header := range map[string]http.Header{
		"events":       {"Content-Type": {"text/event-stream"}},
		"pieces":       {"Content-Type": {"text/plain"}},
		"known length": {"Content-Type": {"text/plain"}, "Content-Length": {"4"}},
	} {
		for proto, change := range map[string]func(*http.Transport){"HTTP/1.1": http1, "HTTP/2": nil} {
			t.Run(name+" "+proto, func(t *testing.T) {
				next := make(chan struct{})
				f := startFront(t, nil)
				f.publish(serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
					for key, v := range header {
						w.Header()[key] = v
					}
					for range 4 {
						io.WriteString(w, ".")
						http.NewResponseController(w).Flush()
						<-next // the next piece is sent only when this one has arrived
					}
				})))
				res, err := f.client(change).Get("https://acme.example/")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				for range 4 {
					if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
					next <- struct{}{}
				}
			})
		}
	}
}

// endless gives n bytes and watches the heap while they are read.
type endless struct {
	left int64
	peak uint64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	if e.left%(10<<20) < int64(len(p)) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		e.peak = max(e.peak, m.HeapAlloc)
	}
	n := min(int64(len(p)), e.left)
	e.left -= n
	return int(n), nil
}

func TestUploadIsNotBuffered(t *testing.T) {
	const size = 100 << 20
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})))
	for name, change := range map[string]func(*http.Transport){"HTTP/1.1": http1, "HTTP/2": nil} {
		t.Run(name, func(t *testing.T) {
			var before runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			body := &endless{left: size}
			r, err := http.NewRequest(http.MethodPost, "https://acme.example/", io.NopCloser(body))
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = size
			if a := do(t, f.client(change), r); a.body != fmt.Sprint(size, nil) {
				t.Errorf("%s %q", a.Status, a.body)
			}
			if grown := int64(body.peak) - int64(before.HeapAlloc); grown > 32<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// rawBackend answers every connection by serve and counts them.
func rawBackend(t *testing.T, serve func(net.Conn, *http.Request)) (address string, requests *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				requests.Add(1)
				serve(conn, r)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String(), requests
}

// What a backend may have got is not sent again, whatever the method.
func TestSentOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		serve  func(net.Conn, *http.Request)
		status int // 0: the answer breaks off
	}{
		"closes without an answer": {func(net.Conn, *http.Request) {}, 502},
		"resets": {func(c net.Conn, _ *http.Request) {
			c.(*net.TCPConn).SetLinger(0)
		}, 502},
		"answers garbage":        {func(c net.Conn, _ *http.Request) { io.WriteString(c, "what?\r\n\r\n") }, 502},
		"dies within the header": {func(c net.Conn, _ *http.Request) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-") }, 502},
		"sends a header of 1 MB": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", 1<<20)+"\r\n\r\n")
		}, 502},
		"dies in the middle": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		}, 0},
		"dies between two chunks": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		}, 0},
		"takes too long to answer": {func(c net.Conn, _ *http.Request) { io.Copy(io.Discard, c) }, 504},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(name+" "+method, func(t *testing.T) {
				f := startFront(t, func(c *Config) { c.Answer = 200 * time.Millisecond })
				address, requests := rawBackend(t, tc.serve)
				f.publish(serving("acme.example", "acme", address))
				r, err := http.NewRequest(method, "https://acme.example/", nil)
				if method == http.MethodPost {
					r, err = http.NewRequest(method, "https://acme.example/", strings.NewReader("order one"))
				}
				if err != nil {
					t.Fatal(err)
				}
				res, err := f.client(http1).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				_, err = io.ReadAll(res.Body)
				switch {
				case tc.status == 0 && (res.StatusCode != 200 || err == nil):
					t.Errorf("%s, and its body looks whole", res.Status)
				case tc.status != 0 && (res.StatusCode != tc.status || err != nil):
					t.Errorf("%s, %v; want %d", res.Status, err, tc.status)
				}
				if got := requests.Load(); got != 1 {
					t.Errorf("the backend got it %d times", got)
				}
			})
		}
	}
}

// A request that the client breaks off is the client's fault, and the backend is told.
func TestClientBreaksOff(t *testing.T) {
	f := startFront(t, nil)
	broke := make(chan error, 1)
	f.publish(serving("acme.example", "acme", startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		broke <- err
	})))
	conn := f.dial("acme.example")
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: acme.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nno chunk\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("%s", res.Status)
	}
	if err := <-broke; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the backend took it for whole: %v", err)
	}
}
