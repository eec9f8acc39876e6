package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/handover"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
	"github.com/lxdfleet/lxdfleet/internal/proxy/link"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// Proxy returns the function that runs a proxy of this version without a daemon, until its
// context ends. controller is where it gets its routes from; empty: where it did before, or where
// the token says. token lets it join, and is not needed after that; name is the one to join as;
// empty: the host's.
func Proxy(version string) func(ctx context.Context, cfg config.Config, controller, token, name string) error {
	return func(ctx context.Context, cfg config.Config, controller, token, name string) error {
		return replaceable(cfg, func(sockets *handover.Sockets, renew <-chan os.Signal) error {
			o := Options{Version: version, Log: NewLogger(os.Stderr, cfg.Log), Sockets: sockets, Renew: renew}
			e, err := newEdge(ctx, cfg, joining{controller, token, name}, o)
			if err != nil {
				return err
			}
			return e.run(ctx)
		})
	}
}

// joining is how a proxy comes to its controller.
type joining struct{ controller, token, name string }

// edge is a proxy without a daemon.
type edge struct {
	cfg config.Config
	Options
	log      *slog.Logger
	lock     *lock
	client   *link.Client
	packets  *packets
	metrics  http.Handler
	proxy    *proxy.Server
	follower *link.Follower

	renewed bool // another process has taken over

	undo []func() // releases what was opened, last first
}

func newEdge(ctx context.Context, cfg config.Config, j joining, o Options) (_ *edge, err error) {
	e := &edge{cfg: cfg, Options: o, log: o.Log}
	defer func() {
		if err != nil {
			e.release()
		}
	}()
	if cfg.Proxy.HTTPS == "" {
		return nil, fleet.Errorf(fleet.Invalid, "this proxy has no address to listen on").WithField("proxy.https").
			WithHint("set proxy.https in the configuration file of this host, such as :443")
	}
	if e.lock, err = lockData(cfg.DataDir); err != nil {
		return nil, err
	}
	e.undo = append(e.undo, e.lock.release)
	if err := e.join(ctx, j); err != nil {
		return nil, err
	}
	e.undo = append(e.undo, e.client.Close)
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	if err := e.wireProxy(ctx); err != nil {
		return nil, err
	}
	e.follower = link.NewFollower(link.FollowerConfig{
		Client: e.client, Router: e.proxy.Router(), HoldsFile: filepath.Join(cfg.DataDir, "holds.json"),
		Saved: e.proxy.WaitSaved, Version: e.Version, Log: e.log,
	})
	return e, nil
}

func (e *edge) wireProxy(ctx context.Context) error {
	settings, err := proxyConfig(e.cfg, e.log)
	if err != nil {
		return err
	}
	if settings.Storage, err = e.storage(ctx); err != nil {
		return fmt.Errorf("open the certificate storage: %w", err)
	}
	access, closeAccess := openAccessLog(e.cfg.Proxy, e.log)
	e.undo = append(e.undo, closeAccess)
	if e.packets, err = awaitPackets(e.cfg.DataDir); err != nil {
		return err
	}
	e.undo = append(e.undo, e.packets.release)
	settings.Observe = func(tenant fleet.Name) { e.follower.Observe(tenant) } // only once it serves
	settings.Access = access
	settings.Listen, settings.ListenPacket, settings.PacketReady = e.Sockets.Listen, e.Sockets.ListenPacket, e.packets.ready
	if e.proxy, err = proxy.New(ctx, settings); err != nil {
		return fmt.Errorf("prepare the proxy: %w", err)
	}
	e.undo = append(e.undo, func() { _ = e.proxy.Shutdown(context.Background()) })
	e.metrics, err = newMetrics(e.Version, e.log, e.proxy.Collector())
	return err
}

func (e *edge) release() {
	for i := len(e.undo) - 1; i >= 0; i-- {
		e.undo[i]()
	}
	e.undo = nil
}

