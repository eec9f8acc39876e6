package guard

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limited answers as a proxy would, and says what became of the body.
func limited(limits BodyLimits) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if refused := Limit(w, r, limits); refused != nil {
			Abandon(w, r)
			w.WriteHeader(refused.Status)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		var large *http.MaxBytesError
		switch {
		case errors.Is(err, ErrSlow):
			w.WriteHeader(http.StatusRequestTimeout)
		case errors.As(err, &large):
			Abandon(w, r)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
	}
}

func TestBodyTooLarge(t *testing.T) {
	s := serve(t, ListenerConfig{}, limited(BodyLimits{Max: 10}), nil)
	for name, tc := range map[string]struct {
		raw  string
		want int
	}{
		"known, as large as may be":   {"Content-Length: 10\r\n\r\n0123456789", 200},
		"known, too large":            {"Content-Length: 11\r\n\r\n", 413}, // before it comes
		"known, far too large":        {"Content-Length: 999999999999\r\n\r\n", 413},
		"chunked, as large as may be": {"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", 200},
		"chunked, too large":          {"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890\r\n", 413}, // before its end
		"none":                        {"\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial()
			say(t, conn, "POST / HTTP/1.1\r\nHost: a.example\r\n"+tc.raw, 0)
			if code, _ := status(t, bufio.NewReader(conn)); code != tc.want {
				t.Errorf("%d", code)
			}
		})
	}
}

func TestSlowBody(t *testing.T) {
	quick := BodyLimits{MinRate: 1 << 20, Grace: 50 * time.Millisecond, Stall: 50 * time.Millisecond}
	s := serve(t, ListenerConfig{}, limited(quick), nil)
	t.Run("stalls", func(t *testing.T) {
		conn := s.dial()
		say(t, conn, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n01234", 0)
		if code, _ := status(t, bufio.NewReader(conn)); code != 408 {
			t.Errorf("%d", code)
		}
		ended(t, conn)
	})
	t.Run("trickles", func(t *testing.T) {
		conn := s.dial()
		say(t, conn, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n", 0)
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for tick := time.NewTicker(time.Millisecond); ; {
				select {
				case <-stop:
					tick.Stop()
					return
				case <-tick.C:
					_, _ = conn.Write([]byte("x")) // fails once it is refused
				}
			}
		}()
		code, _ := status(t, bufio.NewReader(conn))
		close(stop)
		<-done
		if code != 408 {
			t.Errorf("%d", code)
		}
	})
	t.Run("gRPC may", func(t *testing.T) {
		conn := s.dial()
		say(t, conn, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/grpc\r\nContent-Length: 2\r\n\r\n1", 0)
		time.Sleep(200 * time.Millisecond) // what is looked at is that nothing happens
		say(t, conn, "2", 0)
		if code, body := status(t, bufio.NewReader(conn)); code != 200 || body != "2" {
			t.Errorf("%d %s", code, body)
		}
	})
	t.Run("a connection is used again", func(t *testing.T) {
		patient := serve(t, ListenerConfig{}, limited(BodyLimits{Grace: patience, Stall: patience}), nil)
		conn := patient.dial()
		r := bufio.NewReader(conn)
		for range 3 {
			say(t, conn, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n01234", 0)
			say(t, conn, "56789", 0)
			if code, body := status(t, r); code != 200 || body != "10" {
				t.Fatalf("%d %s", code, body)
			}
		}
	})
}

// The time a backend takes is not held against the client.
func TestSlowReaderIsNotASlowBody(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("0123"), strings.NewReader("4567")))
	Limit(httptest.NewRecorder(), r, BodyLimits{MinRate: 1 << 20, Grace: 20 * time.Millisecond, Stall: 20 * time.Millisecond})
	buf := make([]byte, 1)
	for i := range 8 {
		time.Sleep(10 * time.Millisecond)
		if n, err := r.Body.Read(buf); n != 1 || err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLimitLeavesAlone(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"no body": httptest.NewRequest(http.MethodGet, "/", nil),
		"tunnel":  httptest.NewRequest(http.MethodConnect, "https://a.example/", strings.NewReader("x")),
	} {
		before := r.Body
		if refused := Limit(nil, r, BodyLimits{Max: 1}); refused != nil || r.Body != before {
			t.Errorf("%s: %v", name, refused)
		}
	}
}
