package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/time/rate"
)

// unprovenPerSecond is how many connections may begin in a second before clients have to prove
// their address by a second round trip (RFC 9000, section 8.1.2): a flood with made-up addresses
// then costs a packet each and no handshake.
const unprovenPerSecond = 200

// http3Server serves HTTP/3 on one UDP socket.
type http3Server struct {
	server    *http3.Server
	transport *quic.Transport
	listener  *quic.EarlyListener
	socket    net.PacketConn
	tls       *tls.Config
	quic      *quic.Config
	inflight  atomic.Int64 // requests being answered
}

// newHTTP3 prepares HTTP/3 on socket, which it closes at its end.
func (s *Server) newHTTP3(socket net.PacketConn) *http3Server {
	unproven := rate.NewLimiter(unprovenPerSecond, unprovenPerSecond)
	h := &http3Server{
		socket: socket,
		transport: &quic.Transport{
			Conn:                socket,
			VerifySourceAddress: func(net.Addr) bool { return !unproven.Allow() },
		},
		tls: http3.ConfigureTLSConfig(s.certs.TLSConfig()),
		quic: &quic.Config{
			HandshakeIdleTimeout: s.cfg.ReadHeader,
			MaxIdleTimeout:       s.cfg.Idle,
		},
	}
	h.server = &http3.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.inflight.Add(1)
			defer h.inflight.Add(-1)
			s.handle(w, r)
		}),
		MaxHeaderBytes: s.cfg.MaxHeader,
		IdleTimeout:    s.cfg.Idle,
		Logger:         slog.New(slog.DiscardHandler), // what strangers do wrong is theirs
		ConnContext: func(ctx context.Context, conn *quic.Conn) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			stop := context.AfterFunc(s.base, cancel)
			context.AfterFunc(conn.Context(), func() { stop(); cancel() })
			return ctx
		},
	}
	return h
}

// serve answers until shutdown. It begins when ready is closed: until then the process that
// handed the socket over reads from it.
func (h *http3Server) serve(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
	case <-ctx.Done():
		return nil
	}
	err := letIn(h.socket)
	if err == nil {
		h.listener, err = h.transport.ListenEarly(h.tls, h.quic)
	}
	switch {
	case errors.Is(err, quic.ErrTransportClosed) || errors.Is(err, net.ErrClosed):
		return nil // shut down meanwhile
	case err != nil:
		return fmt.Errorf("listen for HTTP/3: %w", err)
	}
	if err := h.server.ServeListener(h.listener); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, quic.ErrServerClosed) {
		return fmt.Errorf("serve HTTP/3: %w", err)
	}
	return nil
}

// goAwayTime is how long clients without a request have to close their connection by
// themselves, once they were told to.
const goAwayTime = 500 * time.Millisecond

// shutdown tells clients to go (GOAWAY), waits for their requests until ctx ends, and closes the
// socket. A request that comes after the GOAWAY is refused in a way that tells the client to send
// it again elsewhere (RFC 9114, section 5.2).
func (h *http3Server) shutdown(ctx context.Context) error {
	quiet, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		ticker := time.NewTicker(goAwayTime)
		defer ticker.Stop()
		for quiet.Err() == nil {
			select {
			case <-ticker.C:
			case <-quiet.Done():
			}
			if h.inflight.Load() == 0 {
				cancel() // those left are clients that do not close
			}
		}
	}()
	err := h.server.Shutdown(quiet)
	if ctx.Err() == nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, h.close())
}

// handshakeFor is how long a connection that has begun may take to be made.
const handshakeFor = time.Second

// refuseNew keeps new connections out in a way that leaves them to the next process that reads
// the socket, and waits until those that have begun are made.
func (h *http3Server) refuseNew(ctx context.Context) {
	if keepOut(h.socket) != nil {
		return // then they are refused
	}
	select {
	case <-time.After(handshakeFor):
	case <-ctx.Done():
	}
}

func (h *http3Server) close() error {
	_ = h.transport.Close() // it has no error but "closed already"
	if err := h.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// altSvcFor is how long, in seconds, clients remember that there is HTTP/3 (RFC 7838): a day.
const altSvcFor = 24 * time.Hour

// altSvcOf is the header by which clients of HTTP/1 and 2 learn of HTTP/3 at port.
func altSvcOf(port int) []string {
	return []string{`h3=":` + strconv.Itoa(port) + `"; ma=` + strconv.Itoa(int(altSvcFor.Seconds()))}
}
