package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// front is a running server on loopback.
type front struct {
	*Server
	t   *testing.T
	raw map[string]net.Listener // what the guard stands in front of, by address
}

// startFront runs a server until the test ends. change, if not nil, edits its configuration.
func startFront(t *testing.T, change func(*Config)) *front {
	t.Helper()
	cfg := Config{HTTPS: "127.0.0.1:0", HTTP: "127.0.0.1:0", Storage: &certmagic.FileStorage{Path: t.TempDir()}}
	if change != nil {
		change(&cfg)
	}
	f := &front{t: t, raw: make(map[string]net.Listener)}
	listen := cfg.Listen
	if listen == nil {
		listen = net.Listen
	}
	cfg.Listen = func(network, address string) (net.Listener, error) {
		ln, err := listen(network, address)
		if err == nil {
			f.raw[ln.Addr().String()] = ln
		}
		return ln, err
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = s
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		f.end(5 * time.Second)
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return f
}

// end shuts the server down; what is left after d is cut off.
func (f *front) end(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f.Shutdown(ctx)
}

func (f *front) publish(routes ...fleet.Route) { f.Router().Publish(routes) }

// tls is the configuration of a client that trusts the server's CA.
func (f *front) tls(host string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.CA().Export())
	return &tls.Config{RootCAs: pool, ServerName: host}
}

// client is a web client for which every name leads to the server. change, if not nil, edits
// its transport.
func (f *front) client(change func(*http.Transport)) *http.Client {
	tr := &http.Transport{
		TLSClientConfig:   f.tls(""),
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := f.HTTPSAddr()
			if _, port, _ := net.SplitHostPort(address); port == "80" {
				to = f.HTTPAddr()
			}
			return new(net.Dialer).DialContext(ctx, network, to.String())
		},
	}
	if change != nil {
		change(tr)
	}
	f.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func http1(tr *http.Transport) { tr.ForceAttemptHTTP2 = false }

// dial opens a TLS connection to the server for raw HTTP/1.
func (f *front) dial(host string) *tls.Conn {
	f.t.Helper()
	conn, err := tls.Dial("tcp", f.HTTPSAddr().String(), f.tls(host))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	return conn
}

// answer is a response whose body was read.
type answer struct {
	*http.Response
	body string
}

func get(t *testing.T, c *http.Client, url string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Error(err)
		return answer{Response: &http.Response{}}
	}
	return do(t, c, r)
}

// do may be called from any goroutine; a request that fails fails the test and gives an empty answer.
func do(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Error(err)
		return answer{Response: &http.Response{}}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{res, string(body)}
}

// startBackend runs a tenant's web server and gives its address.
func startBackend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			io.WriteString(w, text)
		}
	}
}

// closedPort is an address that refuses connections until the test listens on it. It is bound
// meanwhile, or another test's listener might be given the port.
func closedPort(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err) // lets the test listen beside it
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
}

// gateState is the gate of a tenant now.
func (f *front) gateState(tenant fleet.Name) GateState {
	for _, g := range f.Router().Gates() {
		if g.Tenant == tenant {
			return g
		}
	}
	return GateState{}
}