// join makes the client of the proxy's identity. Where there is none, or the token is not the one it
// joined with, it joins first.
func (e *edge) join(ctx context.Context, j joining) error {
	path := filepath.Join(e.cfg.DataDir, "identity.json")
	identity, err := link.LoadIdentity(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && j.token == "" {
		return err
	}
	known := err == nil
	var token link.Token
	if j.token != "" {
		if token, err = link.ParseToken(j.token); err != nil {
			return err
		}
	}
	switch {
	case !known && j.token == "":
		return fleet.Errorf(fleet.Forbidden, "this proxy has not joined a fleet yet").WithField("token").
			WithHint("run `lxdfleet proxy token` on the controller, and give what it prints with --token, once")
	case j.token != "" && (!known || !identity.JoinedWith(token)):
		if j.name == "" {
			j.name = hostName()
		}
		if identity, err = link.Join(ctx, token, j.controller, j.name); err != nil {
			return err
		}
		e.log.Info("joined the fleet", "controller", identity.Controller, "name", identity.Name())
	case j.controller == "" || j.controller == identity.Controller:
		e.client, err = link.NewClient(identity, path)
		return err
	default:
		address, err := link.ParseAddress(j.controller)
		if err != nil {
			return err
		}
		identity.Controller = address.String()
	}
	if err := identity.Save(path); err != nil {
		return err
	}
	e.client, err = link.NewClient(identity, path)
	return err
}

// hostName gives the host's name in the form of a proxy's.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

// settle takes over the controller's settings, or those of last time while it is away.
func (e *edge) settle(ctx context.Context) error {
	path := filepath.Join(e.cfg.DataDir, "settings.json")
	data, err := e.client.Settings(ctx)
	if err == nil {
		err = proxy.WriteDurably(path, data)
	}
	if err != nil {
		kept, readErr := os.ReadFile(path)
		if readErr != nil {
			return fmt.Errorf("read the controller's settings: %w", err)
		}
		e.log.Warn("the controller's settings cannot be read; those of last time are used", "controller", e.client.Controller(), "reason", err)
		data = kept
	}
	var s settings
	if err := json.Unmarshal(data, &s); err != nil {
		return fleet.Errorf(fleet.Unsupported, "the controller's settings cannot be understood: %w", err).
			WithHint("run the same version of lxdfleet on both")
	}
	return s.apply(&e.cfg)
}

// storage is where certificates are kept: where the configuration of this host says, else at the
// controller.
func (e *edge) storage(ctx context.Context) (certmagic.Storage, error) {
	switch e.cfg.TLS.Storage {
	case "database":
		s, err := store.Open(ctx, e.cfg.DSN(), store.WithLogger(e.log))
		if err != nil {
			return nil, err
		}
		e.undo = append(e.undo, func() { s.Close() })
		return s.CertStorage(), nil
	case "s3":
		return bucketStorage(ctx, e.cfg.S3, e.log)
	}
	return e.client.Storage(filepath.Join(e.cfg.DataDir, "certificates"), e.log), nil
}

// run serves until ctx ends, then finishes the requests under way; or until a successor has taken
// over.
func (e *edge) run(ctx context.Context) error {
	defer e.release()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { e.follower.Run(following) })
	if listen := e.cfg.Metrics.Listen; listen != "off" {
		m := &metricsServer{address: listen, handler: e.metrics, log: e.log, again: bindAgain}
		running.Go(func() { m.Run(following) })
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := e.proxy.Serve(); err != nil {
			fail(err)
		}
	}()
	if err := e.Sockets.Ready(); err != nil {
		fail(fmt.Errorf("take over from the process before: %w", err))
	}
	e.log.Info("the proxy is ready", "name", e.client.Name(), "controller", e.client.Controller(), "https", e.proxy.HTTPSAddr().String(), "pid", os.Getpid())
	heir := &succession{
		sockets: e.Sockets, ask: e.Renew, lock: e.lock, packets: e.packets, proxy: e.proxy,
		drain: e.cfg.Proxy.DrainTimeout, done: &e.renewed, log: e.log,
	}
	if heir.wanted(ctx) {
		return heir.pass(ctx, func() error {
			stop()
			running.Wait()
			return nil
		})
	}
	e.log.Info("stopping")
	// Visitors first: until the last is served the gates follow the controller.
	err := stopProxy(e.proxy)
	stop()
	running.Wait()
	<-served
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}
