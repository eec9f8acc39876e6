package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/pires/go-proxyproto"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// guarded is acme's with rules.
func guarded(backend string, rules fleet.GuardRules) fleet.Route {
	return fleet.Route{Domain: "acme.example", Tenant: "acme", State: fleet.RouteServe, Backend: backend, Guard: &rules}
}

func (f *front) refusals(why guard.Reason) uint64 {
	f.t.Helper()
	n, ok := f.traffic.Refusals()[string(why)]
	if !ok {
		f.t.Fatalf("%s is not counted", why)
	}
	return n
}

func TestTenantRules(t *testing.T) {
	backend := startBackend(t, says("hello"))
	post := func(body string) func(*http.Request) {
		return func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
	}
	chunked := func(r *http.Request) { post("0123456789")(r); r.ContentLength = -1 }
	for name, tc := range map[string]struct {
		rules  fleet.GuardRules
		change func(*http.Request)
		want   []int // of requests in a row
		reason guard.Reason
	}{
		"none":                {want: []int{200, 200}},
		"allowed":             {rules: fleet.GuardRules{Allow: loopback}, want: []int{200}},
		"not allowed":         {rules: fleet.GuardRules{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, want: []int{403}, reason: guard.ReasonDenied},
		"denied":              {rules: fleet.GuardRules{Deny: loopback}, want: []int{403, 403}, reason: guard.ReasonDenied},
		"rate":                {rules: fleet.GuardRules{RequestsPerSecond: 0.001, Burst: 2}, want: []int{200, 200, 429}, reason: guard.ReasonTenantRate},
		"rate of one address": {rules: fleet.GuardRules{PerAddressPerSecond: 0.001}, want: []int{200, 429, 429}, reason: guard.ReasonAddressRate},
		"small body":          {rules: fleet.GuardRules{MaxBody: 10}, change: post("0123456789"), want: []int{200}},
		"large body":          {rules: fleet.GuardRules{MaxBody: 9}, change: post("0123456789"), want: []int{413}, reason: guard.ReasonBodySize},
		"large body, chunked": {rules: fleet.GuardRules{MaxBody: 9}, change: chunked, want: []int{413}, reason: guard.ReasonBodySize},
		"small body, chunked": {rules: fleet.GuardRules{MaxBody: 10}, change: chunked, want: []int{200}},
	} {
		for proto, change := range map[string]func(*http.Transport){"HTTP/1.1": http1, "HTTP/2": nil} {
			t.Run(name+"/"+proto, func(t *testing.T) {
				f := startFront(t, nil)
				f.publish(guarded(backend, tc.rules))
				c := f.client(change)
				for i, want := range tc.want {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://acme.example/", nil)
					if err != nil {
						t.Fatal(err)
					}
					if tc.change != nil {
						tc.change(r)
					}
					a := do(t, c, r)
					if a.StatusCode != want || (want == 429) != (a.Header.Get("Retry-After") != "") {
						t.Errorf("request %d: %d, Retry-After %q", i+1, a.StatusCode, a.Header.Get("Retry-After"))
					}
				}
				if tc.reason != "" && f.refusals(tc.reason) == 0 {
					t.Error("it was not counted")
				}
			})
		}
	}
}

// Rules take effect with the next table, and for all of a tenant's hosts together.
func TestRulesChange(t *testing.T) {
	backend := startBackend(t, says("hello"))
	f := startFront(t, nil)
	c := f.client(nil)
	expect := func(host string, want int) {
		t.Helper()
		if a := get(t, c, "https://"+host+"/"); a.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, a.StatusCode, want)
		}
	}
	slow := fleet.GuardRules{RequestsPerSecond: 0.001}
	first, second := guarded(backend, slow), guarded(backend, slow)
	second.Domain = "www.acme.example"
	other := fleet.Route{Domain: "globex.example", Tenant: "globex", State: fleet.RouteServe, Backend: backend}
	f.publish(first, second, other)
	expect("acme.example", 200)
	expect("www.acme.example", 429)
	expect("globex.example", 200)
	first.Guard, second.Guard = nil, nil
	f.publish(first, second, other)
	expect("acme.example", 200)
	first.Guard = &fleet.GuardRules{Deny: loopback}
	f.publish(first, other)
	expect("acme.example", 403)
	first.State, first.Backend = fleet.RouteMaintenance, ""
	f.publish(first, other)
	expect("acme.example", 403) // whatever the tenant does
}

