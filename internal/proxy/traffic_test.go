package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
)

// counts lists requests by tenant and code.
func (f *front) counts() string {
	var b strings.Builder
	for _, t := range f.Traffic().Tenants {
		for _, c := range t.Codes {
			fmt.Fprintf(&b, "%s %d %d\n", t.Tenant, c.Code, c.Requests)
		}
	}
	return b.String()
}

func (f *front) tenant(name fleet.Name) fleet.TenantTraffic {
	for _, t := range f.Traffic().Tenants {
		if t.Tenant == name {
			return t
		}
	}
	return fleet.TenantTraffic{}
}

// scrape gives the metrics as Prometheus reads them.
func (f *front) scrape() string {
	f.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(f.Collector()); err != nil {
		f.t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	var b bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			f.t.Fatal(err)
		}
	}
	return b.String()
}

func TestTraffic(t *testing.T) {
	f := startFront(t, nil)
	backend := startBackend(t, says("hello"))
	f.publish(serving("acme.example", "acme", backend), stopped("off.example", "off"))
	c := f.client(nil)
	get(t, c, "https://acme.example/")
	r, err := http.NewRequest(http.MethodPost, "https://acme.example/", strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, r)
	get(t, c, "https://off.example/")
	get(t, c, "http://acme.example/")
	get(t, c, "http://nobody.example/")
	waitFor(t, func() bool { return f.counts() == " 404 1\nacme 200 2\nacme 301 1\noff 503 1\n" })
	acme := f.tenant("acme")
	if acme.State != fleet.RouteServe || acme.BytesOut != 10 || acme.BytesIn != 6 || acme.Answered != 3 || acme.Took < acme.FirstByte || acme.FirstByte == 0 {
		t.Errorf("%+v", acme)
	}
	var answered uint64
	for _, n := range acme.Buckets {
		answered += n
	}
	if answered != 3 || acme.Held != 0 || acme.Retries != 0 {
		t.Errorf("%d in the buckets, %+v", answered, acme)
	}
	now := f.Traffic()
	if now.Hosts != 2 || now.Generation != f.Router().Table().Generation() || len(now.Bounds)+1 != len(acme.Buckets) || f.tenant("off").State != fleet.RouteStopped {
		t.Errorf("%+v", now)
	}

	f.publish(stopped("off.example", "off"))
	if strings.Contains(f.counts(), "acme") {
		t.Error("the counts of a tenant that is gone are kept")
	}
}

func TestTrafficOfHeldAndRetried(t *testing.T) {
	f := startFront(t, func(c *Config) { c.Held.Wait, c.Retry = time.Minute, time.Minute })
	backend := startBackend(t, says("hello"))
	f.publish(held("acme.example", "acme"), serving("www.acme.example", "acme", backend), serving("globex.example", "globex", closedPort(t)))
	c := f.client(http1)
	waits, tries := make(chan answer), make(chan answer)
	go func() { waits <- get(t, c, "https://acme.example/") }()
	go func() { tries <- get(t, c, "https://globex.example/") }()
	waitFor(t, func() bool {
		n := f.tenant("acme")
		return n.Waiting == 1 && n.State == fleet.RouteHold && len(n.Reasons) == 1
	})
	waitFor(t, func() bool { return f.tenant("globex").Waiting == 1 })
	f.publish(serving("acme.example", "acme", backend), serving("globex.example", "globex", backend))
	<-waits
	<-tries
	waitFor(t, func() bool { n := f.tenant("acme"); return n.Held == 1 && n.HeldFor > 0 && n.Waiting == 0 })
	waitFor(t, func() bool { n := f.tenant("globex"); return n.Held == 1 && n.Retries >= 1 && n.Inflight == 0 })
}

