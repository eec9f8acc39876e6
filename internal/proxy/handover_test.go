package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/gorilla/websocket"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// successor runs a server on f's sockets, as another process would.
func (f *front) successor(t *testing.T, storage certmagic.Storage, table string) (next *front, packets func()) {
	t.Helper()
	ready := make(chan struct{})
	next = startFront(t, func(c *Config) {
		c.Storage, c.TableFile, c.PacketReady = storage, table, ready
		c.HTTPS, c.HTTP = f.HTTPSAddr().String(), f.HTTPAddr().String()
		c.Listen = func(_, address string) (net.Listener, error) {
			file, err := f.raw[address].(*net.TCPListener).File()
			if err != nil {
				return nil, err
			}
			defer file.Close()
			return net.FileListener(file)
		}
		c.ListenPacket = func(string, string) (net.PacketConn, error) {
			file, err := f.packets.(*net.UDPConn).File()
			if err != nil {
				return nil, err
			}
			defer file.Close()
			return net.FilePacketConn(file)
		}
	})
	return next, func() { close(ready) }
}

// handOver ends f in favour of its successor.
func (f *front) handOver(packets func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return f.HandOver(ctx, packets)
}

// knock sends requests one after the other until told to stop, on one connection for as long as
// the server keeps it. It never sends a request twice, as a browser might.
func (f *front) knock(t *testing.T, stop *atomic.Bool, requests, connections *atomic.Int64) {
	for !stop.Load() {
		conn, err := tls.Dial("tcp", f.HTTPSAddr().String(), f.tls("acme.example"))
		if err != nil {
			t.Errorf("connect: %v", err)
			return
		}
		connections.Add(1)
		in := bufio.NewReader(conn)
		for stay := true; stay && !stop.Load(); {
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: acme.example\r\n\r\n"); err != nil {
				t.Errorf("send: %v", err)
				return
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Errorf("answer: %v", err)
				return
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || string(body) != "ok" || res.StatusCode != http.StatusOK {
				t.Errorf("%s %q %v", res.Status, body, err)
			}
			requests.Add(1)
			stay = !res.Close
		}
		conn.Close()
	}
}

func TestHandOverUnderLoad(t *testing.T) {
	storage, table := &certmagic.FileStorage{Path: t.TempDir()}, filepath.Join(t.TempDir(), "routes.json")
	f := startFront(t, func(c *Config) { c.Storage, c.TableFile = storage, table })
	f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
	waitFor(t, func() bool { saved, err := LoadTable(table); return err == nil && len(saved.Routes()) == 1 })
	get(t, f.client(nil), "https://acme.example/") // its certificate is there
	var stop atomic.Bool
	var requests, connections atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { f.knock(t, &stop, &requests, &connections) })
	}
	two, three := f.client(nil), f.client3()
	for _, c := range []*http.Client{two, three} {
		wg.Go(func() {
			for !stop.Load() {
				if got := get(t, c, "https://acme.example/"); got.body != "ok" {
					t.Errorf("%s %q", got.Proto, got.body)
					return
				}
				requests.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return f.traffic.Connections() >= 9 })
	_, packets := f.successor(t, storage, table)
	if err := f.handOver(packets); err != nil {
		t.Errorf("hand over: %v", err)
	}
	waitFor(t, func() bool { return connections.Load() >= 16 }) // all came to the successor
	stop.Store(true)
	wg.Wait()
	t.Logf("%d requests over %d connections", requests.Load(), connections.Load())
}

// What the old process still holds goes where the new one says.
func TestHeldRequestsFollowTheSuccessor(t *testing.T) {
	storage, table := &certmagic.FileStorage{Path: t.TempDir()}, filepath.Join(t.TempDir(), "routes.json")
	f := startFront(t, func(c *Config) { c.Storage, c.TableFile = storage, table })
	held := fleet.Route{Domain: "acme.example", Tenant: "acme", State: fleet.RouteHold}
	f.publish(held)
	body := make(chan string)
	go func() { body <- get(t, f.client(http1), "https://acme.example/").body }()
	waitFor(t, func() bool { return f.gateState("acme").Held == 1 })
	next, packets := f.successor(t, storage, table)
	done := make(chan error)
	go func() { done <- f.handOver(packets) }()
	waitFor(t, f.leaving.Load)
	next.publish(serving("acme.example", "acme", startBackend(t, says("moved"))))
	if got := <-body; got != "moved" {
		t.Errorf("%q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWebSocketsOutliveAHandOver(t *testing.T) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	backend := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, text) != nil {
				return
			}
		}
	})
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	f := startFront(t, func(c *Config) { c.Storage = storage })
	f.publish(serving("acme.example", "acme", backend))
	d := websocket.Dialer{TLSClientConfig: f.tls("acme.example"), NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, f.HTTPSAddr().String())
	}}
	conn, res, err := d.DialContext(t.Context(), "wss://acme.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	defer conn.Close()
	_, packets := f.successor(t, storage, "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.HandOver(ctx, packets) }()
	waitFor(t, f.leaving.Load)
	for i := range 3 {
		text := fmt.Sprint(i)
		if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || string(got) != text {
			t.Fatalf("%q %v", got, err)
		}
	}
	cancel() // its time is over
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("%v", err)
	}
	if err := <-done; err == nil {
		t.Error("no error though a WebSocket was cut off")
	}
}
