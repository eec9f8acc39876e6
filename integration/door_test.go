//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/lxdfleet/lxdfleet/integration/pebble"
)

// TestDoor takes everything a visitor may want through the real proxy to a real tenant: each
// version of HTTP, WebSockets, events, large bodies, ranges, trailers.
func TestDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeConfig()
	w.must("init")
	w.start()
	w.must("image", "import", w.siteImage("tiny"), "tiny/1")
	w.create("acme")
	w.wantPage("acme.localhost", "tenant=acme")
	t.Run("HTTP 1, 2 and 3", func(t *testing.T) {
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
			res := w.ask(t, proto, http.MethodGet, "/header", nil)
			var header http.Header
			if err := json.Unmarshal(res.body, &header); err != nil || res.Proto != proto {
				t.Fatalf("%s: %s %q %v", proto, res.Proto, res.body, err)
			}
			if header.Get("X-Forwarded-Proto") != "https" || header.Get("X-Forwarded-For") != "127.0.0.1" || header.Get("Host") != "acme.localhost" {
				t.Errorf("%s: the tenant sees %v", proto, header)
			}
		}
	})
	t.Run("large bodies", func(t *testing.T) {
		body := make([]byte, 64<<20)
		if _, err := rand.Read(body); err != nil {
			t.Fatal(err)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(body))
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
			res := w.ask(t, proto, http.MethodPost, "/sum", bytes.NewReader(body))
			if want := fmt.Sprintf("%d %s\n", len(body), sum); string(res.body) != want || res.Trailer.Get("X-Sum") != sum {
				t.Errorf("%s up: %q and trailer %q, want %q", proto, res.body, res.Trailer.Get("X-Sum"), want)
			}
			for _, query := range []string{"", "&length=1"} {
				if res := w.ask(t, proto, http.MethodGet, fmt.Sprintf("/bytes?n=%d%s", len(body), query), nil); len(res.body) != len(body) {
					t.Errorf("%s down: %d bytes, want %d", proto, len(res.body), len(body))
				}
			}
		}
	})
	t.Run("curl", w.testCurl)
	t.Run("events", w.testEvents)
	t.Run("WebSocket", func(t *testing.T) { w.echo(t, 100) })
	t.Run("HTTP 1.0", w.testHTTP10)
}

// testCurl: ranges, 100-continue and redirects as curl does them.
func (w *world) testCurl(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(w.must("ca", "export")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"range":         {[]string{"--range", "0-6", "https://acme.localhost:%d/"}, "tenant=|206"},
		"range, HTTP/2": {[]string{"--http2", "--range", "0-6", "https://acme.localhost:%d/"}, "tenant=|206"},
		"expects 100":   {[]string{"--http1.1", "-H", "Expect: 100-continue", "--data", "abc", "https://acme.localhost:%d/sum"}, "3 ba7816bf"},
		"HTTP 1.0":      {[]string{"--http1.0", "https://acme.localhost:%d/"}, "tenant=acme"},
		"HEAD":          {[]string{"--head", "https://acme.localhost:%d/"}, "200"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{
				"-sS", "--max-time", "30", "--cacert", ca, "-w", "|%{http_code}",
				"--resolve", fmt.Sprintf("acme.localhost:%d:127.0.0.1", w.https),
			}, tc.args...)
			args[len(args)-1] = fmt.Sprintf(args[len(args)-1], w.https)
			out, err := exec.CommandContext(t.Context(), "curl", args...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%s, %v; want %q", out, err, tc.want)
			}
		})
	}
}

// testEvents expects each event when it is sent, not when all are.
func (w *world) testEvents(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://acme.localhost/events?n=20", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		res, err := w.browser(t, proto).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		var first time.Duration
		n := 0
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data:") {
				if n++; n == 1 {
					first = time.Since(start)
				}
			}
		}
		res.Body.Close()
		if all := time.Since(start); n != 20 || first > all/2 {
			t.Errorf("%s: %d events, the first after %s of %s", proto, n, first, all)
		}
	}
}

// echo sends n messages over a WebSocket and expects each back.
func (w *world) echo(t *testing.T, n int) {
	t.Helper()
	d := websocket.Dialer{TLSClientConfig: w.trust(t), NetDialContext: dialer("tcp", fmt.Sprintf("127.0.0.1:%d", w.https))}
	conn, res, err := d.DialContext(t.Context(), "wss://acme.localhost/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	defer conn.Close()
	for i := range n {
		sent := bytes.Repeat([]byte{byte(i)}, 1+i*1000)
		if err := conn.WriteMessage(websocket.BinaryMessage, sent); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("message %d: %d bytes of %d, %v", i, len(got), len(sent), err)
		}
	}
}

