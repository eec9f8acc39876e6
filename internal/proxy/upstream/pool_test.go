package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// ask forwards one request to address and gives what came of it.
func ask(client *Client, method, body, address string) (string, error) {
	w := httptest.NewRecorder()
	err := client.Forward(w, httptest.NewRequest(method, "http://acme.example/", strings.NewReader(body)), address)
	return w.Body.String(), err
}

// A kept connection that was closed meanwhile is seen before it is used: no request is lost,
// whatever its method.
func TestClosedWhileIdle(t *testing.T) {
	for name, goodbye := range map[string]func(net.Conn){
		"closed":                     func(c net.Conn) { c.Close() },
		"reset":                      func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() },
		"an answer nobody asked for": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nevil") },
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(name+", "+method, func(t *testing.T) {
				conns := make(chan net.Conn, 10)
				b := startRaw(t, func(c net.Conn, r *http.Request) bool {
					conns <- c
					return says(hello)(c, r)
				})
				client := New(Config{})
				defer client.Close()
				for range 5 {
					if body, err := ask(client, method, "x", b.address); body != "hello" || err != nil {
						t.Fatalf("%q, %v", body, err)
					}
					goodbye(<-conns)
					time.Sleep(5 * time.Millisecond) // loopback takes a moment to tell
				}
				if b.requests.Load() != 5 || b.conns.Load() != 5 {
					t.Errorf("%d requests over %d connections", b.requests.Load(), b.conns.Load())
				}
			})
		}
	}
}

// A kept connection that is closed when the request arrives, unread, costs a second attempt
// where that is safe, and only there.
func TestClosedWhenAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		method, body string
		again        bool
	}{
		"GET":             {"GET", "", true},
		"HEAD":            {"HEAD", "", true},
		"OPTIONS":         {"OPTIONS", "", true},
		"GET with a body": {"GET", "x", false},
		"POST":            {"POST", "", false},
		"POST, body":      {"POST", "x", false},
		"DELETE":          {"DELETE", "", false},
		"PUT":             {"PUT", strings.Repeat("x", 100<<10), false},
	} {
		t.Run(name, func(t *testing.T) {
			isFirst := firstOfEach()
			b := startRaw(t, func(c net.Conn, r *http.Request) bool {
				first := isFirst(c)
				if r.Method == http.MethodHead {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
					return first
				}
				return first && says(hello)(c, r)
			})
			client := New(Config{})
			defer client.Close()
			if _, err := ask(client, "GET", "", b.address); err != nil {
				t.Fatal(err)
			}
			_, err := ask(client, tc.method, tc.body, b.address)
			if tc.again != (err == nil) || errors.Is(err, ErrNotSent) {
				t.Errorf("error %v", err)
			}
			if again := b.requests.Load() == 3; again != tc.again && tc.method != "HEAD" {
				t.Errorf("%d requests", b.requests.Load())
			}
		})
	}
}

// firstOfEach gives what tells whether a request is the first on its connection.
func firstOfEach() func(net.Conn) bool {
	var mu sync.Mutex
	seen := make(map[net.Conn]bool)
	return func(c net.Conn) bool {
		mu.Lock()
		defer mu.Unlock()
		first := !seen[c]
		seen[c] = true
		return first
	}
}

// Once a byte of the answer has come the request is not sent again.
func TestClosedWithinTheAnswer(t *testing.T) {
	isFirst := firstOfEach()
	b := startRaw(t, func(c net.Conn, r *http.Request) bool {
		if isFirst(c) {
			return says(hello)(c, r)
		}
		io.WriteString(c, "H")
		return false
	})
	client := New(Config{})
	defer client.Close()
	if _, err := ask(client, "GET", "", b.address); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(client, "GET", "", b.address); err == nil || errors.Is(err, ErrNotSent) {
		t.Errorf("error %v", err)
	}
	if b.requests.Load() != 2 {
		t.Errorf("%d requests", b.requests.Load())
	}
}

