package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// script is a backend's connection whose bytes are known: every request gets them.
type script struct {
	net.Conn
	in *strings.Reader
	n  int // bytes per read
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p[:min(len(p), s.n)]) }
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// ours gives the answer that this package makes of text, or an error.
func ours(method, text string, n int) (w *httptest.ResponseRecorder, left int, err error) {
	w = httptest.NewRecorder()
	client := New(Config{})
	defer client.Close()
	x := exchange{client: client, w: w, r: httptest.NewRequest(method, "http://acme.example/", nil)}
	s := &script{in: strings.NewReader(text), n: n}
	x.use(newConn(s, "backend", &client.large))
	cn := x.cn
	func() {
		defer func() {
			if v := recover(); v != nil {
				err = errors.New("broken off")
			}
		}()
		if err = x.attempt(); err == nil {
			left = s.in.Len() + cn.w - cn.r
		}
		x.drop()
	}()
	return w, left, err
}

// What net/http takes for a malformed answer is one here, and where both take an answer its
// status, header and body are the same, and end at the same byte.
func FuzzAnswer(f *testing.F) {
	for _, text := range malformedHeads {
		if len(text) < 1000 {
			f.Add(text, false, 7)
		}
	}
	for _, text := range []string{
		hello, hello + "more", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nhello", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5;a=b\r\nhello\r\n00\r\nX-A: b\r\n\r\nHTTP/1.1",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "HTTP/1.1 200 OK\r\nConnection: X-A, close\r\nX-A: b\r\n\r\nhello",
	} {
		f.Add(text, false, 1)
		f.Add(text, true, 100)
	}
	f.Fuzz(func(t *testing.T, text string, isHead bool, n int) {
		method := http.MethodGet
		if isHead {
			method = http.MethodHead
		}
		w, left, err := ours(method, text, min(max(n, 1), 1000))
		if err != nil || w.Code < 200 {
			return // refusing more than net/http does is fine
		}
		br := bufio.NewReader(strings.NewReader(text))
		var res *http.Response
		var body []byte
		for {
			if res, err = http.ReadResponse(br, &http.Request{Method: method}); err != nil {
				t.Fatalf("net/http refuses it: %v", err)
			}
			if body, err = io.ReadAll(res.Body); err != nil {
				t.Fatalf("net/http refuses its body: %v", err)
			}
			if res.StatusCode >= 200 {
				break
			}
		}
		if res.StatusCode != w.Code || !bytes.Equal(body, w.Body.Bytes()) {
			t.Fatalf("%d %q, net/http has %d %q", w.Code, w.Body, res.StatusCode, body)
		}
		rest, _ := io.ReadAll(br)
		if len(rest) != left && !res.Close {
			t.Fatalf("%d bytes left over, net/http has %d", left, len(rest))
		}
		named := strings.ToLower(strings.Join(res.Header.Values("Connection"), ","))
		for name, values := range w.Header() {
			if strings.HasPrefix(name, http.TrailerPrefix) || name == "Trailer" || res.Trailer[name] != nil || len(values) == 0 {
				continue
			}
			if got := res.Header.Values(name); strings.Join(got, "|") != strings.Join(values, "|") && !strings.Contains(named, "trailer") {
				t.Fatalf("%s: %q, net/http has %q", name, values, got)
			}
		}
	})
}
