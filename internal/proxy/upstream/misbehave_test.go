package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// No malformed answer reaches a client, is taken for another fault, or is asked for twice.
func TestMalformedAnswers(t *testing.T) {
	for name, text := range malformedHeads {
		for _, proto := range protocols {
			t.Run(name+", "+proto, func(t *testing.T) {
				b := startRaw(t, func(c net.Conn, _ *http.Request) bool {
					io.WriteString(c, text)
					return false
				})
				f := startFront(t, Config{}, b.address)
				a := do(t, f.web(proto), request(t, http.MethodGet, f.URL, nil))
				if a.StatusCode != http.StatusBadGateway || a.body != "" {
					t.Errorf("%s %q", a.Status, a.body)
				}
				for name := range a.Header {
					if strings.HasPrefix(name, "X-") {
						t.Errorf("header %s has passed", name)
					}
				}
				err := <-f.errs
				for _, kind := range []error{nil, ErrNotSent, ErrTimeout, ErrRequest} {
					if errors.Is(err, kind) {
						t.Errorf("error %v", err)
					}
				}
				if n := b.requests.Load(); n != 1 {
					t.Errorf("asked %d times", n)
				}
			})
		}
	}
}

// A malformed answer is seen as such while the backend keeps its connection open.
func TestMalformedIsSeenAtOnce(t *testing.T) {
	for name, text := range map[string]string{
		"not HTTP":            "+OK ready",
		"bare line feed":      "HTTP/1.1 200 OK\n",
		"bare line feed then": "HTTP/1.1 200 OK\r\nX-A: b\nX",
		"endless line":        "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 300<<10),
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Config{}, startRaw(t, says(text)).address)
			if a := do(t, f.web("HTTP/1.1"), request(t, http.MethodGet, f.URL, nil)); a.StatusCode != http.StatusBadGateway {
				t.Errorf("%s", a.Status)
			}
		})
	}
}

// An answer that breaks off does not look whole.
func TestBrokenAnswers(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, tc := range map[string]struct {
		text  string
		reset bool
	}{
		"length":                  {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false},
		"length, nothing":         {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", false},
		"within a chunk":          {chunked + "10\r\nhalf", false},
		"between chunks":          {chunked + "4\r\nhalf\r\n", false},
		"before the last line":    {chunked + "4\r\nhalf\r\n0\r\n", false},
		"within the trailer":      {chunked + "4\r\nhalf\r\n0\r\nX-A: b\r\n", false},
		"malformed chunk":         {chunked + "4\r\nhalf\r\nfour\r\nhalf\r\n0\r\n\r\n", false},
		"malformed trailer":       {chunked + "4\r\nhalf\r\n0\r\nX A: b\r\n\r\n", false},
		"reset":                   {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true},
		"reset of an endless one": {"HTTP/1.1 200 OK\r\n\r\nhalf", true},
	} {
		for _, proto := range protocols {
			t.Run(name+", "+proto, func(t *testing.T) {
				arrived := make(chan struct{})
				b := startRaw(t, func(c net.Conn, _ *http.Request) bool {
					io.WriteString(c, tc.text)
					if tc.reset {
						<-arrived // what is lost by a reset is the kernel's to say
						c.(*net.TCPConn).SetLinger(0)
					}
					return false
				})
				f := startFront(t, Config{}, b.address)
				res, err := f.web(proto).Do(request(t, http.MethodGet, f.URL, nil))
				if err != nil {
					t.Fatal(err) // the header has to arrive, or the client might ask again
				}
				defer res.Body.Close()
				if tc.reset {
					io.ReadFull(res.Body, make([]byte, 4))
					close(arrived)
				}
				if body, err := io.ReadAll(res.Body); err == nil {
					t.Errorf("%s %q looks whole", res.Status, body)
				}
				if n := b.requests.Load(); n != 1 {
					t.Errorf("asked %d times", n)
				}
			})
		}
	}
}
