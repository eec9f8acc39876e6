package guard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAheadWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		off  time.Duration // when it is called off; 0: never
		want bool
	}{
		"as long as it takes": {0, true},
		"until called off":    {aheadAfter / 2, false},
		"at the last moment":  {aheadAfter, true}, // either is right; the next wait is not disturbed
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a ahead
				for range 3 {
					start := time.Now()
					var calling sync.WaitGroup
					off := false
					if tc.off > 0 {
						calling.Go(func() { time.Sleep(tc.off); off = !a.limit(true, true) })
					}
					got := a.wait()
					took := time.Since(start)
					calling.Wait()
					a.limit(false, false)
					if got == off || tc.off != aheadAfter && got != tc.want {
						t.Errorf("waited %t after %s, called off %t", got, took, off)
					}
					if want := tc.off; !got && took != want || got && took != aheadAfter {
						t.Errorf("%t after %s", got, took)
					}
				}
			})
		})
	}
}

// A client that leaves while its request is being answered is noticed, soon after it looks.
func TestLeavingClientIsNoticed(t *testing.T) {
	left := make(chan time.Duration, 1)
	s := serve(t, ListenerConfig{}, func(_ http.ResponseWriter, r *http.Request) {
		start := time.Now()
		select {
		case <-r.Context().Done():
			left <- time.Since(start)
		case <-time.After(time.Minute):
			left <- time.Minute
		}
	}, nil)
	conn := s.dial()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: acme.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if took := <-left; took == time.Minute {
		t.Error("not noticed")
	}
}

// Answers that are quicker and slower than that follow each other on one connection, with
// requests in one piece, pipelined, and with bodies.
func TestQuickAndSlowAnswers(t *testing.T) {
	s := serve(t, ListenerConfig{}, func(w http.ResponseWriter, r *http.Request) {
		d, _ := time.ParseDuration(r.FormValue("d"))
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			t.Errorf("given up: %v", context.Cause(r.Context()))
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s", r.FormValue("n"), body)
	}, nil)
	conn := s.dial()
	in := bufio.NewReader(conn)
	n := 0
	for range 20 {
		for _, d := range []time.Duration{0, aheadAfter / 2, aheadAfter, aheadAfter + aheadAfter/10, 2 * aheadAfter} {
			var requests strings.Builder
			for range 2 {
				n++
				fmt.Fprintf(&requests, "POST /?n=%d&d=%s HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 3\r\n\r\nabc", n, d)
				n++
				fmt.Fprintf(&requests, "GET /?n=%d&d=%s HTTP/1.1\r\nHost: acme.example\r\n\r\n", n, d)
			}
			if _, err := io.WriteString(conn, requests.String()); err != nil {
				t.Fatal(err)
			}
			for i := n - 3; i <= n; i++ {
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				want := fmt.Sprintf("%d ", i)
				if i%2 == 1 {
					want += "abc"
				}
				if err != nil || string(body) != want {
					t.Fatalf("%q, %v; want %q", body, err, want)
				}
			}
		}
	}
}
