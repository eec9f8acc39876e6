package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/gorilla/websocket"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// transport3 is a client's HTTP/3 for which every name leads to the server.
func (f *front) transport3() *http3.Transport {
	tr := &http3.Transport{
		TLSClientConfig: f.tls(""),
		Dial: func(ctx context.Context, address string, tc *tls.Config, qc *quic.Config) (*quic.Conn, error) {
			host, _, _ := net.SplitHostPort(address)
			tc = tc.Clone()
			tc.ServerName = host
			return quic.DialAddr(ctx, f.HTTP3Addr().String(), tc, qc)
		},
	}
	f.t.Cleanup(func() { tr.Close() })
	return tr
}

func (f *front) client3() *http.Client {
	return &http.Client{Transport: f.transport3(), Timeout: time.Minute}
}

func TestHTTP3(t *testing.T) {
	backend := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(w, "%s %s %d %s", r.Method, r.Header.Get("X-Forwarded-Proto"), n, r.Host)
		w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
	})
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", backend))
	c := f.client3()
	if got := get(t, c, "https://acme.example/"); got.body != "GET https 0 acme.example" || got.ProtoMajor != 3 {
		t.Errorf("%s %q", got.Proto, got.body)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://acme.example/", bytes.NewReader(big))
	if err != nil {
		t.Fatal(err)
	}
	got := do(t, c, r)
	if want := fmt.Sprintf("POST https %d acme.example", len(big)); got.body != want {
		t.Errorf("%q, want %q", got.body, want)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(big)); got.Trailer.Get("X-Sum") != want {
		t.Errorf("trailer %q, want %q", got.Trailer.Get("X-Sum"), want)
	}
}

func TestHTTP3IsMadeKnown(t *testing.T) {
	for _, tc := range []struct {
		name, listen, want string
		port               int
	}{
		{"its own port", "", "", 0},
		{"the public port", "", `h3=":443"; ma=86400`, 443},
		{"there is none", "off", "none", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := startFront(t, func(c *Config) { c.HTTP3, c.PublicPort = tc.listen, tc.port })
			f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
			want := tc.want
			switch {
			case want == "none":
				want = ""
			case want == "":
				_, port, _ := net.SplitHostPort(f.HTTP3Addr().String())
				want = `h3=":` + port + `"; ma=86400`
			}
			for _, c := range []*http.Client{f.client(nil), f.client(http1)} {
				if got := get(t, c, "https://acme.example/"); got.Header.Get("Alt-Svc") != want {
					t.Errorf("%s: Alt-Svc %q, want %q", got.Proto, got.Header.Get("Alt-Svc"), want)
				}
			}
			if tc.listen != "off" {
				if got := get(t, f.client3(), "https://acme.example/"); got.Header.Get("Alt-Svc") != "" {
					t.Errorf("over HTTP/3: Alt-Svc %q", got.Header.Get("Alt-Svc"))
				}
			}
		})
	}
}

// An application's own notice would send visitors past the proxy.
func TestAltSvcOfABackendIsNotPassedOn(t *testing.T) {
	backend := startBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Alt-Svc", `h3=":9"`) })
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", backend))
	for _, c := range []*http.Client{f.client(http1), f.client3()} {
		got := get(t, c, "https://acme.example/")
		if strings.Contains(strings.Join(got.Header.Values("Alt-Svc"), ","), ":9") {
			t.Errorf("%s: %q", got.Proto, got.Header.Values("Alt-Svc"))
		}
	}
}

func TestHTTP3RequestsAreHeld(t *testing.T) {
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
	f.Router().Hold("acme", "test")
	c := f.client3()
	body := make(chan string)
	go func() { body <- get(t, c, "https://acme.example/").body }()
	waitFor(t, func() bool { return f.gateState("acme").Held == 1 })
	f.Router().Resume("acme", "test")
	if got := <-body; got != "ok" {
		t.Errorf("%q", got)
	}
}

func TestWebSocketOverHTTP3(t *testing.T) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	backend := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		kind, text, err := conn.ReadMessage()
		if err == nil {
			_ = conn.WriteMessage(kind, text)
		}
	})
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", backend))
	conn, err := quic.DialAddr(t.Context(), f.HTTP3Addr().String(), http3.ConfigureTLSConfig(f.tls("acme.example")), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(0, "")
	cc := (&http3.Transport{}).NewClientConn(conn)
	select {
	case <-cc.ReceivedSettings():
	case <-t.Context().Done():
		t.Fatal("no settings")
	}
	if !cc.Settings().EnableExtendedConnect {
		t.Fatal("extended CONNECT is not offered")
	}
	str, err := cc.OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, "https://acme.example/chat", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Proto = "websocket"
	r.Header.Set("Sec-Websocket-Version", "13")
	if err := str.SendRequestHeader(r); err != nil {
		t.Fatal(err)
	}
	res, err := str.ReadResponse()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	if _, err := str.Write([]byte{0x81, 0x82, 0, 0, 0, 0, 'h', 'i'}); err != nil { // a masked text frame
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(str, got); err != nil || string(got[2:]) != "hi" {
		t.Errorf("%q, %v", got, err)
	}
}

// A request that is being answered when the server ends is answered; the client is told to go.
func TestHTTP3RequestSurvivesShutdown(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	backend := startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		io.WriteString(w, "whole")
	})
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", backend))
	body := make(chan string)
	go func() { body <- get(t, f.client3(), "https://acme.example/").body }()
	<-arrived
	ended := make(chan error)
	go func() { ended <- f.end(time.Minute) }()
	waitFor(t, f.stopped)
	close(finish)
	if got := <-body; got != "whole" {
		t.Errorf("%q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func (f *front) stopped() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

func TestHTTP3PortInUse(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = New(t.Context(), Config{HTTPS: "127.0.0.1:0", HTTP: "off", HTTP3: taken.LocalAddr().String(), Storage: &certmagic.FileStorage{Path: t.TempDir()}})
	if fleet.CodeOf(err) != fleet.Taken || !strings.Contains(err.Error(), "udp port") {
		t.Errorf("%v", err)
	}
}
