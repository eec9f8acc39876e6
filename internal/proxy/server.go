package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
	"github.com/lxdfleet/lxdfleet/internal/proxy/metrics"
	"github.com/lxdfleet/lxdfleet/internal/proxy/upstream"
)

// Server answers HTTPS and HTTP. It is made with its listeners bound, serves with Serve, and
// ends with Shutdown.
type Server struct {
	cfg        Config
	router     *Router
	certs      *certs.Keeper
	forward    *upstream.Client // the way to backends
	traffic    *metrics.Traffic
	guard      *protection
	upgrades   *Gate // counts connections taken over by an upgrade
	publicPort int

	https, http     *http.Server
	httpsLn, httpLn net.Listener   // httpLn is nil where there is no HTTP
	packets         net.PacketConn // nil where there is no HTTP/3
	http3           *http3Server   // likewise
	altSvc          []string       // header that tells of it; nil likewise

	leaving atomic.Bool // HandOver has begun

	stop     chan struct{} // closed at the start of Shutdown: nobody is held any longer
	stopOnce sync.Once
	base     context.Context // of every request; ends upgraded connections
	cancel   context.CancelFunc
	work     sync.WaitGroup // background goroutines

	accepting sync.WaitGroup // those that accept connections by TCP

	upkeep    context.Context // of what only one process is to do: certificates, saving the table
	endUpkeep context.CancelFunc
	saver     *saver
}

// New binds the listeners, opens the certificate authority and loads the last saved table.
// Errors are of code Taken, Forbidden or Invalid and say what to do. A server that was made has
// to be ended by Shutdown, also if it never served.
func New(ctx context.Context, cfg Config) (_ *Server, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, stop: make(chan struct{}), traffic: newTraffic()}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.upkeep, s.endUpkeep = context.WithCancel(s.base)
	defer func() {
		if err != nil {
			s.cancel()
			s.closeListeners()
		}
	}()
	if err := s.bind(); err != nil {
		return nil, err
	}
	s.router = s.newRouter()
	s.saver = newSaver(cfg.TableFile, s.router.Table().generation, cfg.Log)
	s.certs, err = certs.Open(ctx, certs.Config{
		Storage: cfg.Storage, CAName: cfg.CAName, Capacity: cfg.Certificates, ACME: cfg.ACME, Log: cfg.Log,
		HTTP: s.HTTPAddr(), HTTPS: s.HTTPSAddr(),
		Lookup: func(host string) (fleet.Route, bool) { return s.router.Table().Lookup(host) },
	})
	if err != nil {
		return nil, err
	}
	s.guard = newProtection(cfg.Guard, s.traffic)
	s.router.onSwap(s.swapped)
	s.traffic.Follow(tenantsOf(s.router.Table()))
	s.certs.Want(s.router.Table())
	s.forward = upstream.New(upstream.Config{
		Dial: cfg.Dial, Answer: cfg.Answer, Log: cfg.Log, Trusted: s.guard.trusted.Contains,
	})
	s.router.onTurn(s.forward.Forget)
	s.upgrades = newGate(Limits{}, s.stop)
	s.https = s.newHTTPServer(s.handle)
	s.http = s.newHTTPServer(s.plain)
	if s.packets != nil {
		s.http3 = s.newHTTP3(s.packets)
		s.altSvc = altSvcOf(s.publicPort)
	}
	s.protect()
	return s, nil
}

func (s *Server) bind() (err error) {
	if s.httpsLn, err = bind(s.cfg.Listen, "tcp", "https", s.cfg.HTTPS); err != nil {
		return err
	}
	if s.cfg.HTTP != "off" {
		if s.httpLn, err = bind(s.cfg.Listen, "tcp", "http", s.cfg.HTTP); err != nil {
			return err
		}
	}
	s.publicPort = s.cfg.PublicPort
	if addr, ok := s.httpsLn.Addr().(*net.TCPAddr); ok && s.publicPort == 0 {
		s.publicPort = addr.Port
	}
	if s.cfg.HTTP3 == "off" {
		return nil
	}
	address := s.cfg.HTTP3
	if address == "" {
		address = s.httpsLn.Addr().String()
	}
	s.packets, err = bind(s.cfg.ListenPacket, "udp", "http3", address)
	return err
}

func (s *Server) newRouter() *Router {
	first, _ := BuildTable(0, nil)
	if s.cfg.TableFile != "" {
		var err error
		if first, err = LoadTable(s.cfg.TableFile); err != nil {
			s.cfg.Log.Warn("the saved routes cannot be used; hosts are unknown until the first list", "error", err)
		}
	}
	return newRouter(first, s.cfg.Held, s.stop, s.cfg.Log)
}

