//go:build integration

package repository

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// line is a TCP line to a server that can be cut, slowed down and taken away.
type line struct {
	listener net.Listener
	to       string
	down     atomic.Bool  // nobody is let in
	cutAfter atomic.Int64 // bytes to the server; 0: never; each cut is one
	cuts     atomic.Int64
	slow     atomic.Int64 // nanoseconds that each 64 KiB to the server take

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &line{listener: l, to: to, conns: make(map[net.Conn]bool)}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		group.Wait()
	})
	return p
}

func (p *line) url() string { return "http://" + p.listener.Addr().String() }

// cut ends all that goes on.
func (p *line) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *line) keep(c net.Conn) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		_ = c.Close()
	}
}

func (p *line) serve(c net.Conn) {
	defer p.keep(c)()
	if p.down.Load() {
		return
	}
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer p.keep(s)()
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = io.Copy(c, s)
		_ = c.Close()
	})
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if wait := time.Duration(p.slow.Load()); wait > 0 {
			time.Sleep(wait) // the line is slow, whatever the test does
		}
		if n > 0 {
			if left := p.cutAfter.Load(); left > 0 && p.cutAfter.Add(-int64(n)) <= 0 {
				p.cutAfter.Store(0)
				p.cuts.Add(1)
				n = int(min(left, int64(n))) // a part of it arrives
				err = io.EOF
			}
			if _, e := s.Write(b[:n]); e != nil {
				err = e
			}
		}
		if err != nil {
			break
		}
	}
	_ = s.Close()
	_ = c.Close()
	group.Wait()
}
