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
	"strings"
	"testing"
	"time"
)

func TestUploads(t *testing.T) {
	f := startFront(t, Config{}, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", r.ContentLength, " ", err)
	}))
	for _, proto := range protocols {
		c := f.web(proto)
		for _, size := range []int64{0, 1, inlineBody - 1, inlineBody, inlineBody + 1, largeBuffer, 1 << 20, 100 << 20} {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprint(proto, ", ", size, ", known ", known), func(t *testing.T) {
					watch := &heapWatch{}
					body := io.TeeReader(io.LimitReader(zeros{}, size), watch)
					r := request(t, http.MethodPost, f.URL, struct{ io.Reader }{body})
					want := fmt.Sprint(size, " -1 <nil>")
					if known {
						r.ContentLength = size
						want = fmt.Sprint(size, " ", size, " <nil>")
					}
					if size == 0 {
						r.Body, want = http.NoBody, "0 0 <nil>"
					}
					if a := do(t, c, r); a.body != want {
						t.Errorf("%s %q, want %q", a.Status, a.body, want)
					}
					watch.check(t)
				})
			}
		}
	}
}

// A request that the client breaks off is the client's fault, and the backend is told.
func TestClientBreaksOff(t *testing.T) {
	for name, text := range map[string]string{
		"chunks":       "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nno chunk\r\n",
		"small length": "Content-Length: 100\r\n\r\nhalf",
		"large length": "Content-Length: 100000\r\n\r\nhalf",
	} {
		t.Run(name, func(t *testing.T) {
			whole := make(chan bool, 1)
			f := startFront(t, Config{}, startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				whole <- err == nil
			}))
			conn := f.dial()
			fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: acme.example\r\n"+text)
			conn.CloseWrite()
			if err := <-f.errs; !errors.Is(err, ErrRequest) || errors.Is(err, ErrNotSent) {
				t.Errorf("error %v", err)
			}
			if name == "small length" {
				return // the backend was not bothered with it
			}
			if <-whole {
				t.Error("the backend took it for whole")
			}
		})
	}
}

// givenUp is a body that is given up: as in net/http its request's context ends first.
type givenUp struct{ end context.CancelFunc }

var errGivenUp = errors.New("the body is given up")

func (b *givenUp) Read([]byte) (int, error) {
	b.end()
	time.Sleep(100 * time.Millisecond) // as on a busy machine
	return 0, errGivenUp
}

func (*givenUp) Close() error { return nil }

// A body that is given up is not taken for a client that has left, whatever is seen first.
func TestBodyIsGivenUp(t *testing.T) {
	backend := startBackend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	c := New(Config{})
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://acme.example/", &givenUp{end: cancel})
	r.ContentLength = 1 << 20
	if err := c.Forward(httptest.NewRecorder(), r, backend); !errors.Is(err, ErrRequest) || !errors.Is(err, errGivenUp) {
		t.Errorf("error %v", err)
	}
}

// unending gives n bytes, then nothing until it is closed.
func unending(t *testing.T, n int) io.ReadCloser {
	more, _ := io.Pipe()
	t.Cleanup(func() { more.Close() }) // Go's client may leave it open
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(strings.Repeat("x", n)), more), more}
}

// A backend may answer before the body is there. The client gets the answer, and what is left of
// the body is not taken for a request.
func TestEarlyAnswer(t *testing.T) {
	for _, proto := range protocols {
		for name, closes := range map[string]bool{"and closes": true, "and waits": false} {
			t.Run(proto+" "+name, func(t *testing.T) {
				b := startRaw(t, func(c net.Conn, r *http.Request) bool {
					io.ReadFull(r.Body, make([]byte, 10))
					io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nsorry")
					if !closes {
						io.Copy(io.Discard, c)
					}
					return false
				})
				f := startFront(t, Config{}, b.address)
				r := request(t, http.MethodPost, f.URL, unending(t, 100))
				a := do(t, f.web(proto), r)
				if a.StatusCode != http.StatusRequestEntityTooLarge || a.body != "sorry" || a.err != nil {
					t.Errorf("%s %q, %v", a.Status, a.body, a.err)
				}
				if err := <-f.errs; err != nil {
					t.Error(err)
				}
				if kept(f.client) != 0 {
					t.Error("the connection is kept")
				}
			})
		}
	}
	t.Run("rest of the body", func(t *testing.T) {
		b := startRaw(t, func(c net.Conn, r *http.Request) bool {
			io.ReadFull(r.Body, make([]byte, 10))
			io.WriteString(c, hello)
			io.Copy(io.Discard, c)
			return false
		})
		f := startFront(t, Config{}, b.address)
		conn := f.dial()
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 100000\r\n\r\n0123456789")
		br := bufio.NewReader(conn)
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if !res.Close {
			t.Error("the connection stays open for requests")
		}
		fmt.Fprint(conn, "GET /evil HTTP/1.1\r\nHost: acme.example\r\n\r\n")
		if rest, _ := io.ReadAll(br); len(rest) > 0 || b.requests.Load() != 1 {
			t.Errorf("%d requests, and %q", b.requests.Load(), rest)
		}
	})
}