// testHTTP10: a client that knows neither Host nor lengths.
func (w *world) testHTTP10(t *testing.T) {
	cfg := w.trust(t)
	cfg.ServerName = "acme.localhost"
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.https), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.0 200")) || !bytes.Contains(answer, []byte("tenant=acme")) {
		t.Errorf("%q, %v", answer, err)
	}
}

// trust is what a client trusts the internal certificate authority by.
func (w *world) trust(t *testing.T) *tls.Config {
	t.Helper()
	_, pem := w.call(http.MethodGet, "/v1/ca", nil, nil)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(pem)) {
		t.Fatal("no certificate authority")
	}
	return &tls.Config{RootCAs: roots}
}

// browser is a client that speaks one version of HTTP; every name leads it to the proxy.
func (w *world) browser(t *testing.T, proto string) *http.Client {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", w.https)
	if proto == "HTTP/3.0" {
		tr := &http3.Transport{
			TLSClientConfig: w.trust(t),
			Dial: func(ctx context.Context, to string, tc *tls.Config, qc *quic.Config) (*quic.Conn, error) {
				tc = tc.Clone()
				tc.ServerName, _, _ = net.SplitHostPort(to)
				return quic.DialAddr(ctx, address, tc, qc)
			},
		}
		t.Cleanup(func() { tr.Close() })
		return &http.Client{Transport: tr, Timeout: 2 * time.Minute}
	}
	tr := &http.Transport{TLSClientConfig: w.trust(t), DialContext: dialer("tcp", address), Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(proto == "HTTP/1.1")
	tr.Protocols.SetHTTP2(proto == "HTTP/2.0")
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * time.Minute}
}

type answer struct {
	*http.Response
	body []byte
}

func (w *world) ask(t *testing.T, proto, method, path string, body io.Reader) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://acme.localhost"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.browser(t, proto).Do(r)
	if err != nil {
		t.Fatalf("%s: %v", proto, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", proto, err)
	}
	return answer{res, got}
}

// TestPublicCertificates gets certificates for real tenants from a real ACME authority that
// validates them, goes on while it is down, and catches up.
func TestPublicCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	authority := pebble.Start(t, pebble.Options{
		HTTP: fmt.Sprintf("127.0.0.1:%d", w.http), HTTPS: fmt.Sprintf("127.0.0.1:%d", w.https),
	})
	w.settings["tls"] = fmt.Sprintf("  email: admin@agency.example\n  authorities: [%q]\n  authority_ca: %s\n  everything: true\n", authority.Directory(), authority.RootFile())
	w.settings["domains"] = "  verify: never\n"
	w.up()
	w.create("acme")
	roots := authority.Issued() // new ones each time it starts
	issued := func(domain string) bool {
		status, body := w.fetch(domain, &tls.Config{RootCAs: roots})
		return status == http.StatusOK && strings.Contains(body, "tenant=")
	}
	eventually(t, time.Minute, "acme.localhost has a certificate of the authority", func() bool { return issued("acme.localhost") })

	authority.Kill()
	w.create("globex")
	eventually(t, time.Minute, "the failed order shows its reason", func() bool {
		return strings.Contains(w.must("domain", "show", "globex.localhost"), "connection refused")
	})
	if !issued("acme.localhost") {
		t.Error("acme.localhost has lost its certificate")
	}
	// Strangers' names order nothing.
	before := authority.Orders()
	for i := range 50 {
		w.strangersPage(fmt.Sprintf("stranger%d.example", i))
	}
	authority.Start()
	authority.Ready()
	roots = authority.Issued()
	w.must("domain", "check", "globex.localhost")
	eventually(t, 2*time.Minute, "globex.localhost has its certificate", func() bool {
		// This authority forgets accounts when it is killed: one try goes on making a new one.
		if strings.Contains(w.must("domain", "show", "globex.localhost"), "no certificate chains") {
			w.must("domain", "check", "globex.localhost")
		}
		return issued("globex.localhost")
	})
	if n := authority.Orders() - before; n > 3 {
		t.Errorf("%d orders after the authority came back", n)
	}
}
