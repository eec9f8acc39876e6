package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// BenchmarkServe is a request over TLS, HTTP/1.1 and a connection that is kept, from a client
// and to a backend that cost little. cpu-ns/op is the time of all three on the processor.
func BenchmarkServe(b *testing.B) {
	b.Run("HTTP/1.1", func(b *testing.B) {
		backend := cheapBackend(b, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1024\r\n\r\n"+strings.Repeat("x", 1024))
		s, err := New(b.Context(), Config{HTTPS: "127.0.0.1:0", HTTP: "off", Storage: &certmagic.FileStorage{Path: b.TempDir()}})
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve() }()
		b.Cleanup(func() {
			if err := s.Shutdown(b.Context()); err != nil {
				b.Log(err)
			}
			<-done
		})
		s.Router().Publish([]fleet.Route{{Domain: "acme.example", Tenant: "acme", State: fleet.RouteServe, Backend: backend}})
		conn, err := tls.Dial("tcp", s.HTTPSAddr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "acme.example"})
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		request := []byte("GET /index.php?a=b HTTP/1.1\r\nHost: acme.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
			"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nCookie: session=0123456789abcdef\r\n\r\n")
		r := bufio.NewReaderSize(conn, 16<<10)
		ask := func() {
			if _, err := conn.Write(request); err != nil {
				b.Fatal(err)
			}
			if err := skipAnswer(r); err != nil {
				b.Fatal(err)
			}
		}
		for range 1000 {
			ask()
		}
		b.ReportAllocs()
		before := cpuTime(b)
		b.ResetTimer()
		for range b.N {
			ask()
		}
		b.StopTimer()
		b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	})
}

// skipAnswer reads an answer of 1,024 bytes.
func skipAnswer(r *bufio.Reader) error {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.HasPrefix(string(line), "HTTP/1.1 200 "):
			return fmt.Errorf("answer %q", line)
		case len(line) == 2:
			_, err := io.CopyN(io.Discard, r, 1024)
			return err
		}
	}
}

func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// cheapBackend answers each request with the same bytes.
func cheapBackend(b *testing.B, answer string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	b.Cleanup(func() { ln.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				buf, whole := make([]byte, 4<<10), []byte(answer)
				for {
					if n, err := conn.Read(buf); err != nil || !strings.HasSuffix(string(buf[:n]), "\r\n\r\n") {
						return
					}
					if _, err := conn.Write(whole); err != nil {
						return
					}
				}
			})
		}
	})
	return ln.Addr().String()
}