// A backend that dies within a large upload is the backend's fault, and the client is told.
func TestBackendDiesWithinUpload(t *testing.T) {
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			b := startRaw(t, func(_ net.Conn, r *http.Request) bool {
				io.ReadFull(r.Body, make([]byte, 10))
				return false
			})
			f := startFront(t, Config{}, b.address)
			a := do(t, f.web(proto), request(t, http.MethodPost, f.URL, unending(t, 10)))
			if a.StatusCode != http.StatusBadGateway {
				t.Errorf("%s", a.Status)
			}
			if err := <-f.errs; err == nil || errors.Is(err, ErrLeft) || errors.Is(err, ErrRequest) || errors.Is(err, ErrNotSent) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Client and backend may talk at the same time.
func TestBothDirectionsAtOnce(t *testing.T) {
	f := startFront(t, Config{}, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		buf := make([]byte, 1)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				return
			}
			w.Write(buf)
			http.NewResponseController(w).Flush()
		}
	}))
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			body, feed := io.Pipe()
			go feed.Write([]byte("0"))
			res, err := f.web(proto).Do(request(t, http.MethodPost, f.URL, body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got := make([]byte, 1)
			for i := range 10 {
				if _, err := io.ReadFull(res.Body, got); err != nil || got[0] != byte('0'+i) {
					t.Fatalf("%q, %v", got, err)
				}
				if i < 9 {
					feed.Write([]byte{byte('1' + i)})
				}
			}
			feed.Close()
			if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}

func TestExpectContinue(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(c net.Conn, br io.Reader)
		wait   time.Duration
		sent   bool
		status int
	}{
		"granted": {func(c net.Conn, body io.Reader) {
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			io.Copy(io.Discard, body)
			io.WriteString(c, hello)
		}, 20 * time.Second, true, 200},
		"refused": {func(c net.Conn, _ io.Reader) {
			io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
		}, 20 * time.Second, false, 401},
		"not heard of": {func(c net.Conn, body io.Reader) {
			io.Copy(io.Discard, body)
			io.WriteString(c, hello)
		}, 20 * time.Millisecond, true, 200},
		"granted after hints": {func(c net.Conn, body io.Reader) {
			io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
			io.Copy(io.Discard, body)
			io.WriteString(c, hello)
		}, 20 * time.Second, true, 200},
	} {
		for _, proto := range protocols {
			t.Run(name+", "+proto, func(t *testing.T) {
				b := startRaw(t, func(c net.Conn, r *http.Request) bool {
					// net/http keeps it to itself over HTTP/2.
					if r.Header.Get("Expect") != "100-continue" && proto == "HTTP/1.1" {
						t.Error("the backend is not told")
					}
					tc.answer(c, r.Body)
					return false
				})
				f := startFront(t, Config{Continue: tc.wait}, b.address)
				body := &heapWatch{}
				r := request(t, http.MethodPost, f.URL, io.TeeReader(strings.NewReader("the body"), body))
				r.ContentLength = 8
				r.Header.Set("Expect", "100-continue")
				a := do(t, f.web(proto), r)
				if a.StatusCode != tc.status {
					t.Errorf("%s", a.Status)
				}
				if sent := body.n > 0; sent != tc.sent && (tc.sent || proto == "HTTP/1.1") {
					t.Errorf("%d bytes of the body were sent", body.n)
				}
				if err := <-f.errs; err != nil {
					t.Error(err)
				}
			})
		}
	}
}
