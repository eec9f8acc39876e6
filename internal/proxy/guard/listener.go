package guard

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/proxy/origin"
)

// ListenerConfig is what a Listener is made of. Zero fields take the defaults named here.
type ListenerConfig struct {
	// TLS is what connections are secured with; nil: they are plain HTTP. HTTP/2 and HTTP/1.1
	// are added to its NextProtos where they are missing.
	TLS *tls.Config
	// ProxyProtocol are the peers that begin each connection with a PROXY header, version 1 or
	// 2. From them a connection without one is refused; nobody else's is looked for.
	ProxyProtocol origin.Prefixes
	// Trusted are peers that many clients come through: connections of one address are not
	// limited for them.
	Trusted origin.Prefixes
	// MaxConns is how many connections may be open at once, and MaxPerAddress how many of one
	// client address; 0: any number.
	MaxConns, MaxPerAddress int
	// Conns counts them, together for all listeners that are given the same; default: its own.
	Conns *Conns
	// Header is the longest a PROXY header, and a client's taking in of its part of the TLS
	// handshake, may take; default 10 s. The rest of the handshake counts as reading the first
	// request's header, for which http.Server.ReadHeaderTimeout holds.
	Header time.Duration
	// WriteStall is the longest a client may take in nothing of what is written to it before
	// the connection breaks off; it is kept to about a half. Default: for ever.
	WriteStall time.Duration
	// Refused is called with the reason of each connection or request refused here; it must
	// not block. Default: nothing.
	Refused func(Reason)
	// HandshakeFailed is called once for each TLS handshake that failed; it must not block.
	// Default: nothing.
	HandshakeFailed func()
	// Log takes, at debug level, why handshakes failed; default: nothing is logged.
	Log *slog.Logger
}

func (c ListenerConfig) withDefaults() ListenerConfig {
	if c.Header == 0 {
		c.Header = 10 * time.Second
	}
	if c.Conns == nil {
		c.Conns = new(Conns)
	}
	if c.HandshakeFailed == nil {
		c.HandshakeFailed = func() {}
	}
	if c.Refused == nil {
		c.Refused = func(Reason) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		protos := slices.Clone(c.TLS.NextProtos)
		for i, proto := range []string{"h2", "http/1.1"} {
			if !slices.Contains(protos, proto) {
				protos = slices.Insert(protos, min(i, len(protos)), proto)
			}
		}
		c.TLS.NextProtos = protos
	}
	return c
}

// Listener accepts connections for one http.Server, which has to be made fit by Attach and run
// with Serve (not ServeTLS). Each connection is counted until it is closed.
type Listener struct {
	inner net.Listener
	cfg   ListenerConfig
	conns *Conns
}

// NewListener makes a Listener of inner, which is closed with it.
func NewListener(inner net.Listener, cfg ListenerConfig) *Listener {
	cfg = cfg.withDefaults()
	return &Listener{inner: inner, cfg: cfg, conns: cfg.Conns}
}

// Addr is the address listened on.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close stops listening; connections stay open.
func (l *Listener) Close() error { return l.inner.Close() }

// Accept gives the next connection that the limits have room for. It waits for nothing that the
// client does.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.inner.Accept()
		if err != nil {
			return nil, err
		}
		c := newConn(l, inner)
		if open := l.conns.open.Add(1); l.cfg.MaxConns > 0 && open > int64(l.cfg.MaxConns) {
			c.refuse(ReasonConnections)
			continue
		}
		if !c.wire.awaited && !c.count() {
			continue
		}
		return c, nil
	}
}

// Attach makes srv fit for the connections of l: it has to be called before Serve, with srv's
// Handler set. ConnContext, ConnState and Handler of srv are kept and called as well.
func (l *Listener) Attach(srv *http.Server) {
	if l.cfg.TLS != nil {
		// The connection is no *tls.Conn to net/http, which therefore knows HTTP/2 on it by its
		// preface. A Conn lets that through only where HTTP/2 was agreed on by ALPN.
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	connContext, connState, handler := srv.ConnContext, srv.ConnState, srv.Handler
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, nc)
		}
		c, ok := nc.(*Conn)
		if !ok {
			return ctx
		}
		c.ctx = ctx
		return context.WithValue(ctx, connKey{}, c)
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if c, ok := nc.(*Conn); ok && state == http.StateHijacked {
			c.hijacked.Store(true)
		}
		if connState != nil {
			connState(nc, state)
		}
	}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r.Context()); c != nil && c.state != nil {
			r.TLS = c.state // also where an HTTP/2 client says :scheme http
		}
		handler.ServeHTTP(w, r)
	})
}

type connKey struct{}

// connOf gives the connection that a request came over, or nil for one that is not a Listener's.
func connOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// addrOf is the IP address in a, or an invalid one.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
