package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"
)

// forwarder carries a request to a backend and its answer back. It is the one piece that knows
// how; everything else (hosts, gates, retries, pages) is around it.
type forwarder interface {
	// forward sends r to backend (address:port) and the answer to w.
	//
	// It returns nil once the answer is complete. An error means that nothing was written to
	// w: errNotSent (wrapped) that not one byte of r was sent either and r can be forwarded
	// again; errTimeout that the backend took too long; errRequest that the client's request
	// broke off; others that the backend failed. When the answer breaks off after its header
	// went out it panics with http.ErrAbortHandler, so that the client can tell.
	forward(w http.ResponseWriter, r *http.Request, backend string) error
	// close gives up idle connections.
	close()
}

var (
	errNotSent = errors.New("the request was not sent")
	errTimeout = errors.New("the backend did not answer in time")
	errRequest = errors.New("the request's body broke off")
)

// transportForwarder forwards by the standard library's reverse proxy and transport.
type transportForwarder struct {
	transport *http.Transport
	buffers   bufferPool
	log       *slog.Logger
}

// backendIdle is how long an unused connection to a backend is kept: less than the 5 s after
// which common application servers (Apache, Node) close theirs, so that a request hardly ever
// meets a connection that is just being closed.
const backendIdle = 4 * time.Second

func newForwarder(cfg Config) *transportForwarder {
	dialer := &net.Dialer{Timeout: cfg.Dial, KeepAlive: 30 * time.Second}
	return &transportForwarder{
		log: cfg.Log,
		transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, &dialError{err}
				}
				return conn, nil
			},
			DisableCompression:     true, // bodies pass as they are
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        backendIdle,
			ResponseHeaderTimeout:  cfg.Answer,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: 256 << 10,
			ReadBufferSize:         8 << 10,
			WriteBufferSize:        8 << 10,
		},
	}
}

// dialError is a connection that was not made: whatever the request, nothing of it was sent.
type dialError struct{ err error }

func (e *dialError) Error() string        { return e.err.Error() }
func (e *dialError) Unwrap() error        { return e.err }
func (e *dialError) Is(target error) bool { return target == errNotSent }

func (f *transportForwarder) close() { f.transport.CloseIdleConnections() }

func (f *transportForwarder) forward(w http.ResponseWriter, r *http.Request, backend string) (err error) {
	var body *clientBody
	if r.Body != nil && r.Body != http.NoBody {
		body = &clientBody{ReadCloser: r.Body}
		own := *r
		own.Body = body
		r = &own
	}
	proxy := httputil.ReverseProxy{
		Rewrite:       func(pr *httputil.ProxyRequest) { rewrite(pr, backend) },
		Transport:     f.transport,
		FlushInterval: -1, // every write at once: events, slow pages, WebSockets
		BufferPool:    &f.buffers,
		ErrorLog:      slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
		ErrorHandler:  func(_ http.ResponseWriter, _ *http.Request, e error) { err = e },
	}
	proxy.ServeHTTP(w, r)
	if err == nil || errors.Is(err, errNotSent) {
		return err
	}
	var timeout net.Error
	switch {
	case body != nil && body.broken.Load():
		return errors.Join(errRequest, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.Join(errTimeout, err)
	}
	return err
}

// forgeable are headers that applications trust a proxy for. A client's own are removed; the
// X-Forwarded-For, -Host, -Proto and Forwarded ones are by ReverseProxy.
var forgeable = [...]string{
	"X-Real-Ip", "X-Client-Ip", "X-Forwarded-Port", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Server",
	"X-Forwarded-Prefix", "X-Original-Url", "X-Rewrite-Url", "X-Url-Scheme", "Front-End-Https", "Proxy",
}

// rewrite makes the request for the backend: the same request line and Host, hop-by-hop headers
// gone, forwarding headers made anew.
func rewrite(pr *httputil.ProxyRequest, backend string) {
	pr.Out.URL.Scheme = "http"
	pr.Out.URL.Host = backend
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as sent, also where Go cannot parse it
	pr.Out.Host = pr.In.Host
	pr.Out.Trailer = pr.In.Trailer // filled while the body is read
	for _, name := range forgeable {
		delete(pr.Out.Header, name)
	}
	pr.SetXForwarded()
	pr.Out.Header.Set("X-Real-Ip", pr.Out.Header.Get("X-Forwarded-For"))
}

// clientBody tells a client that broke off from a backend that did. Closing it is left to the
// server: ReverseProxy keeps the transport's Close away from it, which comes also when a
// connection was refused and the body is still wanted for the next attempt.
type clientBody struct {
	io.ReadCloser
	broken atomic.Bool // reading from the client failed
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.broken.Store(true)
	}
	return n, err
}

// bufferPool lends the buffers that answers are copied through.
type bufferPool struct{ pool sync.Pool }

const copyBuffer = 32 << 10

func (b *bufferPool) Get() []byte {
	if p, ok := b.pool.Get().(*[copyBuffer]byte); ok {
		return p[:]
	}
	return make([]byte, copyBuffer)
}

func (b *bufferPool) Put(p []byte) { b.pool.Put((*[copyBuffer]byte)(p)) }
