package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What an answer is, as the client sees it, over both protocols.
func TestAnswers(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20_000)
	for name, tc := range map[string]struct {
		method string
		text   string
		status int
		body   string
		header map[string]string
		kept   bool // the connection to the backend
	}{
		"length":          {"GET", hello, 200, "hello", map[string]string{"Content-Length": "5", "Content-Type": ""}, true},
		"chunks":          {"GET", "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 201, "hello", nil, true},
		"until the end":   {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", 200, "hello", nil, false},
		"HTTP/1.0":        {"GET", "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nhello", 200, "hello", map[string]string{"Content-Type": "a/b"}, false},
		"HTTP/1.0 kept":   {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", nil, true},
		"empty":           {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", map[string]string{"Content-Length": "0"}, true},
		"HEAD":            {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", map[string]string{"Content-Length": "5"}, true},
		"HEAD of chunks":  {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", nil, true},
		"204":             {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", nil, true},
		"304":             {"GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n", 304, "", map[string]string{"Etag": `"a"`}, true},
		"range":           {"GET", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/9\r\nContent-Length: 5\r\n\r\nhello", 206, "hello", map[string]string{"Content-Range": "bytes 0-4/9"}, true},
		"redirect":        {"GET", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, "", map[string]string{"Location": "/x"}, true},
		"own status":      {"GET", "HTTP/1.1 799 Own\r\nContent-Length: 0\r\n\r\n", 799, "", nil, true},
		"error":           {"POST", "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nsorry", 500, "sorry", nil, true},
		"cookies":         {"GET", "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 0\r\n\r\n", 200, "", map[string]string{"Set-Cookie": "a=b|c=d"}, true},
		"hop by hop":      {"GET", "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: a\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n", 200, "", map[string]string{"X-Hop": "", "Keep-Alive": ""}, true},
		"long, length":    {"GET", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(long), long), 200, long, nil, true},
		"long, chunks":    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat(fmt.Sprintf("%x\r\n%s\r\n", len(long)/8, long[:len(long)/8]), 8) + "0\r\n\r\n", 200, long, nil, true},
		"long, until end": {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + long, 200, long, nil, false},
		"large header":    {"GET", "HTTP/1.1 200 OK\r\nX-A: " + long[:200_000] + "\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", map[string]string{"X-A": long[:200_000]}, true},
		"leftover":        {"GET", hello + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 200, "hello", nil, false},
		"early hints":     {"GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + hello, 200, "hello", map[string]string{"Link": ""}, true},
	} {
		for _, proto := range protocols {
			t.Run(name+", "+proto, func(t *testing.T) {
				b := startRaw(t, func(c net.Conn, r *http.Request) bool {
					io.WriteString(c, tc.text)
					return !strings.Contains(tc.text, "close") && !strings.Contains(tc.text, "HTTP/1.0 200 OK\r\nCo"+"ntent-T")
				})
				f := startFront(t, Config{}, b.address)
				c := f.web(proto)
				c.Transport.(*http.Transport).MaxResponseHeaderBytes = 1 << 20
				for range 3 {
					a := do(t, c, request(t, tc.method, f.URL, nil))
					if a.StatusCode != tc.status || a.body != tc.body || a.err != nil {
						t.Fatalf("%s, %d bytes, %v", a.Status, len(a.body), a.err)
					}
					for name, want := range tc.header {
						if got := strings.Join(a.Header.Values(name), "|"); got != want {
							t.Errorf("%s: %.100q", name, got)
						}
					}
					if err := <-f.errs; err != nil {
						t.Fatal(err)
					}
				}
				if kept := b.conns.Load() == 1; kept != tc.kept {
					t.Errorf("%d connections for 3 requests", b.conns.Load())
				}
			})
		}
	}
}

// What the client's side set before stays, and what it set for informational answers does not.
func TestHeadersSetBefore(t *testing.T) {
	b := startRaw(t, says("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Before: hint\r\n\r\n"+hello))
	client := New(Config{})
	defer client.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Before", "kept")
		if err := client.Forward(w, r, b.address); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	a := do(t, srv.Client(), request(t, http.MethodGet, srv.URL, nil))
	if got := a.Header.Values("X-Before"); len(got) != 1 || got[0] != "kept" || a.Header.Get("Link") != "" {
		t.Errorf("%v", a.Header)
	}
}

func TestInformational(t *testing.T) {
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			b := startRaw(t, says("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n"+hello))
			f := startFront(t, Config{}, b.address)
			var links []string
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
					links = append(links, fmt.Sprint(code, header["Link"]))
					return nil
				},
			})
			r := request(t, http.MethodGet, f.URL, nil).WithContext(ctx)
			if a := do(t, f.web(proto), r); a.body != "hello" || fmt.Sprint(links) != "[103 [</a>] 103 [</b>]]" {
				t.Errorf("%s %q, %v", a.Status, a.body, links)
			}
		})
	}
	t.Run("HTTP/1.0", func(t *testing.T) {
		f := startFront(t, Config{}, startRaw(t, says("HTTP/1.1 103 Early Hints\r\n\r\n"+hello)).address)
		conn := f.dial()
		fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.0 200 OK\r\n") {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestTrailers(t *testing.T) {
	address := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "got "+r.Trailer.Get("X-Sent"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	})
	f := startFront(t, Config{}, address)
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			r := request(t, http.MethodPost, f.URL, io.MultiReader(strings.NewReader("in pieces")))
			r.Trailer = http.Header{"X-Sent": {"42"}}
			a := do(t, f.web(proto), r)
			if a.body != "body" || a.Trailer.Get("X-Sum") != "got 42" || a.Trailer.Get("X-Late") != "late" {
				t.Errorf("%q, trailers %v", a.body, a.Trailer)
			}
		})
	}
}

