//go:build integration

package integration

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCrowd lets crowds of bad visitors in, one after the other, while a good one goes on. It is
// not parallel: what it measures is time.
func TestCrowd(t *testing.T) {
	needDescriptors(t, 12_000)
	w := newWorld(t)
	w.settings["proxy"] = "  header_timeout: 5s\n"
	w.up()
	w.create("acme")
	w.wantPage("acme.localhost", "tenant=acme")
	t.Run("ten thousand idle connections", w.idleCrowd)
	t.Run("two thousand slow clients", w.slowCrowd)
	t.Run("unknown names", w.strangers)
	t.Run("killed under load", w.killedUnderLoad)
}

// needDescriptors raises the limit of open files for this process and the daemon.
func needDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur, limit.Max = max(limit.Cur, n), max(limit.Max, n)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatalf("raise the limit of open files to %d: %v", n, err)
	}
}

// connect opens n connections, 32 at a time, and closes them at the end of the test.
func (w *world) connect(t *testing.T, n int, then func(net.Conn) error) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", w.https)
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		for _, c := range open {
			c.Close()
		}
	})
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				conn, err := net.DialTimeout("tcp", address, 30*time.Second)
				if err != nil {
					t.Errorf("connect: %v", err)
					return
				}
				mu.Lock()
				open = append(open, conn)
				mu.Unlock()
				if err := then(conn); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// goodVisitor expects a page in a time that a person does not mind.
func (w *world) goodVisitor(t *testing.T) {
	t.Helper()
	start := time.Now()
	w.wantPage("acme.localhost", "tenant=acme")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("a good visitor waited %s", took)
	}
}

// resident is the daemon's memory in bytes.
func (w *world) resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.pid()))
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func (w *world) idleCrowd(t *testing.T) {
	const n = 10_000
	cfg := w.trust(t)
	cfg.ServerName = "acme.localhost"
	before := w.resident(t)
	w.connect(t, n, func(raw net.Conn) error {
		conn := tls.Client(raw, cfg)
		if err := conn.HandshakeContext(t.Context()); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: acme.localhost\r\n\r\n"); err != nil {
			return err
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		return err
	})
	w.goodVisitor(t)
	each := (w.resident(t) - before) / n
	t.Logf("%d idle connections take %d bytes each", n, each)
	if each > 128<<10 { // with the garbage of the handshakes, which proxy.GCPercent lets lie
		t.Errorf("an idle connection takes %d bytes", each)
	}
}

func (w *world) slowCrowd(t *testing.T) {
	const n = 2000
	cfg := w.trust(t)
	cfg.ServerName = "acme.localhost"
	var mu sync.Mutex
	var slow []*tls.Conn
	w.connect(t, n, func(raw net.Conn) error {
		conn := tls.Client(raw, cfg)
		if err := conn.HandshakeContext(t.Context()); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		mu.Lock()
		slow = append(slow, conn)
		mu.Unlock()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: acme.lo") // and nothing more
		return err
	})
	w.goodVisitor(t)
	start := time.Now()
	for _, conn := range slow {
		if err := conn.SetReadDeadline(start.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
			t.Fatalf("a slow client was not given up: %v", err)
		}
	}
	t.Logf("all %d were given up after %s more", n, time.Since(start))
}

func (w *world) strangers(t *testing.T) {
	count := func() (n int) {
		_ = filepath.Walk(filepath.Join(w.dir, "data", "certificates"), func(string, os.FileInfo, error) error { n++; return nil })
		return n
	}
	before := count()
	var next atomic.Int64
	w.connect(t, 2000, func(raw net.Conn) error {
		conn := tls.Client(raw, &tls.Config{ServerName: fmt.Sprintf("x%d.example", next.Add(1)), InsecureSkipVerify: true})
		if err := conn.HandshakeContext(t.Context()); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		return conn.Close()
	})
	w.goodVisitor(t)
	if after := count(); after != before {
		t.Errorf("%d files of certificates, there were %d", after, before)
	}
}

// killedUnderLoad: requests in the gap are refused, none is answered wrongly.
func (w *world) killedUnderLoad(t *testing.T) {
	var stop atomic.Bool
	var good, refused atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				status, body := w.strangersPage("acme.localhost")
				switch {
				case status == http.StatusOK && strings.Contains(body, "tenant=acme"):
					good.Add(1)
				case status == 0: // no connection, or one that broke off
					refused.Add(1)
					time.Sleep(10 * time.Millisecond)
				default:
					t.Errorf("%d %q", status, body)
				}
			}
		})
	}
	for range 3 {
		had := good.Load()
		eventually(t, time.Minute, "visitors are served", func() bool { return good.Load() > had+50 })
		w.daemon.kill()
		gap := refused.Load()
		eventually(t, time.Minute, "visitors are refused", func() bool { return refused.Load() > gap })
		w.start()
	}
	had := good.Load()
	eventually(t, time.Minute, "visitors are served again", func() bool { return good.Load() > had+50 })
	stop.Store(true)
	wg.Wait()
	t.Logf("%d good answers, %d refused", good.Load(), refused.Load())
}
