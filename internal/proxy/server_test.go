package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestServesTenantsByHost(t *testing.T) {
	f := startFront(t, nil)
	f.publish(
		serving("acme.example", "acme", startBackend(t, says("this is acme"))),
		serving("globex.example", "globex", startBackend(t, says("this is globex"))),
	)
	for name, tc := range map[string]struct {
		change func(*http.Transport)
		proto  string
	}{
		"HTTP/1.1": {http1, "HTTP/1.1"},
		"HTTP/2":   {nil, "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			c := f.client(tc.change)
			for _, host := range []string{"acme", "globex"} {
				a := get(t, c, "https://"+host+".example/")
				if a.StatusCode != 200 || a.body != "this is "+host || a.Proto != tc.proto {
					t.Errorf("%s: %s %s %q", host, a.Proto, a.Status, a.body)
				}
			}
		})
	}
}

func TestPagesByRoute(t *testing.T) {
	f := startFront(t, func(c *Config) { c.Held.Wait = 50 * time.Millisecond })
	f.publish(stopped("off.example", "off"), held("away.example", "away"))
	c := f.client(func(tr *http.Transport) { tr.TLSClientConfig.InsecureSkipVerify = true })
	for name, tc := range map[string]struct {
		host   string
		status int
		title  string
	}{
		"unknown": {"nobody.example", 404, pageUnknown.Title},
		"stopped": {"off.example", 503, pageStopped.Title},
		"held":    {"away.example", 503, pageStarting.Title},
	} {
		t.Run(name, func(t *testing.T) {
			a := get(t, c, "https://"+tc.host+"/")
			if a.StatusCode != tc.status || !strings.Contains(a.body, tc.title) {
				t.Errorf("%s %s", a.Status, a.body)
			}
			if tc.status == 503 && a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

// All hosts of a wildcard share its certificate: strangers can make up any number of them.
func TestWildcardHasOneCertificate(t *testing.T) {
	dir := t.TempDir()
	f := startFront(t, func(c *Config) { c.Storage = &certmagic.FileStorage{Path: dir} })
	f.publish(serving("*.shop.example", "acme", startBackend(t, says("ok"))))
	one, two := f.dial("a.shop.example"), f.dial("b.shop.example")
	if !one.ConnectionState().PeerCertificates[0].Equal(two.ConnectionState().PeerCertificates[0]) {
		t.Error("each host of a wildcard has a certificate of its own")
	}
	if a := get(t, f.client(nil), "https://c.shop.example/"); a.body != "ok" {
		t.Errorf("%s %q", a.Status, a.body)
	}
	made, err := filepath.Glob(filepath.Join(dir, "certificates", "*", "*shop.example*"))
	if err != nil || len(made) != 1 {
		t.Errorf("certificates: %v, %v", made, err)
	}
}

func TestUnknownNamesGetNoCertificate(t *testing.T) {
	dir := t.TempDir()
	f := startFront(t, func(c *Config) { c.Storage = &certmagic.FileStorage{Path: dir} })
	f.publish(serving("acme.example", "acme", startBackend(t, says("acme"))))
	get(t, f.client(nil), "https://acme.example/")
	if _, err := f.client(nil).Get("https://nobody.example/"); err == nil {
		t.Error("a client that checks certificates accepts that of an unknown host")
	}
	for i := range 20 {
		cfg := f.tls(fmt.Sprintf("random-%d.example", i))
		cfg.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", f.HTTPSAddr().String(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().PeerCertificates[0]; got.Subject.CommonName != "no site here" {
			t.Errorf("certificate of %s", got.Subject)
		}
		conn.Close()
	}
	made, err := filepath.Glob(filepath.Join(dir, "certificates", "internal", "*"))
	if err != nil || len(made) != 1 || filepath.Base(made[0]) != "acme.example" {
		t.Errorf("stored certificates %v, %v", made, err)
	}
}

func TestCertificatesAreMadeAhead(t *testing.T) {
	dir := t.TempDir()
	f := startFront(t, func(c *Config) { c.Storage = &certmagic.FileStorage{Path: dir} })
	f.publish(held("acme.example", "acme"), stopped("globex.example", "globex"))
	for _, host := range []string{"acme.example", "globex.example"} {
		waitFor(t, func() bool {
			info, err := os.Stat(filepath.Join(dir, "certificates", "internal", host, host+".key"))
			return err == nil && info.Mode().Perm() == 0o600
		})
	}
}

// Many first handshakes at once, several per host, each get their host's certificate.
func TestFirstHandshakesTogether(t *testing.T) {
	f := startFront(t, nil)
	backend := startBackend(t, says("ok"))
	var routes []fleet.Route
	for i := range 20 {
		routes = append(routes, serving(fmt.Sprintf("t%d.example", i), fmt.Sprintf("t%d", i), backend))
	}
	f.publish(routes...)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			conn, err := tls.Dial("tcp", f.HTTPSAddr().String(), f.tls(string(routes[i%len(routes)].Domain)))
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	wg.Wait()
	// certmagic's file lock would make one that waits for another look again after a second.
	if took := time.Since(start); took > 900*time.Millisecond && !raceEnabled {
		t.Errorf("took %v", took)
	}
}

func TestMisdirected(t *testing.T) {
	f := startFront(t, nil)
	backend := startBackend(t, says("ok"))
	f.publish(serving("acme.example", "acme", backend), serving("globex.example", "globex", backend))
	for name, change := range map[string]func(*http.Transport){"HTTP/1.1": http1, "HTTP/2": nil} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, "https://acme.example/", nil)
			if err != nil {
				t.Fatal(err)
			}
			for host, want := range map[string]int{
				"globex.example": 421, "nobody.example": 421, "ACME.example.:8443": 200, "acme.example": 200,
			} {
				r.Host = host
				if a := do(t, f.client(change), r); a.StatusCode != want {
					t.Errorf("Host %s: %s", host, a.Status)
				}
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	for name, public := range map[string]int{"standard port": 443, "mapped port": 9443, "own port": 0} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, func(c *Config) { c.PublicPort = public })
			f.publish(stopped("acme.example", "acme"))
			base := "https://acme.example"
			switch public {
			case 0:
				base += fmt.Sprintf(":%d", f.HTTPSAddr().(*net.TCPAddr).Port)
			case 9443:
				base += ":9443"
			}
			for method, want := range map[string]int{"GET": 301, "HEAD": 301, "POST": 308, "DELETE": 308} {
				r, err := http.NewRequest(method, "http://acme.example/a%2Fb?q=1&r=%zz", nil)
				if err != nil {
					t.Fatal(err)
				}
				a := do(t, f.client(nil), r)
				if got := a.Header.Get("Location"); a.StatusCode != want || got != base+"/a%2Fb?q=1&r=%zz" {
					t.Errorf("%s: %s to %s", method, a.Status, got)
				}
			}
			if a := get(t, f.client(nil), "http://nobody.example/"); a.StatusCode != 404 {
				t.Errorf("unknown host: %s", a.Status)
			}
		})
	}
}