// A download of hours, and a connection that was taken over, are seen while they go on.
func TestTrafficIsSeenWhileItGoesOn(t *testing.T) {
	f := startFront(t, nil)
	goOn := make(chan struct{})
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	backend := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/socket" {
			got, _ := io.CopyN(io.Discard, r.Body, 3<<20)
			w.Write(make([]byte, got))
			<-goOn
			return
		}
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
	f.publish(serving("acme.example", "acme", backend))
	r, err := http.NewRequest(http.MethodPost, "https://acme.example/", bytes.NewReader(make([]byte, 3<<20)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan answer)
	go func() { done <- do(t, f.client(http1), r) }()
	waitFor(t, func() bool {
		n := f.tenant("acme")
		return n.Requests() == 0 && n.Inflight == 1 && n.BytesIn >= 1<<20 && n.BytesOut >= 1<<20
	})
	close(goOn)
	<-done
	waitFor(t, func() bool { n := f.tenant("acme"); return n.BytesIn == 3<<20 && n.BytesOut == 3<<20 })

	d := websocket.Dialer{TLSClientConfig: f.tls("acme.example"), NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, f.HTTPSAddr().String())
	}}
	conn, _, err := d.Dial("wss://acme.example/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 2<<20)
	if err := conn.WriteMessage(websocket.BinaryMessage, big); err != nil {
		t.Fatal(err)
	}
	if _, got, err := conn.ReadMessage(); err != nil || len(got) != len(big) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	waitFor(t, func() bool { n := f.tenant("acme"); return n.BytesIn >= 4<<20 && n.BytesOut >= 4<<20 })
	if text := f.scrape(); !strings.Contains(text, "lxdfleet_proxy_upgraded_connections 1\n") {
		t.Error("the connection that was taken over is not counted")
	}
	before := f.tenant("acme").Buckets
	conn.Close()
	waitFor(t, func() bool { return strings.Contains(f.counts(), "acme 101 1\n") })
	if after := f.tenant("acme"); !cmp.Equal(before, after.Buckets) || after.BytesIn < 5<<20 || after.BytesOut < 5<<20 {
		t.Errorf("%v, then %+v", before, after)
	}
}

func TestMetrics(t *testing.T) {
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", startBackend(t, says("hello"))), stopped("off.example", "off"))
	get(t, f.client(nil), "https://acme.example/")
	shy, err := net.Dial("tcp", f.HTTPSAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(shy, "this is no TLS\r\n\r\n")
	shy.Close()
	waitFor(t, func() bool {
		text := f.scrape()
		for _, part := range []string{
			`lxdfleet_proxy_requests_total{class="2xx",code="200",tenant="acme"} 1`, `lxdfleet_proxy_routes 2`, `lxdfleet_proxy_tls_handshakes_failed_total 1`,
			`lxdfleet_proxy_connections 1`, `lxdfleet_proxy_certificates 2`, `_expiry_timestamp_seconds{host="off.example"} `,
			`lxdfleet_proxy_refused_total{reason="shape"} 0`, `lxdfleet_proxy_held_requests{tenant="off"} 0`,
		} {
			if !strings.Contains(text, part) {
				return false
			}
		}
		return true
	})
	f.publish(stopped("off.example", "off"))
	waitFor(t, func() bool { return !strings.Contains(f.scrape(), "acme") })
}

func TestAccessLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	log := accesslog.Open(accesslog.Config{Path: path, Sample: 1, Every: 5 * time.Millisecond})
	t.Cleanup(func() { log.Close(context.Background()) })
	ids := make(chan string, 2)
	f := startFront(t, func(c *Config) { c.Access = log })
	f.publish(serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		ids <- r.Header.Get("X-Request-Id")
		if len(r.Header[":request-id"]) > 0 || len(r.Header.Values("X-Request-Id")) != 1 {
			t.Errorf("headers %v", r.Header)
		}
		says("hello")(w, r)
	})), stopped("off.example", "off"))
	r, err := http.NewRequest(http.MethodPost, "https://acme.example/path?token=secret", strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Request-Id", "forged")
	do(t, f.client(nil), r)
	get(t, f.client(http1), "https://off.example/")
	var text string
	waitFor(t, func() bool {
		data, _ := os.ReadFile(path)
		text = string(data)
		return strings.Count(text, "\n") == 2
	})
	if strings.Contains(text, "secret") || strings.Contains(text, "forged") {
		t.Errorf("the query, or an id that a client made up, is logged:\n%s", text)
	}
	var lines []map[string]any
	for line := range strings.Lines(text) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, e)
	}
	acme, off := lines[0], lines[1]
	if id := <-ids; len(id) != 32 || acme["request_id"] != id {
		t.Errorf("the backend was told %q, the log says %q", id, acme["request_id"])
	}
	for name, want := range map[string]any{
		"tenant": "acme", "host": "acme.example", "method": "POST", "path": "/path", "proto": "HTTP/2.0", "status": 200.0, "bytes": 5.0,
		"received": 6.0, "held": 0.0, "client": "127.0.0.1", "backend": f.Router().Table().Routes()[0].Backend, "tries": 1.0, "whole": true,
	} {
		if acme[name] != want {
			t.Errorf("%s: %v, want %v", name, acme[name], want)
		}
	}
	if off["tenant"] != "off" || off["status"] != 503.0 || off["backend"] != "" || off["proto"] != "HTTP/1.1" {
		t.Errorf("%v", off)
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(acme["time"])); err != nil || time.Since(at) > time.Hour {
		t.Errorf("%v %v", at, err)
	}
}
