package guard

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Refused shapes are answered with 400 and never reach the handler, over TLS and without, as the
// first request of a connection and as a later one.
func TestShapesAreAnswered400(t *testing.T) {
	reached := make(chan string, 1000)
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/first" {
			reached <- r.RequestURI
		}
	}
	sites := map[string]*site{
		"plain": serve(t, ListenerConfig{}, handler, nil),
		"TLS":   serve(t, ListenerConfig{TLS: certificate(t)}, handler, nil),
	}
	const first = "GET /first HTTP/1.1\r\nHost: a.example\r\n\r\n"
	for kind, s := range sites {
		for name, shape := range shapes {
			for way, n := range map[string]int{"at once": 0, "by the byte": 1, "later": 0} {
				t.Run(kind+"/"+name+"/"+way, func(t *testing.T) {
					conn := s.dial()
					if kind == "TLS" {
						conn = s.dial("http/1.1")
					}
					r := bufio.NewReader(conn)
					if way == "later" {
						say(t, conn, first, 0)
						if code, _ := status(t, r); code != 200 {
							t.Fatalf("first request: %d", code)
						}
					}
					if shape.want == nil {
						n = 0 // net/http answers before all was said, and resets the connection
					}
					say(t, conn, shape.raw, n)
					if way == "later" && strings.IndexByte("\r\n", shape.raw[0]) >= 0 {
						ended(t, conn) // net/http answers only what has begun
						return
					}
					if code, _ := status(t, r); code != 400 {
						t.Errorf("%d", code)
					}
					ended(t, conn)
				})
			}
		}
	}
	close(reached)
	for target := range reached {
		t.Errorf("the handler was reached for %s", target)
	}
	if n := sites["plain"].count(ReasonShape); n == 0 {
		t.Error("nothing was counted")
	}
}

// A body that turns out to be malformed is never taken for a whole one.
func TestBodyShapesAreNoWholeBodies(t *testing.T) {
	s := serve(t, ListenerConfig{}, nil, nil)
	for name, shape := range bodyShapes {
		t.Run(name, func(t *testing.T) {
			conn := s.dial()
			say(t, conn, shape.raw, 0)
			all, err := io.ReadAll(conn)
			answers := bytes.Count(all, []byte("HTTP/1.1 "))
			if bytes.Count(all, []byte("HTTP/1.1 400 ")) != 1 || answers > 1 && !strings.Contains(name, "second request") {
				t.Errorf("%q, %v", all, err)
			}
		})
	}
}

// Proper requests pass byte for byte, however they are cut, one after the other and together.
func TestProperRequestsPass(t *testing.T) {
	sites := map[string]*site{
		"plain": serve(t, ListenerConfig{}, nil, nil),
		"TLS":   serve(t, ListenerConfig{TLS: certificate(t)}, nil, nil),
	}
	wants := map[string]string{
		"chunks":                        `body="abc0123456789"`,
		"chunks with line ends in them": `body="\n\r\n\r"`,
		"chunks and a trailer":          `trailer="1"`,
		"Content-Length":                `body="abc"`,
		"absolute with the same Host":   "GET A.example:443 ",
	}
	for kind, s := range sites {
		for name, raw := range proper {
			for _, n := range []int{0, 1, 7} {
				t.Run(kind+"/"+name, func(t *testing.T) {
					conn := s.dial()
					if kind == "TLS" {
						conn = s.dial("http/1.1")
					}
					if n == 1 && len(raw) > 1000 {
						n = 1000
					}
					say(t, conn, raw+"GET /last HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", n)
					r := bufio.NewReader(conn)
					code, body := status(t, r)
					if name == "OPTIONS *" { // net/http answers that by itself
						body = "tls=" + strconv.FormatBool(kind == "TLS")
					}
					if code != 200 || !strings.Contains(body, wants[name]) || !strings.Contains(body, "tls="+strconv.FormatBool(kind == "TLS")) {
						t.Fatalf("%d %s", code, body)
					}
					if strings.Contains(raw, "HTTP/1.0") {
						return // whose connection ends
					}
					for range strings.Count(raw, "\r\nHost: b.example") {
						if code, body := status(t, r); code != 200 || !strings.Contains(body, "b.example") {
							t.Fatalf("second: %d %s", code, body)
						}
					}
					if code, body := status(t, r); code != 200 || !strings.Contains(body, "/last") {
						t.Fatalf("last: %d %s", code, body)
					}
					ended(t, conn)
				})
			}
		}
	}
}

func TestUpload(t *testing.T) {
	s := serve(t, ListenerConfig{TLS: certificate(t)}, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}, nil)
	want := bytes.Repeat([]byte("GET / HTTP/1.1\n\n"), 64<<10) // would be refused if it were looked at
	for name, protos := range map[string][]string{"HTTP/1.1": {"http/1.1"}, "HTTP/2": {"h2"}} {
		for kind, body := range map[string]io.Reader{"known length": bytes.NewReader(want), "chunks": io.MultiReader(bytes.NewReader(want))} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: protos}, ForceAttemptHTTP2: name == "HTTP/2"}
				defer tr.CloseIdleConnections()
				res, err := (&http.Client{Transport: tr, Timeout: 2 * patience}).Post("https://"+s.addr+"/", "text/plain", body)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, want) || res.Proto != name && name != "HTTP/2" || res.ProtoMajor != int(name[5]-'0') {
					t.Errorf("%d of %d bytes by %s: %v", len(got), len(want), res.Proto, err)
				}
			})
		}
	}
}