func TestRestartKeepsAuthorityCertificatesAndRoutes(t *testing.T) {
	dir := t.TempDir()
	config := func(c *Config) {
		c.Storage = &certmagic.FileStorage{Path: dir}
		c.TableFile = filepath.Join(dir, "routes.json")
	}
	backend := startBackend(t, says("acme"))
	first := startFront(t, config)
	first.publish(serving("acme.example", "acme", backend))
	conn := first.dial("acme.example")
	before := conn.ConnectionState().PeerCertificates[0]
	conn.Close() // one that never sent anything would delay the shutdown
	generation := first.Router().Table().Generation()
	export := first.CA().Export()
	if err := first.end(5 * time.Second); err != nil {
		t.Fatal(err)
	}

	second := startFront(t, config) // nobody publishes anything to it
	if !bytes.Equal(second.CA().Export(), export) {
		t.Error("the authority is another one")
	}
	if after := second.dial("acme.example").ConnectionState().PeerCertificates[0]; !after.Equal(before) {
		t.Error("the certificate is another one")
	}
	if a := get(t, second.client(nil), "https://acme.example/"); a.body != "acme" {
		t.Errorf("%s %q", a.Status, a.body)
	}
	second.publish(stopped("acme.example", "acme"))
	if got := second.Router().Table().Generation(); got != generation+1 {
		t.Errorf("generation %d after %d", got, generation)
	}
}

func TestHeaderLimits(t *testing.T) {
	t.Run("too large", func(t *testing.T) {
		f := startFront(t, nil)
		f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
		r, err := http.NewRequest(http.MethodGet, "https://acme.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Long", strings.Repeat("x", 200<<10))
		if a := do(t, f.client(http1), r); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s", a.Status)
		}
	})
	t.Run("too slow", func(t *testing.T) {
		f := startFront(t, func(c *Config) { c.ReadHeader = 100 * time.Millisecond })
		f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
		conn := f.dial("acme.example")
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: acme.example\r\n")
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection stays open")
		}
	})
}

