package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/clusters"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/gauges"
	"github.com/lxdfleet/lxdfleet/internal/handover"
	"github.com/lxdfleet/lxdfleet/internal/images"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/realm"
	"github.com/lxdfleet/lxdfleet/internal/migration"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
	"github.com/lxdfleet/lxdfleet/internal/proxy/link"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/store"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
	"github.com/lxdfleet/lxdfleet/internal/webhooks"
)

// stopTime bounds the stop of each part of the daemon. It is longer than the 5 s that
// net/http waits for a connection on which nothing was ever sent.
const stopTime = 10 * time.Second

// App is the daemon.
type App struct {
	cfg      config.Config
	settings config.Settings // cfg, and where it comes from
	Options
	log *slog.Logger

	lock     *lock
	store    *store.Store
	home     *reached     // the cluster it runs on
	lxd      *realm.Realm // that and others
	feed     *api.Feed
	engine   *jobs.Engine
	observer *tenants.Observer
	tenants  *tenants.Service
	images   *images.Service
	spread   *images.Distributor

	clusters *clusters.Service[*reached]

	snapshots *snapshots.Service
	scheduler *snapshots.Scheduler
	retention *snapshots.Retention

	moves *migration.Service

	vault       *backups.Vault
	backups     *backups.Service
	backupParts backups.Deps

	accounts *accounts.Service
	webhooks *webhooks.Service
	herald   *herald

	proxy    *proxy.Server // nil: no HTTPS address is configured
	packets  *packets      // nil likewise
	hub      *link.Hub     // leads this proxy and those on other hosts
	linkLn   net.Listener  // for those; nil: there are none
	routes   *proxy.Feed   // nil: there is no proxy anywhere
	metrics  http.Handler
	gauges   *gauges.Service
	api      *api.Server
	listener net.Listener
	ca       *certs.CA    // of a daemon without a proxy whose API has no other certificate; else nil
	https    *httpsServer // nil: the API is not served over HTTPS

	renewed bool // another process has taken over

	undo []func() // releases what New has opened, last first
}

// Options are what a daemon is given besides its configuration.
type Options struct {
	Version string
	Log     *slog.Logger
	Sockets *handover.Sockets // where its listeners come from
	Renew   <-chan os.Signal  // asks for a successor
}

// New opens the store, finds LXD, binds the proxy's ports and the API's socket. LXD may be
// down: the daemon then serves what it last knew and goes on when LXD is back. What New opened
// is released by Run, or by New itself when it fails.
func New(ctx context.Context, settings config.Settings, o Options) (_ *App, err error) {
	cfg, log := settings.Config, o.Log
	a := &App{cfg: cfg, settings: settings, Options: o, log: log, feed: api.NewFeed(1000, time.Now)}
	defer func() {
		if err != nil {
			a.release()
		}
	}()
	if a.lock, err = lockData(cfg.DataDir); err != nil {
		return nil, err
	}
	a.onRelease(a.lock.release)
	if a.store, err = store.Open(ctx, cfg.DSN(), store.WithLogger(log)); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	a.onRelease(func() { a.store.Close() })
	a.accounts = accounts.NewService(a.store, accounts.Options{OpenID: openIDRules(cfg.API.OIDC)})
	a.wireWebhooks()
	lxd, err := connect(ctx, cfg, log, true)
	if err != nil {
		return nil, fmt.Errorf("reach LXD: %w", err)
	}
	a.home = withWays(lxd, cfg, log)
	a.onRelease(a.home.Close)
	if err := a.wireClusters(ctx); err != nil {
		return nil, err
	}
	prober := tenants.NewHTTPProber(nil, a.httpsPort)
	a.observer = tenants.NewObserver(a.lxd, a.store, a.store, prober, tenants.ObserverOptions{
		HealthEvery: a.cfg.Tenants.HealthInterval, Changed: a.tenantChanged, Logger: a.log,
	})
	if err := a.wireProxy(ctx); err != nil {
		return nil, err
	}
	if err := a.wireHub(ctx); err != nil {
		return nil, err
	}
	if err := a.wireJobs(prober); err != nil {
		return nil, err
	}
	a.wireGauges()
	return a, a.wireAPI(ctx)
}

func (a *App) onRelease(f func()) { a.undo = append(a.undo, f) }

func (a *App) release() {
	for i := len(a.undo) - 1; i >= 0; i-- {
		a.undo[i]()
	}
	a.undo = nil
}