func (s *Server) newHTTPServer(handler http.HandlerFunc) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.cfg.ReadHeader,
		IdleTimeout:       s.cfg.Idle,
		MaxHeaderBytes:    s.cfg.MaxHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug), // strangers' handshakes
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ConnState:         s.traffic.ConnState,
	}
}

// plain answers HTTP: validations of certificate authorities, what a trusted proxy got by HTTPS,
// and redirects.
func (s *Server) plain(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.certs.HandleHTTPChallenge(w, r):
	case s.origin(r).Scheme == "https": // a trusted proxy in front has done TLS
		s.handle(w, r)
	default:
		s.redirect(w, r)
	}
}

// swapped follows a new table: it must not block.
func (s *Server) swapped(t *Table) {
	s.certs.Want(t)
	s.guard.configure(t)
	if !s.leaving.Load() {
		s.saver.offer(t)
	}
	s.traffic.Follow(tenantsOf(t))
}

// WaitSaved returns when the routes that are in use are saved, so that a restart after any crash
// begins with them. Errors are of code Unavailable.
func (s *Server) WaitSaved(ctx context.Context) error {
	return s.saver.wait(ctx, s.router.Table().generation)
}

// Router is what routes are published to and gates are held by.
func (s *Server) Router() *Router { return s.router }

// CA is the internal certificate authority.
func (s *Server) CA() *certs.CA { return s.certs.CA() }

// Certificates are those of the hosts in the table.
func (s *Server) Certificates() *certs.Keeper { return s.certs }

// HTTPSAddr is where HTTPS is listened on.
func (s *Server) HTTPSAddr() net.Addr { return s.httpsLn.Addr() }

// HTTP3Addr is where HTTP/3 is listened on, or nil.
func (s *Server) HTTP3Addr() net.Addr {
	if s.packets == nil {
		return nil
	}
	return s.packets.LocalAddr()
}

// HTTPAddr is where HTTP is listened on, or nil.
func (s *Server) HTTPAddr() net.Addr {
	if s.httpLn == nil {
		return nil
	}
	return s.httpLn.Addr()
}

// Serve answers requests until Shutdown, then returns nil. Another end of a listener is an
// error. It may be called once.
func (s *Server) Serve() error {
	s.work.Go(func() { s.certs.Run(s.upkeep) })
	s.work.Go(func() { s.saver.run(s.upkeep) })
	ended := make(chan error, 3)
	serving := 1
	s.accepting.Go(func() { ended <- s.https.Serve(s.httpsLn) })
	if s.httpLn != nil {
		serving++
		s.accepting.Go(func() { ended <- s.http.Serve(s.httpLn) })
	}
	if s.http3 != nil {
		serving++
		go func() { ended <- s.http3.serve(s.base, s.cfg.PacketReady) }()
	}
	var err error
	for range serving {
		e := <-ended
		if e == nil || errors.Is(e, http.ErrServerClosed) || s.leaving.Load() && errors.Is(e, net.ErrClosed) {
			continue
		}
		if err == nil {
			err = fmt.Errorf("serve: %w", e)
			s.closeListeners() // the other one must not go on alone unseen
		}
	}
	return err
}

// Shutdown ends the server: no new connections, held requests get a 503 at once, others are
// finished, WebSockets are closed politely, other upgraded connections cut. A connection that has not sent anything
// yet is given 5 s to do so, in case its request is on the way. When ctx ends sooner everything
// left is cut off, and the error says so. It may be called more than once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stop); s.certs.Close() })
	s.router.gates.dismiss()
	var wg sync.WaitGroup
	errs := make([]error, 3)
	if s.http3 != nil {
		wg.Go(func() { errs[2] = s.http3.shutdown(ctx) })
	}
	for i, srv := range []*http.Server{s.https, s.http} {
		wg.Go(func() {
			if errs[i] = srv.Shutdown(ctx); errs[i] != nil {
				errs[i] = errors.Join(errs[i], srv.Close())
			}
		})
	}
	wg.Wait()
	s.closeListeners() // also where they were never served
	polite, cancel := context.WithTimeout(ctx, goodbyeFor)
	_ = s.upgrades.Drain(polite)
	cancel()
	s.cancel()
	err := errors.Join(errs[0], errs[1], errs[2], s.upgrades.Drain(ctx))
	s.work.Wait()
	s.forward.Close()
	if err != nil {
		return fmt.Errorf("shut down the proxy: %w", err)
	}
	return nil
}

func (s *Server) closeListeners() {
	for _, ln := range []net.Listener{s.httpsLn, s.httpLn} {
		if ln != nil {
			_ = ln.Close() // closing twice is fine
		}
	}
	if s.packets != nil {
		_ = s.packets.Close()
	}
}
