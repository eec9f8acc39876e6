package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"
)

// isGRPC reports whether r is a gRPC call, which only HTTP/2 can carry on to the backend.
func isGRPC(r *http.Request) bool {
	if r.ProtoMajor < 2 {
		return false
	}
	kind, ok := strings.CutPrefix(r.Header.Get("Content-Type"), "application/grpc")
	return ok && (kind == "" || kind[0] == '+' || kind[0] == ';')
}

// newGRPCTransport speaks HTTP/2 without TLS to backends.
func (c *Client) newGRPCTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return c.dial(ctx, address)
		},
		DisableCompression:     true,
		IdleConnTimeout:        c.cfg.Idle,
		ResponseHeaderTimeout:  c.cfg.Answer,
		MaxResponseHeaderBytes: int64(c.cfg.MaxHeader),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// forwardGRPC is Forward for gRPC. It is long-lived streams rather than many requests, so that
// the standard library's reverse proxy is good enough.
func (c *Client) forwardGRPC(w http.ResponseWriter, r *http.Request, backend string) (err error) {
	if r.Method != http.MethodPost {
		return fmt.Errorf("%w: gRPC is by POST", ErrRequest)
	}
	body := &watchedBody{ReadCloser: r.Body}
	own := *r
	own.Body = body
	proxy := httputil.ReverseProxy{
		Rewrite:       func(pr *httputil.ProxyRequest) { c.rewriteGRPC(pr, backend) },
		Transport:     c.grpc,
		FlushInterval: -1, // messages at once
		ErrorLog:      slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug),
		ErrorHandler:  func(_ http.ResponseWriter, _ *http.Request, e error) { err = e },
	}
	proxy.ServeHTTP(w, &own)
	var timeout net.Error
	switch {
	case err == nil || errors.Is(err, ErrNotSent):
		return err
	case body.broke.Load():
		return fmt.Errorf("%w: %w", ErrRequest, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// rewriteGRPC makes the request for the backend the way appendHead does.
func (c *Client) rewriteGRPC(pr *httputil.ProxyRequest, backend string) {
	out := pr.Out
	out.URL.Scheme, out.URL.Host = "http", backend
	out.URL.RawQuery = pr.In.URL.RawQuery
	out.Host = pr.In.Host
	out.Trailer = pr.In.Trailer // filled while the body is read
	who := c.clientOf(pr.In)
	for name := range out.Header {
		if name != "Te" && removes(name, who.Trusted) {
			delete(out.Header, name)
		}
	}
	if who.address != "" {
		out.Header.Set("X-Forwarded-For", who.chain())
		out.Header.Set("X-Real-Ip", who.real())
	}
	out.Header.Set("X-Forwarded-Host", who.Host)
	out.Header.Set("X-Forwarded-Proto", who.Scheme)
	out.Header.Set("X-Request-Id", c.requestID(&who))
	out.Header.Set("Forwarded", string(who.appendForwarded(nil)))
}

// watchedBody tells a client that broke off from a backend that did. Closing it is left to the
// server, because the body may be wanted for another attempt.
type watchedBody struct {
	io.ReadCloser
	broke atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.broke.Store(true)
	}
	return n, err
}

// Close does nothing.
func (b *watchedBody) Close() error { return nil }
