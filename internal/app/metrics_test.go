package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A metrics port that is taken, by a daemon that is being replaced or by a stranger, is had as
// soon as it is free.
func TestMetricsServer(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	handler, err := newMetrics("1.2.3", log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	bound, ended := make(chan net.Addr), make(chan struct{})
	m := &metricsServer{
		address: taken.Addr().String(), handler: handler, log: log, again: time.Millisecond,
		bound: func(a net.Addr) { bound <- a },
	}
	go func() { m.Run(ctx); close(ended) }()
	select {
	case <-bound:
		t.Fatal("it listens where another does")
	case <-time.After(20 * time.Millisecond):
	}
	taken.Close()
	url := "http://" + (<-bound).String()
	for path, want := range map[string]int{"/metrics": 200, "/": 404} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want {
			t.Errorf("%s: %s, %v", path, res.Status, err)
		}
		for _, part := range []string{`lxdfleet_info{version="1.2.3"} 1`, "go_goroutines ", "process_open_fds "} {
			if want == 200 && !strings.Contains(string(body), part) {
				t.Errorf("%s is missing", part)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	<-ended
	if n := strings.Count(said.String(), "cannot be served"); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, said.String())
	}
}

func TestMetricsServerEndsWhileItWaits(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := &metricsServer{address: taken.Addr().String(), log: slog.New(slog.DiscardHandler), again: time.Hour}
	m.Run(ctx)
}
