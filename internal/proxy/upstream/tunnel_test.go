package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/net/http2"
)

// echo is a WebSocket server.
func echo(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, Subprotocols: []string{"chat"}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, data) != nil {
			return
		}
	}
}

// webSocket opens a WebSocket through the front over HTTP/1.1.
func (f *front) webSocket() *websocket.Conn {
	f.t.Helper()
	cfg := f.web("HTTP/1.1").Transport.(*http.Transport).TLSClientConfig
	d := websocket.Dialer{TLSClientConfig: cfg, Subprotocols: []string{"chat"}}
	conn, res, err := d.DialContext(f.t.Context(), "wss://"+f.Listener.Addr().String()+"/ws?a=b", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	res.Body.Close()
	f.t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func TestWebSocket(t *testing.T) {
	f := startFront(t, Config{}, startBackend(t, echo))
	conn := f.webSocket()
	if conn.Subprotocol() != "chat" {
		t.Errorf("protocol %q", conn.Subprotocol())
	}
	for i := range 100 {
		sent := bytes.Repeat([]byte{byte(i)}, i*1000)
		if err := conn.WriteMessage(websocket.BinaryMessage, sent); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("message %d: %d bytes, %v", i, len(got), err)
		}
	}
	conn.Close()
	if err := <-f.errs; err != nil {
		t.Error(err)
	}
}

// The end of the request's context ends an upgraded connection, too.
func TestWebSocketEndsWithContext(t *testing.T) {
	ended := make(chan struct{})
	address := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		echo(w, r)
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	f := startFront(t, Config{}, address)
	handler := f.Config.Handler
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
	conn := f.webSocket()
	cancel()
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the WebSocket goes on")
	}
	<-ended
}

// What either side sends right behind the switch is not lost, and one direction may end first.
func TestUpgradeToAnotherProtocol(t *testing.T) {
	b := startRaw(t, func(c net.Conn, r *http.Request) bool {
		io.WriteString(c, "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: Echo\r\nX-A: b\r\n\r\nat once")
		got, _ := io.ReadAll(c)
		fmt.Fprintf(c, ", then %s", got)
		return false
	})
	f := startFront(t, Config{}, b.address)
	conn := f.dial()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: acme.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfrom ")
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 101 || res.Header.Get("Upgrade") != "Echo" || res.Header.Get("X-A") != "b" {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	fmt.Fprint(conn, "the client")
	conn.CloseWrite()
	if got, err := io.ReadAll(br); string(got) != "at once, then from the client" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUpgradeNotGranted(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		status int
	}{
		"plain answer":     {hello, 200},
		"refused":          {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403},
		"another protocol": {"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 502},
		"no protocol":      {"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n\r\n", 502},
		"no Connection":    {"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n", 502},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Config{}, startRaw(t, says(tc.text)).address)
			r := request(t, http.MethodGet, f.URL, nil)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			if a := do(t, f.web("HTTP/1.1"), r); a.StatusCode != tc.status {
				t.Errorf("%s", a.Status)
			}
		})
	}
}

// net/http reads whether it does extended CONNECT from the environment when a program starts,
// so these tests run in another process.
const extendedConnect = "GODEBUG=http2xconnect=1"

func TestWebSocketOverHTTP2(t *testing.T) {
	if strings.Contains(os.Getenv("GODEBUG"), "http2xconnect=1") {
		t.Run("echo", testExtendedEcho)
		t.Run("client ends", testExtendedClientEnds)
		t.Run("not granted", testExtendedNotGranted)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWebSocketOverHTTP2$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), extendedConnect)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// connect sends an extended CONNECT whose body is the client's side of the WebSocket.
func (f *front) connect(body io.Reader) (*http.Response, error) {
	r := request(f.t, http.MethodConnect, f.URL+"/ws?a=b", body)
	r.Header[":protocol"] = []string{"websocket"}
	r.Header.Set("Sec-Websocket-Version", "13")
	r.Header.Set("Sec-Websocket-Protocol", "chat")
	cfg := f.web("HTTP/2").Transport.(*http.Transport).TLSClientConfig
	tr := &http2.Transport{TLSClientConfig: cfg} //nolint:staticcheck // net/http's does not send this header
	f.t.Cleanup(tr.CloseIdleConnections)         //nolint:staticcheck // the same
	return tr.RoundTrip(r)                       //nolint:staticcheck // the same
}

func testExtendedEcho(t *testing.T) {
	f := startFront(t, Config{}, startBackend(t, echo))
	body, feed := io.Pipe()
	res, err := f.connect(body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Sec-Websocket-Protocol") != "chat" || res.Header.Get("Upgrade") != "" ||
		res.Header.Get("Sec-Websocket-Accept") != "" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	for i := range 20 {
		text := fmt.Sprint("message ", i)
		frame := append([]byte{0x81, byte(0x80 | len(text)), 0, 0, 0, 0}, text...)
		if _, err := feed.Write(frame); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 2+len(text))
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got[2:]) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	feed.Write([]byte{0x88, 0x80, 0, 0, 0, 0}) // a close frame, which the backend answers and closes
	rest, err := io.ReadAll(res.Body)
	if err != nil || len(rest) == 0 || rest[0] != 0x88 {
		t.Errorf("%q, %v", rest, err)
	}
	feed.Close()
	if err := <-f.errs; err != nil {
		t.Error(err)
	}
}

func testExtendedClientEnds(t *testing.T) {
	ended := make(chan struct{})
	f := startFront(t, Config{}, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		echo(w, r)
		close(ended)
	}))
	body, feed := io.Pipe()
	res, err := f.connect(body)
	if err != nil {
		t.Fatal(err)
	}
	feed.Close()
	<-ended
	res.Body.Close()
}

func testExtendedNotGranted(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		status int
	}{
		"refused":      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403},
		"plain answer": {hello, 502},
		"wrong accept": {"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", 502},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Config{}, startRaw(t, says(tc.text)).address)
			body, feed := io.Pipe()
			res, err := f.connect(body)
			if err != nil {
				t.Fatal(err)
			}
			feed.Close()
			res.Body.Close()
			if res.StatusCode != tc.status {
				t.Errorf("%s", res.Status)
			}
		})
	}
}

// A client that is gone, of a WebSocket or not, is no error of the backend.
func TestTunnelClosed(t *testing.T) {
	f := startFront(t, Config{}, startBackend(t, echo))
	conn := f.webSocket()
	conn.NetConn().Close()
	if err := <-f.errs; err != nil && !errors.Is(err, ErrLeft) {
		t.Error(err)
	}
}
