package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestHeldRequestGetsTheBackendPublishedLater(t *testing.T) {
	f := startFront(t, nil)
	f.publish(held("acme.example", "acme"))
	c := f.client(nil)
	got := make(chan answer, 1)
	go func() { got <- get(t, c, "https://acme.example/") }()
	waitFor(t, func() bool { return f.gateState("acme").Held == 1 })
	f.publish(serving("acme.example", "acme", startBackend(t, says("here now"))))
	if a := <-got; a.body != "here now" {
		t.Errorf("%s %q", a.Status, a.body)
	}
}

func TestHeldRequestSeesWhatBecameOfItsTenant(t *testing.T) {
	for name, tc := range map[string]struct {
		then   []fleet.Route
		status int
	}{
		"stopped": {[]fleet.Route{stopped("acme.example", "acme")}, 503},
		"removed": {nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, nil)
			f.publish(held("acme.example", "acme"))
			c := f.client(nil)
			got := make(chan answer, 1)
			go func() { got <- get(t, c, "https://acme.example/") }()
			waitFor(t, func() bool { return f.gateState("acme").Held == 1 })
			f.publish(tc.then...)
			if a := <-got; a.StatusCode != tc.status || strings.Contains(a.body, pageStarting.Title) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
}

func TestWaitersAreBounded(t *testing.T) {
	for name, limits := range map[string]Limits{
		"by number": {Waiters: 3, Bytes: 1 << 20},
		"by bytes":  {Waiters: 100, Bytes: 3 * 1100},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, func(c *Config) { c.Held = limits; c.Held.Wait = 20 * time.Second })
			f.publish(held("acme.example", "acme"))
			c := f.client(http1)
			send := func() answer {
				r, err := http.NewRequest(http.MethodGet, "https://acme.example/", nil)
				if err != nil {
					t.Error(err)
					return answer{Response: &http.Response{}}
				}
				r.Header.Set("X-Padding", strings.Repeat("x", 950))
				return do(t, c, r)
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if a := send(); a.body != "ok" {
						t.Errorf("held: %s", a.Status)
					}
				})
			}
			waitFor(t, func() bool { return f.gateState("acme").Held == 3 })
			if a := send(); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, pageBusy.Title) {
				t.Errorf("one too many: %s %s", a.Status, a.body)
			}
			f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
			wg.Wait()
		})
	}
}

func TestClientThatLeavesFreesItsPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		route  fleet.Route
		change func(*http.Transport)
	}{
		"held, HTTP/1.1":    {held("acme.example", "acme"), http1},
		"held, HTTP/2":      {held("acme.example", "acme"), nil},
		"refused, HTTP/1.1": {serving("acme.example", "acme", closedPort(t)), http1},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, nil)
			f.publish(tc.route)
			ctx, cancel := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://acme.example/", nil)
			if err != nil {
				t.Fatal(err)
			}
			c := f.client(tc.change)
			left := make(chan error, 1)
			go func() {
				_, err := c.Do(r)
				left <- err
			}()
			waitFor(t, func() bool { return f.gateState("acme").Held == 1 })
			cancel()
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			waitFor(t, func() bool { s := f.gateState("acme"); return s.Held == 0 && s.Inflight == 0 })
			waitFor(t, func() bool { return f.counts() == "acme 499 1\n" })
		})
	}
}

// A client that closes its half while it is held has left: it is not told that all was well.
func TestClientThatHalfClosesIsNotAnswered(t *testing.T) {
	f := startFront(t, nil)
	f.publish(held("acme.example", "acme"))
	conn := f.dial("acme.example")
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: acme.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return f.gateState("acme").Held == 1 })
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
		t.Fatalf("answered %q, %v", got, err)
	}
}