func TestAnswersGetHeaders(t *testing.T) {
	backend := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			w.Header().Set("Strict-Transport-Security", "max-age=1")
			w.Header().Set("X-Frame-Options", "DENY")
		}
		io.WriteString(w, "hello")
	})
	f := startFront(t, nil)
	route := guarded(backend, fleet.GuardRules{HSTS: &fleet.HSTS{MaxAge: 60}, SecurityHeaders: true})
	stopped := route
	stopped.Domain, stopped.State, stopped.Backend = "stopped.acme.example", fleet.RouteStopped, ""
	f.publish(route, stopped)
	c := f.client(nil)
	for url, want := range map[string][2]string{
		"https://acme.example/":         {"max-age=60", "SAMEORIGIN"},
		"https://acme.example/own":      {"max-age=1", "DENY"},
		"https://stopped.acme.example/": {"max-age=60", ""}, // whose page has a policy
		"http://acme.example/":          {"", ""},
	} {
		a := get(t, c, url)
		if got := [2]string{a.Header.Get("Strict-Transport-Security"), a.Header.Get("X-Frame-Options")}; got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestSlowBodyIsGivenUp(t *testing.T) {
	backend := startBackend(t, says("hello"))
	f := startFront(t, func(c *Config) {
		c.Guard.Body = guard.BodyLimits{MinRate: 1 << 20, Grace: 50 * time.Millisecond, Stall: 50 * time.Millisecond}
	})
	f.publish(guarded(backend, fleet.GuardRules{}))
	for name, length := range map[string]string{"small": "10", "streamed": "1000000"} {
		t.Run(name, func(t *testing.T) {
			conn := f.dial("acme.example")
			if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: acme.example\r\nContent-Length: "+length+"\r\n\r\n01234"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusRequestTimeout {
				t.Errorf("%d", res.StatusCode)
			}
		})
	}
	if f.refusals(guard.ReasonBodySlow) != 2 {
		t.Error("they were not counted")
	}
}

// A body that nobody wants does not keep the page from its client, nor the connection for ever.
func TestPageDoesNotWaitForABody(t *testing.T) {
	f := startFront(t, nil)
	f.publish(fleet.Route{Domain: "acme.example", Tenant: "acme", State: fleet.RouteStopped})
	conn := f.dial("acme.example")
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 10\r\n\r\n01234"); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 503 ") {
		t.Errorf("%q, %v", all, err)
	}
}

// echoClient says who the backend thinks the client is.
func echoClient(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, r.Header.Get("X-Real-Ip")+" "+r.Header.Get("X-Forwarded-Proto"))
}

func TestBehindATrustedProxy(t *testing.T) {
	backend := startBackend(t, echoClient)
	f := startFront(t, func(c *Config) { c.Guard.Trusted = loopback })
	rules := fleet.GuardRules{Deny: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, HSTS: &fleet.HSTS{MaxAge: 60}}
	f.publish(guarded(backend, rules))
	c := f.client(nil)
	ask := func(url, client, proto string) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "6.6.6.6, "+client)
		r.Header.Set("X-Forwarded-Proto", proto)
		return do(t, c, r)
	}
	if a := ask("https://acme.example/", "192.0.2.1", "https"); a.body != "192.0.2.1 https" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	if a := ask("https://acme.example/", "198.51.100.1", "https"); a.StatusCode != 403 {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	if a := ask("http://acme.example/", "192.0.2.1", "https"); a.body != "192.0.2.1 https" || a.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	if a := ask("http://acme.example/", "192.0.2.1", "http"); a.StatusCode != 301 {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
}

func TestBehindABalancer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	access := accesslog.Open(accesslog.Config{Path: file, Sample: 1})
	backend := startBackend(t, echoClient)
	f := startFront(t, func(c *Config) {
		c.Guard.ProxyProtocol, c.Guard.MaxPerAddress, c.Access = loopback, 1, access
	})
	f.publish(guarded(backend, fleet.GuardRules{}))
	open := func(client string) (net.Conn, error) {
		raw, err := net.Dial("tcp", f.HTTPSAddr().String())
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { raw.Close() })
		addr := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(client), 5))
		if _, err := proxyproto.HeaderProxyFromAddrs(2, addr, addr).WriteTo(raw); err != nil {
			return nil, err
		}
		conn := tls.Client(raw, f.tls("acme.example"))
		return conn, conn.HandshakeContext(t.Context())
	}
	conn, err := open("192.0.2.9")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: acme.example\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "192.0.2.9 https" {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := open("192.0.2.9"); err == nil {
		t.Error("a second connection of one address was let in")
	}
	if _, err := open("192.0.2.10"); err != nil {
		t.Error(err)
	}
	if n := f.traffic.Connections(); n < 2 {
		t.Errorf("%d connections", n)
	}
	f.end(10 * time.Second)
	if err := access.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if log, err := os.ReadFile(file); err != nil || !strings.Contains(string(log), `"client":"192.0.2.9"`) {
		t.Errorf("access log: %s, %v", log, err)
	}
}

func TestGuardConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*GuardConfig){
		"connections": func(c *GuardConfig) { c.MaxConns = -1 },
		"rules":       func(c *GuardConfig) { c.Rules.Burst = 5 },
	} {
		cfg := Config{HTTPS: "127.0.0.1:0", HTTP: "off", Storage: &certmagic.FileStorage{Path: t.TempDir()}}
		change(&cfg.Guard)
		if _, err := New(t.Context(), cfg); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
