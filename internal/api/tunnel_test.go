package api_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// extended sends what a WebSocket client asks for as an extended CONNECT, as browsers do over
// HTTP/2, to a handler without a network.
type extended struct {
	handler http.Handler
	change  func(*http.Request)
}

func (e extended) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.Header.Get("Sec-Websocket-Key")
	toServer, in := io.Pipe()
	fromServer, out := io.Pipe()
	ask := r.Clone(r.Context())
	ask.Method, ask.ProtoMajor, ask.Body = http.MethodConnect, 2, toServer
	for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Key"} {
		ask.Header.Del(name)
	}
	ask.Header[":protocol"] = []string{"websocket"}
	if e.change != nil {
		e.change(ask)
	}
	w := &streamWriter{header: http.Header{}, out: out, begun: make(chan int, 1)}
	go func() {
		defer out.Close()
		e.handler.ServeHTTP(w, ask)
	}()
	answer := &http.Response{StatusCode: <-w.begun, Header: w.header, Request: r, ProtoMajor: 1, ProtoMinor: 1}
	answer.Body = fromServer
	if answer.StatusCode != http.StatusOK {
		return answer, nil
	}
	// For the client, which speaks HTTP/1.1, it is an upgrade.
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer.StatusCode, answer.Header = http.StatusSwitchingProtocols, w.header.Clone()
	answer.Header.Set("Connection", "Upgrade")
	answer.Header.Set("Upgrade", "websocket")
	answer.Header.Set("Sec-Websocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	answer.Body = bothWays{fromServer, in}
	return answer, nil
}

// bothWays is what a client reads and writes after an upgrade.
type bothWays struct {
	*io.PipeReader
	in *io.PipeWriter
}

func (b bothWays) Write(p []byte) (int, error) { return b.in.Write(p) }

// Close ends both directions.
func (b bothWays) Close() error {
	_ = b.PipeReader.Close()
	return b.in.Close()
}

// streamWriter is a stream's answer: no connection that could be taken over.
type streamWriter struct {
	header http.Header
	out    *io.PipeWriter
	begun  chan int
	wrote  bool
}

func (w *streamWriter) Header() http.Header { return w.header }

func (w *streamWriter) WriteHeader(status int) {
	if !w.wrote {
		w.wrote = true
		w.begun <- status
	}
}

func (w *streamWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(p)
}

func (w *streamWriter) Flush() { w.WriteHeader(http.StatusOK) }

func TestExecOverHTTP2(t *testing.T) {
	f := apifake.New()
	f.Tenants.Command = func(_ context.Context, spec fleet.ExecSpec) (int, error) {
		_, err := io.Copy(spec.Stdout, spec.Stdin)
		return 7, err
	}
	_, s := apifake.Serve(t, f.Options(t.TempDir()))
	t.Run("a shell", func(t *testing.T) {
		conn, _, err := websocket.Dial(t.Context(), "http://lxdfleet/v1/tenants/acme/exec", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: extended{handler: trusted(s.Handler())}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		send(t, conn, websocket.MessageText, `{"command":["cat"]}`)
		send(t, conn, websocket.MessageBinary, "\x00"+strings.Repeat("hello ", 1000))
		send(t, conn, websocket.MessageBinary, "\x00")
		var out bytes.Buffer
		for {
			kind, text, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if kind == websocket.MessageText {
				if string(text) != `{"exit":7}` {
					t.Errorf("it ended with %s", text)
				}
				break
			}
			out.Write(text[1:])
		}
		if out.String() != strings.Repeat("hello ", 1000) {
			t.Errorf("%d bytes came back", out.Len())
		}
	})
	t.Run("another protocol is none of ours", func(t *testing.T) {
		_, answer, err := websocket.Dial(t.Context(), "http://lxdfleet/v1/tenants/acme/exec", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: extended{trusted(s.Handler()), func(r *http.Request) { r.Header[":protocol"] = []string{"connect-udp"} }}},
		})
		if err == nil || answer.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%v %v", answer, err)
		}
	})
	t.Run("who has not logged in is refused", func(t *testing.T) {
		_, answer, err := websocket.Dial(t.Context(), "http://lxdfleet/v1/tenants/acme/exec", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: extended{handler: s.Handler()}},
		})
		if err == nil || answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v %v", answer, err)
		}
	})
}

func send(t *testing.T, conn *websocket.Conn, kind websocket.MessageType, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), kind, []byte(text)); err != nil {
		t.Fatal(err)
	}
}