// A backend that refuses connections is waited for, and the request, body and all, arrives
// there once.
func TestBackendThatStartsLater(t *testing.T) {
	var asked atomic.Int64
	f := startFront(t, func(c *Config) { c.Observe = func(fleet.Name) { asked.Add(1) } })
	address := closedPort(t)
	f.publish(serving("acme.example", "acme", address))
	body := strings.Repeat("a large order ", 100_000)
	c := f.client(nil)
	got := make(chan answer, 1)
	go func() {
		r, err := http.NewRequest(http.MethodPost, "https://acme.example/", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		got <- do(t, c, r)
	}()
	waitFor(t, func() bool { return asked.Load() > 1 })
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var times atomic.Int64
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		times.Add(1)
		data, err := io.ReadAll(r.Body)
		fmt.Fprint(w, string(data) == body, err)
	})}
	go srv.Serve(ln)
	defer srv.Close()
	if a := <-got; a.body != "true <nil>" || times.Load() != 1 {
		t.Errorf("%s %q, %d times", a.Status, a.body, times.Load())
	}
}

// The route that the control plane publishes after it was asked is used at once.
func TestBackendThatMoved(t *testing.T) {
	var f *front
	var once sync.Once
	var published time.Time
	next := serving("acme.example", "acme", startBackend(t, says("moved here")))
	f = startFront(t, func(c *Config) {
		c.Observe = func(fleet.Name) {
			once.Do(func() { published = time.Now(); f.publish(next) })
		}
	})
	f.publish(serving("acme.example", "acme", closedPort(t)))
	a := get(t, f.client(nil), "https://acme.example/")
	if took := time.Since(published); a.body != "moved here" || took > time.Second {
		t.Errorf("%s %q after %v", a.Status, a.body, took)
	}
}

func TestBackendThatNeverAnswersTheDoor(t *testing.T) {
	f := startFront(t, func(c *Config) { c.Retry = 100 * time.Millisecond })
	f.publish(serving("acme.example", "acme", closedPort(t)))
	start := time.Now()
	a := get(t, f.client(nil), "https://acme.example/")
	if a.StatusCode != 502 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%s", a.Status)
	}
	if took := time.Since(start); took < 90*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if got := f.gateState("acme"); got.Held != 0 || got.Inflight != 0 {
		t.Errorf("left in the gate: %+v", got)
	}
}

// A tenant that changes its address again and again under load, as in a move: hold, drain,
// publish, resume. No request fails, and none reaches a backend that was drained.
func TestMoveUnderLoad(t *testing.T) {
	f := startFront(t, nil)
	var drained [6]atomic.Bool
	var backends [6]string
	for i := range backends {
		backends[i] = startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			if drained[i].Load() {
				t.Errorf("backend %d got a request after it was drained", i)
			}
			io.Copy(w, r.Body)
		})
	}
	f.publish(serving("acme.example", "acme", backends[0]))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var served atomic.Int64
	for i := range 16 {
		change := http1
		if i%2 == 0 {
			change = nil
		}
		c := f.client(change)
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				sent := fmt.Sprint("client ", i, " request ", n)
				res, err := c.Post("https://acme.example/", "text/plain", strings.NewReader(sent))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != 200 || string(got) != sent {
					t.Errorf("%s %q, %v; sent %q", res.Status, got, err, sent)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := 1; i < len(backends); i++ {
		enough := served.Load() + 50
		waitFor(t, func() bool { return served.Load() > enough || t.Failed() })
		f.Router().Hold("acme", "move")
		if err := f.Router().Drain(ctx, "acme"); err != nil {
			t.Error(err)
		}
		drained[i-1].Store(true)
		f.publish(held("acme.example", "acme"))
		f.publish(serving("acme.example", "acme", backends[i]))
		f.Router().Resume("acme", "move")
	}
	cancel()
	wg.Wait()
}

// 1,000 requests held at once over real connections are all answered.
func TestThousandHeldRequests(t *testing.T) {
	const n = 1000
	// With the race detector, on a busy machine, a thousand connections at once take their time, too.
	f := startFront(t, func(c *Config) { c.Held.Wait, c.Dial = 2*time.Minute, 30*time.Second })
	f.publish(held("acme.example", "acme"))
	clients := make([]*http.Client, 10) // 100 streams each
	for i := range clients {
		clients[i] = f.client(nil)
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if a := get(t, clients[i%len(clients)], "https://acme.example/"); a.body != "ok" {
				t.Errorf("%s", a.Status)
			}
		})
	}
	waitFor(t, func() bool { return f.gateState("acme").Held == n })
	f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
	waitFor(t, func() bool { return f.gateState("acme").Held == 0 })
	wg.Wait()
}