func TestAnswersAreNotBuffered(t *testing.T) {
	for name, header := range map[string]http.Header{
		"events":       {"Content-Type": {"text/event-stream"}},
		"pieces":       {"Content-Type": {"text/plain"}},
		"known length": {"Content-Type": {"text/plain"}, "Content-Length": {"4"}},
	} {
		for _, proto := range protocols {
			t.Run(name+", "+proto, func(t *testing.T) {
				next := make(chan struct{})
				f := startFront(t, Config{}, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
					for key, v := range header {
						w.Header()[key] = v
					}
					for range 4 {
						http.NewResponseController(w).Flush()
						<-next // a piece is sent only when the one before, or the header, has arrived
						io.WriteString(w, ".")
					}
				}))
				res, err := f.web(proto).Do(request(t, http.MethodGet, f.URL, nil))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				for range 4 {
					next <- struct{}{}
					if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// writes counts what reaches a connection.
type writes struct {
	net.Listener
	n atomic.Int64
}

func (l *writes) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countedConn{c, l}, err
}

type countedConn struct {
	net.Conn
	l *writes
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.l.n.Add(1)
	return c.Conn.Write(p)
}

// A small answer is one write to the client, however its body is framed.
func TestSmallAnswerIsOneWrite(t *testing.T) {
	for name, text := range map[string]string{
		"length": hello,
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := New(Config{})
			defer client.Close()
			b := startRaw(t, says(text))
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := client.Forward(w, r, b.address); err != nil {
					t.Error(err)
				}
			}))
			counted := &writes{Listener: srv.Listener}
			srv.Listener = counted
			srv.Start()
			defer srv.Close()
			for range 5 {
				do(t, srv.Client(), request(t, http.MethodGet, srv.URL, nil))
			}
			if got := counted.n.Load(); got != 5 {
				t.Errorf("%d writes for 5 answers", got)
			}
		})
	}
}

