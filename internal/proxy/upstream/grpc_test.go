package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// startH2C runs a server that speaks HTTP/2 without TLS only.
func startH2C(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// A gRPC call's messages pass both ways as they come, with its trailer.
func TestGRPC(t *testing.T) {
	address := startH2C(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") != "127.0.0.1" || r.Header.Get("Te") != "trailers" || r.Header.Get("X-Real-Ip") == "6.6.6.6" ||
			r.Header.Get("Forwarded") == "" || len(r.Header.Get("X-Request-Id")) != 32 {
			t.Errorf("%v", r.Header)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		http.NewResponseController(w).Flush()
		buf := make([]byte, 1)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				break
			}
			w.Write(buf)
			http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	})
	f := startFront(t, Config{}, address)
	body, feed := io.Pipe()
	r := request(t, http.MethodPost, f.URL+"/service/Method", body)
	r.Header.Set("Content-Type", "application/grpc+proto")
	r.Header.Set("Te", "trailers")
	r.Header.Set("X-Real-Ip", "6.6.6.6")
	res, err := f.web("HTTP/2").Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := make([]byte, 1)
	for i := range 10 {
		feed.Write([]byte{byte(i)})
		if _, err := io.ReadFull(res.Body, got); err != nil || got[0] != byte(i) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	feed.Close()
	if _, err := io.ReadAll(res.Body); err != nil || res.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("trailer %v, %v", res.Trailer, err)
	}
}

func TestGRPCFailures(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedPort := ln.Addr().String()
	ln.Close()
	hangs := startH2C(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for name, tc := range map[string]struct {
		address string
		status  int
	}{
		"refused":     {closedPort, 503},
		"hangs":       {hangs, 504},
		"HTTP/1 only": {startRaw(t, says(hello)).address, 502},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Config{Answer: 100 * time.Millisecond}, tc.address)
			r := request(t, http.MethodPost, f.URL, http.NoBody)
			r.Header.Set("Content-Type", "application/grpc")
			if a := do(t, f.web("HTTP/2"), r); a.StatusCode != tc.status {
				t.Errorf("%s, %v", a.Status, <-f.errs)
			}
		})
	}
	t.Run("not by POST", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.ProtoMajor = 2
		r.Header.Set("Content-Type", "application/grpc")
		client := New(Config{})
		defer client.Close()
		if err := client.Forward(httptest.NewRecorder(), r, closedPort); !errors.Is(err, ErrRequest) {
			t.Errorf("error %v", err)
		}
	})
}

func TestIsGRPC(t *testing.T) {
	for kind, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;charset=x": true,
		"application/grpc-web": false, "application/json": false, "": false,
	} {
		for major, can := range map[int]bool{1: false, 2: true, 3: true} {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.ProtoMajor = major
			r.Header.Set("Content-Type", kind)
			if got := isGRPC(r); got != (want && can) {
				t.Errorf("%q over HTTP/%d: %v", kind, major, got)
			}
		}
	}
}
