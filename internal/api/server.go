package api

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

//go:embed openapi.yaml
var document []byte

// Document gives the OpenAPI document the API is made from.
func Document() []byte { return document }

// Options is what a Server serves. All services but OpenID are required.
type Options struct {
	Tenants   Tenants
	Domains   Domains
	Images    Images
	Snapshots Snapshots
	Policies  Policies
	Clusters  Clusters
	Backups   Backups
	Jobs      Jobs
	Proxies   Proxies
	Accounts  Accounts
	Webhooks  Webhooks
	Answers   Answers
	// OpenID is the provider where people may log in; nil: there is none.
	OpenID OpenID
	// Placement knows members, and where tenants live.
	Placement Placement
	Moves     Moves
	Bulk      Bulk
	Feed      *Feed

	// RecoverImages records golden images anew that LXD has and the store lacks.
	RecoverImages func(ctx context.Context) ([]fleet.GoldenImage, error)

	Plans  func(ctx context.Context) ([]fleet.ProfileSpec, error)
	Routes func(ctx context.Context) ([]fleet.Route, error)
	// Traffic is what the proxy did; fleet.NotFound where there is none.
	Traffic func(ctx context.Context) (fleet.Traffic, error)
	Gauges  Gauges
	// DiskCount tells what LXD counts of a tenant's disk.
	DiskCount func(ctx context.Context) (fleet.DiskCount, error)
	// Metrics answers GET /metrics.
	Metrics http.Handler
	LXD     func(ctx context.Context) (fleet.Server, error)
	// CA gives the internal authority's certificate as PEM; fleet.NotFound where there is none.
	CA     func(ctx context.Context) ([]byte, error)
	Doctor func(ctx context.Context) ([]setup.Finding, error)
	// Settings are those the daemon runs with.
	Settings config.Settings
	// Ping reports whether the store answers.
	Ping func(ctx context.Context) error

	// Web answers what is no address of the API over HTTPS: the dashboard. nil: nothing does.
	Web http.Handler
	// Address is the https://host:port that one-time links lead to.
	Address string

	Version     string // of lxdfleet
	Project     string // of LXD
	DefaultPlan string
	HTTPSPort   int        // port in tenants' addresses; 0: there is no proxy
	UploadDir   string     // where uploaded images are put; made when missing
	UploadLimit fleet.Size // largest image

	RateLimit int // requests a minute of one user, token or address over HTTPS; 0: any number

	Log         *slog.Logger
	Now         func() time.Time
	KeepAlive   time.Duration // between signs of life on quiet streams; 0: 15s
	EventBuffer int           // events a listener may lag behind; 0: 256
}

// Server answers the API.
type Server struct {
	Options
	turns   turns
	sealing []byte // seals answers to local users
	limits  *limits
	access  map[string]access // by method and path as echo writes it
	log     *slog.Logger
	started time.Time
	http    *http.Server
	closing context.Context // ends when Shutdown begins
	close   context.CancelFunc
	streams sync.WaitGroup // what http.Server does not wait for, or would wait for without end
}

// New makes a server. It listens on nothing until Serve.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.EventBuffer == 0 {
		o.EventBuffer = 256
	}
	s := &Server{Options: o, log: o.Log, started: o.Now(), turns: turns{busy: map[string]chan struct{}{}}, sealing: newSealing(), limits: newLimits(o.RateLimit, o.Now)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.access, err = readAccess(); err != nil {
		return nil, err
	}
	if err := clearUploads(o.UploadDir); err != nil {
		return nil, err
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ConnContext: connContext, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Handler gives the API as an HTTP handler.
func (s *Server) Handler() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Binder = binder{}
	e.HTTPErrorHandler = s.onError
	e.Use(s.survive, s.authorize, prepare, s.confine, s.replayed, s.audited)
	RegisterHandlers(e, NewStrictHandler(s, []StrictMiddlewareFunc{s.versioned}))
	if s.Web != nil {
		e.GET("/*", s.web)
		e.HEAD("/*", s.web)
	}
	return tunnelled(e)
}

// web answers with the dashboard. What is below /v1 and is no operation's stays an error for
// programs.
func (s *Server) web(c echo.Context) error {
	if strings.HasPrefix(c.Request().URL.Path, "/v1/") {
		return echo.ErrNotFound
	}
	s.Web.ServeHTTP(c.Response(), c.Request())
	return nil
}

// survive turns a panic of one request into its error.
func (s *Server) survive(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.log.Error("panic in a request", "path", c.Request().URL.Path, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}()
		return next(c)
	}
}

// Serve answers connections of ln until Shutdown; then it returns nil. Whoever comes over a unix
// socket is an admin.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

// ServeTLS is Serve for connections that begin with TLS, by settings that have certificates.
func (s *Server) ServeTLS(ln net.Listener, settings *tls.Config) error {
	settings = settings.Clone()
	settings.NextProtos = []string{"h2", "http/1.1"}
	return s.Serve(tls.NewListener(ln, settings))
}

// Shutdown ends all streams, waits for the requests that are under way until ctx ends, and
// closes the listeners (which removes the socket file).
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	err := s.http.Shutdown(ctx)
	ended := make(chan struct{})
	go func() { s.streams.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		err = errors.Join(err, s.http.Close())
	}
	return err
}

// untilShutdown gives a stream's context: it ends with the request or the server. Shutdown
// waits for done.
func (s *Server) untilShutdown(ctx context.Context) (_ context.Context, done func()) {
	s.streams.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	return ctx, sync.OnceFunc(func() { stop(); cancel(); s.streams.Done() })
}

// clearUploads makes the folder and removes uploads that an earlier process did not finish.
func clearUploads(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for uploads: %w", err)
	}
	unfinished, err := filepath.Glob(filepath.Join(dir, "*"+partSuffix))
	if err != nil {
		return fmt.Errorf("look for unfinished uploads: %w", err)
	}
	for _, path := range unfinished {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove an unfinished upload: %w", err)
		}
	}
	return nil
}