func TestLargeDownloadIsNotBuffered(t *testing.T) {
	const size = 200 << 20
	for name, length := range map[string]string{"known length": fmt.Sprint(size), "chunks": ""} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Config{}, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				io.Copy(w, io.LimitReader(zeros{}, size))
			}))
			for _, proto := range protocols {
				t.Run(proto, func(t *testing.T) {
					res, err := f.web(proto).Do(request(t, http.MethodGet, f.URL, nil))
					if err != nil {
						t.Fatal(err)
					}
					defer res.Body.Close()
					peak := &heapWatch{}
					if n, err := io.Copy(peak, res.Body); n != size || err != nil {
						t.Errorf("%d bytes, %v", n, err)
					}
					peak.check(t)
				})
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// heapWatch takes bytes and looks at the heap now and then.
type heapWatch struct {
	n, next      int
	before, peak uint64
}

func (h *heapWatch) Write(p []byte) (int, error) {
	if h.n += len(p); h.n >= h.next {
		h.next += 10 << 20
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if h.before == 0 {
			h.before = m.HeapAlloc
		}
		h.peak = max(h.peak, m.HeapAlloc)
	}
	return len(p), nil
}

func (h *heapWatch) check(t *testing.T) {
	t.Helper()
	if grown := int64(h.peak) - int64(h.before); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// A client that leaves takes its backend's connection with it.
func TestClientLeaves(t *testing.T) {
	for name, text := range map[string]string{
		"before the answer":    "",
		"within the body":      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"in an endless answer": "HTTP/1.1 200 OK\r\n\r\nhalf",
	} {
		for _, proto := range protocols {
			t.Run(name+", "+proto, func(t *testing.T) {
				began, ended := make(chan struct{}), make(chan struct{})
				b := startRaw(t, func(c net.Conn, _ *http.Request) bool {
					io.WriteString(c, text)
					close(began)
					io.Copy(io.Discard, c)
					close(ended)
					return false
				})
				f := startFront(t, Config{}, b.address)
				ctx, cancel := context.WithCancel(t.Context())
				got := make(chan error, 1)
				go func() {
					res, err := f.web(proto).Do(request(t, http.MethodGet, f.URL, nil).WithContext(ctx))
					if err == nil {
						_, err = io.ReadAll(res.Body)
						res.Body.Close()
					}
					got <- err
				}()
				<-began
				cancel()
				if err := <-got; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				<-ended
			})
		}
	}
}

func TestNotSent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedPort := ln.Addr().String()
	ln.Close()
	client := New(Config{Dial: 100 * time.Millisecond})
	defer client.Close()
	for name, address := range map[string]string{"refused": closedPort, "no address": "no port", "silent": "192.0.2.1:80"} {
		t.Run(name, func(t *testing.T) {
			body := strings.NewReader("untouched")
			r := httptest.NewRequest(http.MethodPost, "/", body)
			w := httptest.NewRecorder()
			if err := client.Forward(w, r, address); !errors.Is(err, ErrNotSent) {
				t.Errorf("error %v", err)
			}
			if body.Len() != len("untouched") || len(w.Header()) > 0 {
				t.Error("something was read or written")
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	for name, tc := range map[string]struct {
		method string
		body   io.Reader
		text   string
	}{
		"GET":                  {"GET", nil, ""},
		"small body":           {"POST", strings.NewReader("small"), ""},
		"streamed body":        {"POST", io.LimitReader(zeros{}, 1<<20), ""},
		"header not whole":     {"GET", nil, "HTTP/1.1 200 OK\r\nX-A"},
		"after early hints":    {"GET", nil, "HTTP/1.1 103 Early Hints\r\n\r\n"},
		"never asked for more": {"POST", struct{ io.Reader }{strings.NewReader("")}, "HTTP/1.1 100 Continue\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			b := startRaw(t, func(c net.Conn, r *http.Request) bool {
				io.Copy(io.Discard, r.Body)
				io.WriteString(c, tc.text)
				io.Copy(io.Discard, c)
				return false
			})
			f := startFront(t, Config{Answer: 100 * time.Millisecond}, b.address)
			start := time.Now()
			if a := do(t, f.web("HTTP/1.1"), request(t, tc.method, f.URL, tc.body)); a.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("%s", a.Status)
			}
			if err := <-f.errs; !errors.Is(err, ErrTimeout) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// The time for an answer is counted anew for each request of a connection, and not for bodies.
func TestTimeoutIsPerAnswer(t *testing.T) {
	const limit = 200 * time.Millisecond
	f := startFront(t, Config{Answer: limit}, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			for range 4 {
				io.WriteString(w, ".")
				http.NewResponseController(w).Flush()
				time.Sleep(limit / 2)
			}
			return
		}
		time.Sleep(limit / 2)
	}))
	c := f.web("HTTP/1.1")
	for _, path := range []string{"/", "/", "/", "/body", "/", "/"} {
		if a := do(t, c, request(t, http.MethodGet, f.URL+path, nil)); a.StatusCode != 200 || a.err != nil {
			t.Errorf("%s: %s, %v", path, a.Status, a.err)
		}
	}
}

func TestHTTP10Client(t *testing.T) {
	f := startFront(t, Config{}, startRaw(t, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")).address)
	conn := f.dial()
	fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "hello" || err != nil || len(res.TransferEncoding) > 0 {
		t.Errorf("%q, %v, %v", body, err, res.TransferEncoding)
	}
}
