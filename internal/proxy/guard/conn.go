package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a connection of a Listener. Its first Read does what is to be done before a request:
// the PROXY header and the TLS handshake. As with any net.Conn one goroutine may read while
// another writes.
type Conn struct {
	l    *Listener
	wire *wire
	tls  *tls.Conn // nil: plain
	top  net.Conn  // tls or wire: what requests are read from
	ctx  context.Context

	// Known once ready, before the first request:
	addr    netip.Addr // of the client
	state   *tls.ConnectionState
	ready   bool
	bad     error // what every further Read gives
	http2   bool
	preface int // bytes of HTTP/2's preface seen
	inspect inspector

	mu      sync.Mutex
	closed  bool
	counted bool // by the address in key
	key     clientKey

	hijacked atomic.Bool // what is read is no HTTP any longer
	answered atomic.Bool // with 400, which the client is to see

	ahead      ahead
	writeBy    atomic.Int64 // the write deadline set for WriteStall, Unix ns; 0: none
	writeOther atomic.Bool  // somebody else's write deadline is set
}

func newConn(l *Listener, inner net.Conn) *Conn {
	w := &wire{Conn: inner, limit: l.cfg.Header}
	c := &Conn{l: l, wire: w, top: w, addr: addrOf(inner.RemoteAddr()), ctx: context.Background()}
	w.awaited = l.cfg.ProxyProtocol.Contains(c.addr)
	if l.cfg.TLS != nil {
		c.tls = tls.Server(w, l.cfg.TLS)
		c.top = c.tls
	}
	return c
}

// count counts the connection to its client's address, or refuses it.
func (c *Conn) count() bool {
	limit := c.l.cfg.MaxPerAddress
	if limit == 0 || !c.addr.IsValid() || c.wire.health || c.l.cfg.Trusted.Contains(c.addr) {
		return true
	}
	c.mu.Lock()
	key, closed := keyOf(c.addr), c.closed
	room := !closed && c.l.conns.enter(key, limit)
	if room {
		c.key, c.counted = key, true
	}
	c.mu.Unlock()
	if !room && !closed {
		c.refuse(ReasonAddress)
	}
	return room
}

func (c *Conn) refuse(why Reason) {
	c.l.cfg.Refused(why)
	c.close(c.wire.reset)
}

// Close closes the connection. It may be called more than once.
func (c *Conn) Close() error {
	if c.answered.Load() {
		return c.close(c.linger)
	}
	return c.close(c.top.Close)
}

// A connection that was answered with 400 is read on for a little: closing it with bytes unread
// would reset it, and take the answer away from the client.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

func (c *Conn) linger() error {
	if c.CloseWrite() == nil && c.wire.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.wire, lingerBytes) // whatever ends it, it is closed
	}
	return c.wire.Close()
}

func (c *Conn) close(how func() error) error {
	c.mu.Lock()
	closed, counted := c.closed, c.counted
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	err := how()
	c.l.conns.open.Add(-1)
	if counted {
		c.l.conns.leave(c.key)
	}
	return err
}

// CloseWrite ends what is written, and lets the client go on until it has read that.
func (c *Conn) CloseWrite() error {
	if half, ok := c.top.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	if half, ok := c.wire.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// RemoteAddr is the client's address. It waits for the PROXY header where one is awaited.
func (c *Conn) RemoteAddr() net.Addr {
	_ = c.wire.header() // a Read tells
	return c.wire.RemoteAddr()
}

// LocalAddr is the address the client came to. It waits as RemoteAddr does.
func (c *Conn) LocalAddr() net.Addr {
	_ = c.wire.header()
	return c.wire.LocalAddr()
}

// Read gives what the client sends, unless it is what no client should send: then an error that
// makes net/http answer 400.
func (c *Conn) Read(p []byte) (int, error) {
	if !c.ready {
		c.ready = true
		c.bad = c.prepare()
	}
	if c.bad != nil {
		return 0, c.bad
	}
	// A read of one byte without a deadline is net/http's reading ahead, or one that can wait as well.
	if len(p) == 1 && !c.http2 && !c.hijacked.Load() && !c.ahead.wait() {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := c.top.Read(p)
	if n <= 0 || c.hijacked.Load() {
		return n, err
	}
	if c.http2 {
		if c.preface < len(preface) {
			n, c.bad = c.checkPreface(p[:n])
		}
	} else {
		n, c.bad = c.inspect.feed(p[:n])
	}
	if c.bad != nil {
		c.l.cfg.Refused(ReasonShape)
		c.answered.Store(true)
		if n == 0 {
			return 0, c.bad
		}
		return n, nil
	}
	return n, err
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// checkPreface keeps HTTP/1, which would not be inspected, off a connection for HTTP/2.
func (c *Conn) checkPreface(p []byte) (int, error) {
	for i := range min(len(p), len(preface)-c.preface) {
		if p[i] != preface[c.preface] {
			return 0, errPreface
		}
		c.preface++
	}
	return len(p), nil
}

// prepare reads the PROXY header and does the handshake. An error of it is io.EOF, which net/http
// does not answer.
func (c *Conn) prepare() error {
	if err := c.wire.header(); err != nil {
		c.l.cfg.Log.Debug("connection refused", "client", c.addr, "error", err)
		c.refuse(ReasonProxyHeader)
		return io.EOF
	}
	if c.wire.awaited {
		c.addr = addrOf(c.wire.RemoteAddr())
		if !c.count() {
			return io.EOF
		}
	}
	if c.tls == nil {
		return nil
	}
	if err := c.handshake(); err != nil {
		c.l.cfg.HandshakeFailed()
		c.l.cfg.Log.Debug("TLS handshake failed", "client", c.addr, "error", err)
		return io.EOF
	}
	state := c.tls.ConnectionState()
	c.state = &state
	switch state.NegotiatedProtocol {
	case "h2":
		c.http2 = true
	case "", "http/1.1", "http/1.0":
	default: // a certificate authority's check, over with the handshake
		return io.EOF
	}
	return nil
}

func (c *Conn) handshake() error {
	_ = c.wire.SetWriteDeadline(time.Now().Add(c.l.cfg.Header)) // an error shows in the write
	err := c.tls.HandshakeContext(c.ctx)
	_ = c.wire.SetWriteDeadline(time.Time{})
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && e.Conn != nil && looksLikeHTTP(e.RecordHeader) {
		_, _ = io.WriteString(e.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n"+
			"This port speaks HTTPS; the request came as plain HTTP.\n")
	}
	return err
}

func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