func (a *App) wireJobs(prober tenants.Prober) error {
	imageDeps := a.imageDeps()
	tenantDeps := tenants.KindDeps{
		LXD: a.lxd, Store: a.store, Observer: a.observer, Prober: prober, HTTPSPort: a.httpsPort(), Gates: gates{a},
		Direct: a.direct,
	}
	snapshotDeps := a.snapshotDeps(tenantDeps)
	a.vault = vaultOf(a.cfg)
	a.backupParts = a.backupDeps(tenantDeps, snapshotDeps)
	registry, err := registerKinds(tenantDeps, imageDeps, snapshotDeps, a.backupParts, a.moveDeps(tenantDeps), a.bulkDeps())
	if err != nil {
		return err
	}
	faults, err := jobFaults()
	if err != nil {
		return err
	}
	a.engine = jobs.NewEngine(a.store, registry, jobs.Options{
		Workers: a.cfg.Jobs.Workers, Retention: a.cfg.Jobs.KeepFor, Owner: a.lock.owner, Exclusive: true,
		Logger: a.log, OnEvent: a.jobEvent, Faults: faults,
	})
	var known tenants.Certificates // not a typed nil
	if a.proxy != nil {
		known = certificates{a.proxy.Certificates(), a}
	}
	a.tenants = tenants.NewService(tenants.ServiceDeps{
		LXD: a.lxd, Store: a.store, Images: a.store, Jobs: a.store, Submit: a.engine, Observer: a.observer,
		DNS: tenants.NewResolver(a.cfg.Domains.Resolver), Certificates: known,
		Gates: gates{a},
	}, tenants.ServiceOptions{
		Verify: tenants.Verify(a.cfg.Domains.Verify), Target: a.cfg.Domains.Target,
		BaseDomain: a.cfg.Tenants.BaseDomain, DefaultPlan: a.cfg.Tenants.DefaultPlan,
		TrashFor: orNone(a.cfg.Tenants.TrashFor), StopTimeout: a.cfg.Tenants.StopTimeout,
		Rules: rules(a.cfg.Placement), Targets: targets(a.cfg.Placement), Rest: orNone(a.cfg.Placement.RestAfterMove),
	})
	a.images = images.NewService(imageDeps, a.engine)
	a.spread = images.NewDistributor(imageDeps, a.engine)
	a.wireMoves(tenantDeps)
	a.wireSnapshots(snapshotDeps)
	a.wireBackups(a.backupParts)
	return nil
}

func (a *App) imageDeps() images.Deps {
	return images.Deps{
		LXD: homely{a.home, a.lxd}, Store: a.store, WorkDir: filepath.Join(a.cfg.DataDir, "images"),
		Bases:   images.HostBases{Mirror: a.cfg.Images.DebootstrapMirror},
		Sources: images.Sources{Hosts: a.cfg.Images.Sources, Folders: a.cfg.ImageFolders()},
		Changed: a.imageChanged, Log: a.log,
	}
}

// registerKinds makes every kind of job there is known.
func registerKinds(
	tenantDeps tenants.KindDeps, imageDeps images.Deps, snapshotDeps snapshots.KindDeps, backupDeps backups.Deps, moveDeps migration.Deps,
	bulkDeps bulk.Deps,
) (*jobs.Registry, error) {
	registry := jobs.NewRegistry()
	if err := migration.Register(registry, moveDeps); err != nil {
		return nil, err
	}
	if err := bulk.Register(registry, bulkDeps); err != nil {
		return nil, err
	}
	if err := tenants.Register(registry, tenantDeps); err != nil {
		return nil, err
	}
	if err := images.Register(registry, imageDeps); err != nil {
		return nil, err
	}
	if err := snapshots.Register(registry, snapshotDeps); err != nil {
		return nil, err
	}
	return registry, backups.Register(registry, backupDeps)
}

// Kinds lists every kind of job the daemon runs.
func Kinds() []jobs.KindInfo {
	registry, err := registerKinds(tenants.KindDeps{}, images.Deps{}, snapshots.KindDeps{}, backups.Deps{}, migration.Deps{}, bulk.Deps{})
	if err != nil {
		panic(err) // a kind that contradicts itself: every test finds it
	}
	return registry.Kinds()
}

func (a *App) wireProxy(ctx context.Context) error {
	if a.cfg.Proxy.HTTPS == "" {
		return nil
	}
	settings, err := proxyConfig(a.cfg, a.log)
	if err != nil {
		return err
	}
	if settings.Storage, err = a.certStorage(ctx); err != nil {
		return fmt.Errorf("open the certificate storage: %w", err)
	}
	access, closeAccess := openAccessLog(a.cfg.Proxy, a.log)
	a.onRelease(closeAccess)
	if a.packets, err = awaitPackets(a.cfg.DataDir); err != nil {
		return err
	}
	a.onRelease(a.packets.release)
	settings.Observe, settings.Access = a.observer.Observe, access
	settings.Listen, settings.ListenPacket, settings.PacketReady = a.Sockets.Listen, a.Sockets.ListenPacket, a.packets.ready
	if a.proxy, err = proxy.New(ctx, settings); err != nil {
		return fmt.Errorf("prepare the proxy: %w", err)
	}
	a.onRelease(func() { _ = a.proxy.Shutdown(context.Background()) })
	return nil
}

// routeSource lists routes once LXD was read: before that every tenant would look missing, and
// the table saved by the last run is better.
type routeSource struct{ app *App }

func (s routeSource) Routes(ctx context.Context) ([]fleet.Route, error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !s.app.observer.Synced() {
		select {
		case <-ctx.Done():
			return nil, fleet.Errorf(fleet.Unavailable, "LXD has not answered since the start")
		case <-ticker.C:
		}
	}
	return s.app.observer.Routes(ctx)
}

