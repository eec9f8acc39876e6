package upstream

import (
	"sync"
	"time"
)

// pool keeps connections that carry no request, the last used on top.
type pool struct {
	idle time.Duration
	most int // per backend

	mu     sync.Mutex
	conns  map[string]*stack
	timer  *time.Timer // runs sweep while anything is kept
	closed bool
}

// stack is the unused connections to one backend, the longest unused first.
type stack struct{ conns []*conn }

func (p *pool) init(idle time.Duration, most int) {
	p.idle, p.most = idle, most
	p.conns = make(map[string]*stack)
}

// take gives the connection to backend that was used last, or nil.
func (p *pool) take(backend string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.conns[backend]
	if s == nil || len(s.conns) == 0 {
		return nil
	}
	last := len(s.conns) - 1
	cn := s.conns[last]
	s.conns[last] = nil
	s.conns = s.conns[:last]
	return cn
}

// put keeps cn for the next request, or closes it.
func (p *pool) put(cn *conn, now time.Time) {
	cn.idleSince = now
	if !p.keep(cn) {
		cn.nc.Close()
	}
}

func (p *pool) keep(cn *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	s := p.conns[cn.backend]
	if s == nil {
		s = &stack{}
		p.conns[cn.backend] = s
	}
	if len(s.conns) >= p.most {
		return false
	}
	s.conns = append(s.conns, cn)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.idle/2, p.sweep)
	}
	return true
}

// sweep closes what was unused for too long, and runs again as long as anything is left.
func (p *pool) sweep() {
	for _, cn := range p.expired(time.Now().Add(-p.idle)) {
		cn.nc.Close()
	}
}

func (p *pool) expired(before time.Time) (old []*conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for backend, s := range p.conns {
		n := 0
		for n < len(s.conns) && !s.conns[n].idleSince.After(before) {
			n++
		}
		old = append(old, s.conns[:n]...)
		kept := copy(s.conns, s.conns[n:])
		clear(s.conns[kept:])
		s.conns = s.conns[:kept]
		if kept == 0 {
			delete(p.conns, backend)
		}
	}
	if p.timer = nil; len(p.conns) > 0 && !p.closed {
		p.timer = time.AfterFunc(p.idle/2, p.sweep)
	}
	return old
}

// forget closes the unused connections to a backend.
func (p *pool) forget(backend string) {
	p.mu.Lock()
	s := p.conns[backend]
	delete(p.conns, backend)
	p.mu.Unlock()
	if s == nil {
		return
	}
	for _, cn := range s.conns {
		cn.nc.Close()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, s := range p.conns {
		for _, cn := range s.conns {
			cn.nc.Close()
		}
	}
	clear(p.conns)
}
