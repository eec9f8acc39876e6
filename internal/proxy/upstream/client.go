package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

var (
	// ErrNotSent says that the backend has not seen the request: it was not connected to, or
	// not one byte was sent, or the request has no body and changes nothing and met a
	// connection that was being closed. Forward can be called again with the same request.
	ErrNotSent = errors.New("the request was not sent")
	// ErrTimeout says that the backend took longer than Config.Answer.
	ErrTimeout = errors.New("the backend did not answer in time")
	// ErrRequest says that the client's request is at fault: its body broke off, or it cannot
	// be said in HTTP/1.1.
	ErrRequest = errors.New("the request is not whole")
	// ErrLeft says that the client has left. A request's context does not tell that for
	// certain: net/http also ends it when the rest of a body is given up, which Forward does
	// when the backend fails meanwhile.
	ErrLeft = errors.New("the client has left")
)

// Config is what a Client is made of. Zero fields take the defaults named here.
type Config struct {
	// Dial is the longest one connection may take; default 2 s.
	Dial time.Duration
	// Answer is the longest a backend may take from the whole request to the header of its
	// answer, or to take in the next piece of a request's body; default 5 min. It is kept to
	// about an eighth. Answers' bodies have no time limit.
	Answer time.Duration
	// Continue is how long a client that expects "100 Continue" waits for the backend to say
	// so before its body is sent all the same; default 1 s.
	Continue time.Duration
	// Idle is how long an unused connection is kept; default 4 s, which is less than the 5 s
	// after which common application servers (Apache, Node) close theirs.
	Idle time.Duration
	// MaxIdlePerBackend is how many unused connections are kept per address; default 64.
	MaxIdlePerBackend int
	// MaxHeader is the largest header or trailer of an answer in bytes; default 256 KiB.
	MaxHeader int
	// Trusted reports whether a client is a proxy whose forwarding headers are to be believed
	// and added to; default: none is. It must not block.
	Trusted func(netip.Addr) bool
	// RequestID gives the X-Request-Id of a request that brings none from a trusted proxy;
	// default: a random one.
	RequestID func(*http.Request) string
	// Log takes, at debug level, why answers broke off; default: nothing is logged.
	Log *slog.Logger
	// DialContext connects to a backend; default: TCP by net.Dialer. It is bounded by Dial.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

func (c Config) withDefaults() Config {
	or(&c.Dial, 2*time.Second)
	or(&c.Answer, 5*time.Minute)
	or(&c.Continue, time.Second)
	or(&c.Idle, 4*time.Second)
	or(&c.MaxIdlePerBackend, 64)
	or(&c.MaxHeader, 256<<10)
	if c.RequestID == nil {
		c.RequestID = func(*http.Request) string { return randomID() }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.DialContext == nil {
		c.DialContext = (&net.Dialer{Timeout: c.Dial, KeepAlive: 30 * time.Second}).DialContext
	}
	return c
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Client forwards requests to backends and keeps connections to them. It may be used from any
// number of goroutines.
type Client struct {
	cfg   Config
	pool  pool
	large buffers
	grpc  *http.Transport
}

// New makes a Client. It has to be closed.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	c := &Client{cfg: cfg}
	c.pool.init(cfg.Idle, cfg.MaxIdlePerBackend)
	c.grpc = c.newGRPCTransport()
	return c
}

// Close gives up unused connections; others are when their request ends.
func (c *Client) Close() {
	c.pool.close()
	c.grpc.CloseIdleConnections()
}

// Forget gives up the unused connections to a backend, as whoever has its address may be another
// from now on, to whom they mean nothing: the first to be sent over one of them would be lost. Those
// of gRPC are given up for all backends; they are made anew.
func (c *Client) Forget(backend string) {
	if backend == "" {
		return
	}
	c.pool.forget(backend)
	c.grpc.CloseIdleConnections()
}

// Forward sends r to backend (address:port) and its answer to w.
//
// It returns nil once the answer is complete. An error means that nothing was written to w: of
// kind ErrNotSent (r can be forwarded again, its body is untouched or was put back), ErrTimeout,
// ErrRequest or ErrLeft; any other means that the backend failed. When the answer breaks off
// after its header went out it panics with http.ErrAbortHandler, so that the client can tell.
//
// A request for an upgrade (WebSocket; also by extended CONNECT, RFC 8441) that the backend
// grants is over when the connection is. gRPC over HTTP/2 or 3 is passed on over HTTP/2 without
// TLS.
func (c *Client) Forward(w http.ResponseWriter, r *http.Request, backend string) error {
	return c.ForwardUntil(w, r, backend, nil)
}

// ForwardUntil is Forward for what may last: when leave is closed an upgraded connection ends. A
// WebSocket is closed with status 1001 to both sides, which have 2 s to agree. Other requests go
// on.
func (c *Client) ForwardUntil(w http.ResponseWriter, r *http.Request, backend string, leave <-chan struct{}) error {
	if isGRPC(r) {
		return c.forwardGRPC(w, r, backend)
	}
	x := exchange{client: c, w: w, r: r, leave: leave}
	if err := x.plan(); err != nil {
		return err
	}
	return x.run(backend)
}

// dial makes a connection to backend.
func (c *Client) dial(ctx context.Context, backend string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Dial)
	defer cancel()
	nc, err := c.cfg.DialContext(ctx, "tcp", backend)
	if err != nil {
		return nil, &dialError{err}
	}
	return nc, nil
}

// dialError is a connection that was not made: whatever the request, nothing of it was sent.
type dialError struct{ err error }

func (e *dialError) Error() string        { return fmt.Sprintf("%v: %v", ErrNotSent, e.err) }
func (e *dialError) Unwrap() error        { return e.err }
func (e *dialError) Is(target error) bool { return target == ErrNotSent }