// A backend that closes its kept connections and refuses new ones has not seen the request: it
// can wait for the backend behind the gate, and its body is still whole then.
func TestGoneWhileIdle(t *testing.T) {
	b := startRaw(t, says(hello))
	var refuse bool
	client := New(Config{DialContext: dialUnless(&refuse)})
	defer client.Close()
	for name, body := range map[string]string{"no body": "", "small body": "small", "large body": strings.Repeat("x", 100<<10)} {
		t.Run(name, func(t *testing.T) {
			refuse = false
			if _, err := ask(client, "GET", "", b.address); err != nil {
				t.Fatal(err)
			}
			refuse = true
			kept := client.pool.take(b.address)
			kept.nc.(*net.TCPConn).CloseRead() // as if the backend had closed it
			client.pool.put(kept, time.Now())
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			if err := client.Forward(httptest.NewRecorder(), r, b.address); !errors.Is(err, ErrNotSent) {
				t.Fatalf("error %v", err)
			}
			refuse = false
			w := httptest.NewRecorder()
			if err := client.Forward(w, r, b.address); err != nil || w.Body.String() != "hello" {
				t.Errorf("%q, %v", w.Body, err)
			}
		})
	}
}

// slowBody closes the backend's connection while it is read.
type slowBody struct {
	io.Reader
	gone func()
}

func (s *slowBody) Read(p []byte) (int, error) {
	s.gone()
	return s.Reader.Read(p)
}

func TestGoneWhileASmallBodyComes(t *testing.T) {
	conns := make(chan net.Conn, 10)
	var got []string
	b := startRaw(t, func(c net.Conn, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		got = append(got, string(body))
		conns <- c
		return says(hello)(c, r)
	})
	var refuse bool
	client := New(Config{DialContext: dialUnless(&refuse)})
	defer client.Close()
	if _, err := ask(client, "GET", "", b.address); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.ContentLength = 5
	r.Body = io.NopCloser(&slowBody{strings.NewReader("small"), func() {
		(<-conns).Close()
		time.Sleep(5 * time.Millisecond) // loopback takes a moment to tell
		refuse = true
	}})
	if err := client.Forward(httptest.NewRecorder(), r, b.address); !errors.Is(err, ErrNotSent) {
		t.Fatalf("error %v", err)
	}
	refuse = false
	w := httptest.NewRecorder()
	if err := client.Forward(w, r, b.address); err != nil || w.Body.String() != "hello" || len(got) != 2 || got[1] != "small" {
		t.Errorf("%q, %v, the backend got %q", w.Body, err, got)
	}
}

func TestPoolBounds(t *testing.T) {
	t.Run("number", func(t *testing.T) {
		together := make(chan struct{})
		var arrived sync.WaitGroup
		arrived.Add(10)
		b := startRaw(t, func(c net.Conn, r *http.Request) bool {
			arrived.Done()
			<-together
			return says(hello)(c, r)
		})
		client := New(Config{MaxIdlePerBackend: 3})
		defer client.Close()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := ask(client, "GET", "", b.address); err != nil {
					t.Error(err)
				}
			})
		}
		arrived.Wait()
		close(together)
		wg.Wait()
		if n := kept(client); n != 3 {
			t.Errorf("%d kept", n)
		}
	})
	t.Run("time", func(t *testing.T) {
		b := startRaw(t, says(hello))
		client := New(Config{Idle: 20 * time.Millisecond})
		defer client.Close()
		if _, err := ask(client, "GET", "", b.address); err != nil || kept(client) != 1 {
			t.Fatal(err)
		}
		waitFor(t, "the connection is given up", func() bool { return kept(client) == 0 })
	})
	t.Run("end", func(t *testing.T) {
		b := startRaw(t, says(hello))
		client := New(Config{})
		for range 2 {
			if _, err := ask(client, "GET", "", b.address); err != nil {
				t.Fatal(err)
			}
			client.Close()
			if kept(client) != 0 {
				t.Error("a connection is kept")
			}
		}
	})
}

// kept is how many connections are.
func kept(c *Client) (n int) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	for _, s := range c.pool.conns {
		n += len(s.conns)
	}
	return n
}

// Many requests over few connections never get one another's answers.
func TestManyTogether(t *testing.T) {
	f := startFront(t, Config{MaxIdlePerBackend: 4}, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if len(body)%3 == 0 {
			http.NewResponseController(w).Flush() // in chunks
		}
		io.WriteString(w, r.URL.Path+string(body))
	}))
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			c := f.web(proto)
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					for j := range 50 {
						path := "/" + strings.Repeat(string(rune('a'+i)), j+1)
						body := strings.Repeat(string(rune('A'+i)), j*j*20)
						if a := do(t, c, request(t, http.MethodPost, f.URL+path, strings.NewReader(body))); a.body != path+body {
							t.Errorf("%s, %d bytes for %d", a.Status, len(a.body), len(path+body))
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