func (s routeSource) Generation(ctx context.Context) (int64, error) {
	return s.app.store.Generation(ctx)
}

func (a *App) jobEvent(job fleet.Job, event fleet.JobEvent) {
	a.observer.JobEvent(job, event)
	a.retention.JobEvent(job, event)
	kind := "job.event"
	if event.Type == fleet.EventState {
		kind = "job.changed"
	}
	a.feed.Publish(fleet.Event{Type: kind, Subject: "job/" + job.ID, Data: event, At: event.At, Tenant: tenantOf(job)})
}

// tenantOf is the tenant a job works on; empty: none.
func tenantOf(job fleet.Job) fleet.Name {
	name, ok := strings.CutPrefix(job.Subject, "tenant/")
	if !ok {
		return ""
	}
	return fleet.Name(name)
}

// tenantChanged and imageChanged are told of every change, in this process or by an operator.
func (a *App) tenantChanged(name string) {
	if a.routes != nil {
		a.routes.Nudge()
	}
	a.feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/" + name, At: time.Now()})
}

func (a *App) imageChanged(name string) {
	a.spread.Nudge()
	a.feed.Publish(fleet.Event{Type: "image.changed", Subject: "image/" + name, At: time.Now()})
}

// Run runs the daemon until ctx ends or one of its parts fails, then stops the parts, last
// first, and releases what New opened.
func (a *App) Run(ctx context.Context) error {
	defer a.release()
	if err := a.engine.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	var running, looping sync.WaitGroup
	for _, loop := range a.loops() {
		looping.Go(func() { loop(loops) })
	}
	serve := func(name string, f func() error) {
		running.Go(func() {
			if err := f(); err != nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	serve("API", func() error { return a.api.Serve(a.listener) })
	if a.proxy != nil {
		serve("proxy", a.proxy.Serve)
	}
	if a.linkLn != nil {
		serve("proxies", func() error { return a.hub.Serve(loops, a.linkLn) })
	}
	if err := a.Sockets.Ready(); err != nil {
		fail(fmt.Errorf("take over from the process before: %w", err))
	}
	a.log.Info("lxdfleet is ready", "version", a.Version, "pid", os.Getpid(), "socket", a.cfg.Socket.Path, "https", a.cfg.Proxy.HTTPS)
	control := func() error { return a.stopControl(stopLoops, &looping) }
	heir := a.succession()
	if heir.wanted(ctx) {
		return heir.pass(ctx, control)
	}
	a.log.Info("stopping")
	err := errors.Join(control(), stopProxy(a.proxy))
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

func (a *App) succession() *succession {
	return &succession{
		sockets: a.Sockets, ask: a.Renew, lock: a.lock, packets: a.packets, proxy: a.proxy,
		drain: a.cfg.Proxy.DrainTimeout, done: &a.renewed, log: a.log,
	}
}

func (a *App) loops() []func(context.Context) {
	loops := []func(context.Context){
		a.observer.Run, a.home.ways.Keep, a.clusters.Run, a.lxd.Run,
		(&tenants.Trash{Service: a.tenants, Every: 5 * time.Second, Logger: a.log}).Run,
		(&tenants.Lapses{Service: a.tenants, Logger: a.log}).Run,
		(&tenants.DomainWatch{Service: a.tenants, Logger: a.log}).Run,
		(&tenants.Sweep{LXD: a.lxd, Store: a.store, Jobs: a.store, Logger: a.log}).Run,
		a.scheduler.Run, a.retention.Run, a.snapshots.Readers.Run, a.gauges.Run,
	}
	loops = append(loops, a.backupLoops(a.backupParts)...)
	if a.routes != nil {
		loops = append(loops, a.routes.Run)
	}
	if a.cfg.Metrics.Listen != "off" {
		m := &metricsServer{address: a.cfg.Metrics.Listen, handler: a.metrics, log: a.log, again: bindAgain}
		loops = append(loops, m.Run)
	}
	loops = append(loops, a.herald.Run, a.webhooks.Run)
	if a.https != nil {
		loops = append(loops, a.https.Run)
	}
	if a.linkLn != nil {
		loops = append(loops, a.hub.Run)
	}
	if a.cfg.Images.UnpackAhead {
		loops = append(loops, a.spread.Run)
	}
	return loops
}

// stopControl ends what drives the fleet: no new requests to the API, then no jobs, then the
// loops that tell others what goes on. Visitors are served on.
func (a *App) stopControl(stopLoops context.CancelFunc, loops *sync.WaitGroup) error {
	err := errors.Join(within("API", stopTime, a.api.Shutdown), within("jobs", stopTime, a.engine.Stop))
	stopLoops()
	loops.Wait()
	return err
}

func stopProxy(p *proxy.Server) error {
	if p == nil {
		return nil
	}
	return within("proxy", stopTime, p.Shutdown)
}

func within(what string, d time.Duration, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := stop(ctx); err != nil {
		return fmt.Errorf("stop the %s: %w", what, err)
	}
	return nil
}
