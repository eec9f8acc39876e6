package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// requestHeader is what a browser says beside method, path and host, about.
var requestHeader = [][2]string{
	{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"accept-language", "en-GB,en;q=0.5"},
	{"accept-encoding", "gzip, deflate, br"},
	{"cookie", "session=0123456789abcdef0123456789abcdef"},
}

const requestPath = "/news/2026/article.html?page=2"

// http1 asks over keep-alive connections, one after the other.
type http1 struct {
	conns []*http1Conn
	next  int
	buf   [8 << 10]byte
}

type http1Conn struct {
	conn    *tls.Conn
	request []byte
}

// connectHTTP1 opens n connections, each to another host, beginning with the first of hosts.
func connectHTTP1(l *load, first, n int) (worker, error) {
	w := &http1{}
	for i := range n {
		host := l.hosts[(first+i)%len(l.hosts)]
		conn, err := l.dial(host, "http/1.1")
		if err != nil {
			w.close()
			return nil, err
		}
		w.conns = append(w.conns, &http1Conn{conn: conn, request: requestFor(host, true)})
	}
	return w, nil
}

// requestFor gives the bytes of a request.
func requestFor(host string, keep bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n", requestPath, host)
	for _, f := range requestHeader {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	if !keep {
		b.WriteString("Connection: close\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

func (w *http1) run(n int, times []time.Duration) ([]time.Duration, error) {
	for range n {
		c := w.conns[w.next]
		w.next = (w.next + 1) % len(w.conns)
		began := time.Now()
		if err := ask(c.conn, c.request, w.buf[:]); err != nil {
			return times, err
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}

func (w *http1) close() {
	for _, c := range w.conns {
		c.conn.NetConn().Close()
	}
}

// ask sends a request and reads its answer, which has to be the backend's to the last byte.
func ask(conn io.ReadWriter, request, buf []byte) error {
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	have := 0
	for whole := 0; whole == 0 || have < whole; {
		n, err := conn.Read(buf[have:])
		have += n
		if whole == 0 {
			if whole, err = answerSize(buf[:have]); err != nil {
				return err
			}
		} else if n == 0 && err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("read an answer: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		if whole > 0 && have >= whole && !bytes.Equal(buf[whole-bodySize:have], body) {
			return fmt.Errorf("another body than the backend's: %.200q", buf[:have])
		}
	}
	return nil
}

// answerSize gives the size of the answer whose beginning was read, 0 while its header is not
// whole.
func answerSize(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("not the answer that was asked for: %.200q", b)
	}
	for line := range bytes.SplitSeq(b[:end], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(": "))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		if n, err := strconv.Atoi(string(value)); err != nil || n != bodySize {
			break
		}
		return end + 4 + bodySize, nil
	}
	return 0, fmt.Errorf("not the size that was asked for: %.400q", b)
}