// What follows an upgrade is no HTTP and passes as it is.
func TestUpgradeIsNotInspected(t *testing.T) {
	s := serve(t, ListenerConfig{TLS: certificate(t)}, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(conn, rw)
		if half, ok := conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
			t.Error("no half close")
		}
	}, nil)
	conn := s.dial("http/1.1")
	say(t, conn, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", 0)
	r := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	want := "\n\nnot HTTP\r\r\n folded : \x00\n" + strings.Repeat("x", 100<<10)
	go say(t, conn, want, 0)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Errorf("%d bytes: %v", len(got), err)
	}
	if err := conn.(*tls.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	ended(t, conn)
}

func TestProtocols(t *testing.T) {
	s := serve(t, ListenerConfig{TLS: certificate(t)}, nil, nil)
	t.Run("HTTP/1 on a connection for HTTP/2", func(t *testing.T) {
		conn := s.dial("h2")
		say(t, conn, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0)
		all, _ := io.ReadAll(conn)
		if bytes.Contains(all, []byte("200")) {
			t.Errorf("%q", all)
		}
	})
	t.Run("HTTP/2 on a connection for HTTP/1", func(t *testing.T) {
		conn := s.dial("http/1.1")
		say(t, conn, preface, 0)
		if code, _ := status(t, bufio.NewReader(conn)); code != 400 {
			t.Errorf("%d", code)
		}
	})
	t.Run("HTTP/2 on a plain connection", func(t *testing.T) {
		conn := serve(t, ListenerConfig{}, nil, nil).dial()
		say(t, conn, preface, 0)
		if code, _ := status(t, bufio.NewReader(conn)); code != 400 {
			t.Errorf("%d", code)
		}
	})
	t.Run("plain HTTP to TLS", func(t *testing.T) {
		conn := s.dial()
		say(t, conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 0)
		if all, err := io.ReadAll(conn); !strings.HasPrefix(string(all), "HTTP/1.0 400 ") {
			t.Errorf("%q, %v", all, err)
		}
	})
	t.Run("a certificate authority's check", func(t *testing.T) {
		conn := s.dial("acme-tls/1").(*tls.Conn)
		if err := conn.Handshake(); err != nil || conn.ConnectionState().NegotiatedProtocol != "acme-tls/1" {
			t.Errorf("%v, %q", err, conn.ConnectionState().NegotiatedProtocol)
		}
		ended(t, conn)
	})
	t.Run("no ALPN", func(t *testing.T) {
		conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		say(t, conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 0)
		if code, body := status(t, bufio.NewReader(conn)); code != 200 || !strings.Contains(body, "tls=true") {
			t.Errorf("%d %s", code, body)
		}
	})
}

// Slowness of each kind ends the connection.
func TestSlowClients(t *testing.T) {
	limits := func(srv *http.Server) {
		srv.ReadHeaderTimeout = 50 * time.Millisecond
		srv.IdleTimeout = 50 * time.Millisecond
	}
	plain := serve(t, ListenerConfig{}, nil, limits)
	secure := serve(t, ListenerConfig{TLS: certificate(t), Header: 50 * time.Millisecond}, nil, limits)
	t.Run("no handshake", func(t *testing.T) { ended(t, secure.dial()) })
	t.Run("half a handshake", func(t *testing.T) {
		conn := secure.dial()
		say(t, conn, "\x16\x03\x01\x02\x00\x01", 0)
		ended(t, conn)
	})
	t.Run("no request", func(t *testing.T) { ended(t, secure.dial("http/1.1")) })
	t.Run("half a header", func(t *testing.T) {
		conn := plain.dial()
		say(t, conn, "GET / HTTP/1.1\r\nHost: a.ex", 0)
		ended(t, conn)
	})
	t.Run("no second request", func(t *testing.T) {
		conn := plain.dial()
		say(t, conn, proper["GET"], 0)
		if code, _ := status(t, bufio.NewReader(conn)); code != 200 {
			t.Fatal(code)
		}
		ended(t, conn)
	})
}

func TestHeaderTooLarge(t *testing.T) {
	s := serve(t, ListenerConfig{}, nil, func(srv *http.Server) { srv.MaxHeaderBytes = 4 << 10 })
	conn := s.dial()
	say(t, conn, "GET / HTTP/1.1\r\nHost: a.example\r\nCookie: "+strings.Repeat("x", 32<<10)+"\r\n\r\n", 0)
	if code, _ := status(t, bufio.NewReader(conn)); code != 431 {
		t.Error(code)
	}
}

// A client that takes in nothing of an answer loses its connection; one that is slow does not.
func TestWriteStall(t *testing.T) {
	const size = 64 << 20
	broke := make(chan error, 2)
	s := serve(t, ListenerConfig{WriteStall: 200 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.CopyN(w, zeros{}, size)
		broke <- err
	}, nil)
	conn := s.dial()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10) // or the system takes in a lot for it
	}
	say(t, conn, proper["GET"], 0)
	select {
	case err := <-broke:
		if err == nil {
			t.Error("all was written to a client that reads nothing")
		}
	case <-time.After(patience):
		t.Fatal("still writing")
	}
	conn = s.dial()
	say(t, conn, proper["GET"], 0)
	if n, err := io.CopyN(io.Discard, conn, size); err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
	if err := <-broke; err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
