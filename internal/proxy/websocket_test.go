package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
	"golang.org/x/net/http2"
)

// A browser opens WebSockets over HTTP/2 by an extended CONNECT (RFC 8441). The server offers
// that: package xconnect has switched it on before net/http was initialised.
func TestWebSocketOverHTTP2(t *testing.T) {
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
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", backend))
	tr := &http2.Transport{ //nolint:staticcheck // net/http's client does not send this header
		TLSClientConfig: f.tls("acme.example"),
		DialTLSContext: func(ctx context.Context, network, _ string, cfg *tls.Config) (net.Conn, error) { //nolint:staticcheck // the same
			d := tls.Dialer{Config: cfg}
			return d.DialContext(ctx, network, f.HTTPSAddr().String())
		},
	}
	t.Cleanup(tr.CloseIdleConnections) //nolint:staticcheck // the same
	body, feed := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, "https://acme.example/chat", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header[":protocol"] = []string{"websocket"}
	r.Header.Set("Sec-Websocket-Version", "13")
	res, err := tr.RoundTrip(r) //nolint:staticcheck // the same
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: WebSockets over HTTP/2 are not switched on", res.Status)
	}
	if _, err := feed.Write([]byte{0x81, 0x82, 0, 0, 0, 0, 'h', 'i'}); err != nil { // a masked text frame
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got[2:]) != "hi" {
		t.Errorf("%q, %v", got, err)
	}
	if n := f.gateState("acme").Inflight; n != 1 {
		t.Errorf("%d in flight, want the open WebSocket", n)
	}
	feed.Close()
}

// A CONNECT that wants a tunnel is refused as before.
func TestTunnelsAreRefused(t *testing.T) {
	f := startFront(t, nil)
	f.publish(serving("acme.example", "acme", startBackend(t, says("ok"))))
	conn := f.dial("acme.example")
	if _, err := io.WriteString(conn, "CONNECT acme.example:443 HTTP/1.1\r\nHost: acme.example:443\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("HTTP/1.1 405"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "HTTP/1.1 405" {
		t.Errorf("%q, %v", got, err)
	}
}