func TestOldAndOddRequests(t *testing.T) {
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.RequestURI)
	})))
	for name, tc := range map[string]struct{ request, status, body string }{
		"HTTP/1.0":              {"GET /x HTTP/1.0\r\nHost: acme.example\r\n\r\n", "200", "acme.example /x"},
		"HTTP/1.0 without Host": {"GET /x HTTP/1.0\r\n\r\n", "200", ""},
		"absolute form":         {"GET https://acme.example/x HTTP/1.1\r\nHost: acme.example\r\nConnection: close\r\n\r\n", "200", "acme.example /x"},
		"absolute, other Host":  {"GET https://acme.example/x HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n", "400", ""},
		"path kept as sent":     {"GET /a//b%2Fc/../d?x=%zz;y HTTP/1.1\r\nHost: acme.example\r\nConnection: close\r\n\r\n", "200", "acme.example /a//b%2Fc/../d?x=%zz;y"},
		"CONNECT":               {"CONNECT acme.example:443 HTTP/1.1\r\nHost: acme.example:443\r\nConnection: close\r\n\r\n", "405", "not allowed"},
		"two Hosts":             {"GET / HTTP/1.1\r\nHost: acme.example\r\nHost: acme.example\r\n\r\n", "400", ""},
		"two lengths":           {"POST / HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := f.dial("acme.example")
			fmt.Fprint(conn, tc.request)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(res.Status, tc.status) || !strings.Contains(string(body), tc.body) {
				t.Errorf("%s %q", res.Status, body)
			}
		})
	}
}

func TestShutdown(t *testing.T) {
	t.Run("finishes requests and answers held ones", func(t *testing.T) {
		f := startFront(t, nil)
		began, goOn := make(chan struct{}), make(chan struct{})
		f.publish(held("away.example", "away"), serving("acme.example", "acme", startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
			close(began)
			<-goOn
			io.WriteString(w, "whole")
		})))
		c := f.client(http1)
		working, waiting := make(chan answer, 1), make(chan answer, 1)
		go func() { working <- get(t, c, "https://acme.example/") }()
		go func() { waiting <- get(t, c, "https://away.example/") }()
		<-began
		waitFor(t, func() bool { return f.gateState("away").Held == 1 })
		ended := make(chan error, 1)
		go func() { ended <- f.end(20 * time.Second) }()
		if a := <-waiting; a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("held: %s", a.Status)
		}
		close(goOn)
		if a := <-working; a.body != "whole" {
			t.Errorf("working: %s %q", a.Status, a.body)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Run("is bounded", func(t *testing.T) {
		f := startFront(t, nil)
		began := make(chan struct{})
		f.publish(serving("acme.example", "acme", startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
		})))
		got := make(chan error, 1)
		go func() {
			_, err := f.client(http1).Get("https://acme.example/")
			got <- err
		}()
		<-began
		start := time.Now()
		if err := f.end(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if err := <-got; err == nil {
			t.Error("the request that was cut off looks whole")
		}
	})
	t.Run("without having served", func(t *testing.T) {
		s, err := New(t.Context(), Config{HTTPS: "127.0.0.1:0", HTTP: "off", Storage: &certmagic.FileStorage{Path: t.TempDir()}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
		ln, err := net.Listen("tcp", s.HTTPSAddr().String())
		if err != nil {
			t.Fatalf("the port is still taken: %v", err)
		}
		ln.Close()
	})
}

func TestNewRefuses(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tc := range map[string]struct {
		cfg  Config
		want fleet.Code
	}{
		"no storage":       {Config{HTTPS: "127.0.0.1:0", HTTP: "off"}, fleet.Invalid},
		"bad public port":  {Config{HTTPS: "127.0.0.1:0", HTTP: "off", Storage: storage, PublicPort: 70000}, fleet.Invalid},
		"HTTPS port taken": {Config{HTTPS: taken.Addr().String(), HTTP: "off", Storage: storage}, fleet.Taken},
		"HTTP port taken":  {Config{HTTPS: "127.0.0.1:0", HTTP: taken.Addr().String(), Storage: storage}, fleet.Taken},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(t.Context(), tc.cfg); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want code %s", err, tc.want)
			}
		})
	}
}

// After a hold another instance may have the backend's address: what was kept of connections to the
// one before is not used, whether or not it said goodbye.
func TestConnectionsAreNotKeptOverAHold(t *testing.T) {
	var connections atomic.Int32
	backend := httptest.NewUnstartedServer(says("hello"))
	backend.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	backend.Start()
	defer backend.Close()
	f := startFront(t, nil)
	route := serving("acme.example", "acme", backend.Listener.Addr().String())
	f.publish(route)
	c := f.client(nil)
	for range 2 {
		get(t, c, "https://acme.example/")
	}
	if n := connections.Load(); n != 1 {
		t.Fatalf("%d connections: nothing is kept", n)
	}
	f.publish(held("acme.example", "acme"))
	f.publish(route)
	if res := get(t, c, "https://acme.example/"); res.StatusCode != http.StatusOK || connections.Load() != 2 {
		t.Errorf("status %d, %d connections", res.StatusCode, connections.Load())
	}
}
