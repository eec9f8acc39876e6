//go:build integration

package integration

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestHandOver replaces the daemon by a successor again and again while visitors come, a tenant
// is made and another is restarted: nobody sees an error.
func TestHandOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	w.create("globex")
	w.wantPage("acme.localhost", "tenant=acme") // its certificate is there
	var stop atomic.Bool
	var requests, connections atomic.Int64
	var visitors sync.WaitGroup
	for range 4 {
		visitors.Go(func() { w.visit(&stop, &requests, &connections) })
	}
	pids := []int{w.pid()}
	for i := range 3 {
		job := w.submit(http.MethodPost, "/v1/tenants", map[string]any{
			"name": fmt.Sprintf("new%d", i), "image": "tiny", "domains": []string{fmt.Sprintf("new%d.localhost", i)},
		})
		pids = append(pids, w.renew())
		// A restart is a moment in which requests are held, here by two processes.
		w.must("tenant", "restart", "acme")
		w.done(job)
	}
	stop.Store(true)
	visitors.Wait()
	t.Logf("%d requests over %d connections while processes %v followed each other", requests.Load(), connections.Load(), pids)
	if requests.Load() < 100 {
		t.Errorf("only %d requests", requests.Load())
	}
	for i := range 3 {
		w.wantPage(fmt.Sprintf("new%d.localhost", i), "tenant=new")
	}
	// The last one ends like any daemon, and another can start.
	w.daemon.stop()
	if _, err := os.Stat(w.socket()); err == nil {
		t.Error("the socket is left")
	}
	w.start()
	w.wantPage("globex.localhost", "tenant=globex")
}

// A program that does not start, or a configuration that is not right, changes nothing.
func TestHandOverThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	good, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.configFile(), append(good, "nonsense: true\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	before := w.pid()
	w.daemon.signal(syscall.SIGHUP)
	eventually(t, 30*time.Second, "the log says why", func() bool {
		return strings.Contains(w.daemon.log.tail(50), "not replaced") && strings.Contains(w.daemon.log.tail(50), "nonsense")
	})
	if err := os.WriteFile(w.configFile(), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if w.pid() != before || !w.answers() {
		t.Errorf("process %d, was %d", w.pid(), before)
	}
	w.wantPage("acme.localhost", "tenant=acme")
	w.must("tenant", "restart", "acme")
}

// pid is the process id the daemon has written.
func (w *world) pid() int {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "data", "lxdfleet.pid"))
	if err != nil {
		w.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	return pid
}

// renew has the daemon replaced and gives the successor's process id.
func (w *world) renew() int {
	w.t.Helper()
	before := w.pid()
	w.daemon.signal(syscall.SIGHUP)
	eventually(w.t, 3*time.Minute, "a successor has taken over", func() bool { return w.pid() != before })
	w.daemon.heir = w.pid()
	eventually(w.t, time.Minute, "it answers", w.answers)
	return w.daemon.heir
}

// visit fetches acme's page until told to stop, on one connection for as long as it is kept. No
// request is sent twice, as a browser might.
func (w *world) visit(stop *atomic.Bool, requests, connections *atomic.Int64) {
	for !stop.Load() {
		conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.https), &tls.Config{ServerName: "acme.localhost", InsecureSkipVerify: true})
		if err != nil {
			w.t.Errorf("connect: %v", err)
			return
		}
		connections.Add(1)
		in := bufio.NewReader(conn)
		for stay := true; stay && !stop.Load(); {
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: acme.localhost\r\n\r\n")
			if err != nil {
				w.t.Errorf("send: %v", err)
				break
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				w.t.Errorf("answer: %v", err)
				break
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "tenant=acme") {
				w.t.Errorf("%s %q %v", res.Status, body, err)
			}
			requests.Add(1)
			stay = !res.Close
			time.Sleep(2 * time.Millisecond) // bounded: about 500 requests a second
		}
		conn.Close()
	}
}

// Requests of a held tenant are held again by a daemon that was killed and started.
func TestHoldOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	w.wantPage("acme.localhost", "tenant=acme")
	w.must("tenant", "hold", "acme", "--reason", "backup")
	w.daemon.kill()
	w.start()
	answered := make(chan string, 1)
	go func() {
		_, body := w.page("acme.localhost")
		answered <- body
	}()
	select {
	case body := <-answered:
		t.Errorf("answered while held: %q", body)
	case <-time.After(2 * time.Second):
	}
	w.must("tenant", "resume", "acme", "--reason", "backup")
	select {
	case body := <-answered:
		if !strings.Contains(body, "tenant=acme") {
			t.Errorf("%q", body)
		}
	case <-time.After(20 * time.Second):
		t.Error("not let go")
	}
}
