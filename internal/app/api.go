package app

import (
	"context"
	"net"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/setup"
	"github.com/lxdfleet/lxdfleet/web"
)

func (a *App) wireAPI(ctx context.Context) (err error) {
	seen := []prometheus.Collector{newBackupMetrics(a.store, time.Now)}
	if a.proxy != nil {
		seen = append(seen, a.proxy.Collector())
	}
	if a.metrics, err = newMetrics(a.Version, a.log, seen...); err != nil {
		return err
	}
	provider, err := openIDProvider(a.cfg)
	if err != nil {
		return err
	}
	server, err := api.New(api.Options{
		Tenants: a.tenants, Domains: a.tenants, Images: a.images, Jobs: a.engine, Feed: a.feed, Proxies: proxies{a.hub},
		Accounts: a.accounts, OpenID: provider, Webhooks: a.webhooks, Answers: a.store, RateLimit: a.cfg.API.RateLimit, Address: a.cfg.APIAddress(),
		Snapshots: a.snapshots, Policies: a.snapshots, Backups: a.backups,
		RecoverImages: a.images.Recover,
		Plans:         a.plans,
		Placement:     a.tenants,
		Clusters:      a.clusters,
		Moves:         a.moves,
		Bulk:          &bulk.Service{Store: a.store, Jobs: a.store, Engine: a.engine, Check: a.checkBulk},
		Routes:        a.observer.Routes,
		Traffic:       a.traffic,
		Gauges:        a.gauges,
		DiskCount:     a.home.DiskCount,
		Metrics:       a.metrics,
		LXD:           a.lxd.Server,
		CA:            a.authority,
		Doctor:        func(ctx context.Context) ([]setup.Finding, error) { return Doctor(ctx, a.cfg), nil },
		Settings:      a.settings,
		Ping:          a.store.Ping,
		Version:       a.Version,
		Project:       a.cfg.LXD.Project,
		DefaultPlan:   a.cfg.Tenants.DefaultPlan,
		HTTPSPort:     a.httpsPort(),
		UploadDir:     a.cfg.UploadDir(),
		UploadLimit:   a.cfg.Images.UploadLimit,
		Web:           web.Handler(web.Files()),
		Log:           a.log,
	})
	if err != nil {
		return err
	}
	a.api = server
	path := a.cfg.Socket.Path
	a.listener, err = a.Sockets.ListenBy("unix", path, func() (net.Listener, error) {
		return api.Listen(ctx, path, a.cfg.Socket.Group)
	})
	if err != nil {
		return err
	}
	if err := a.wireHTTPS(ctx); err != nil {
		return err
	}
	a.onRelease(func() {
		a.listener.Close()
		if !a.renewed {
			os.Remove(path) // a listener that can be handed over leaves it
		}
	})
	return nil
}

// plans lists the profiles that are plans: all but the one every instance has.
func (a *App) plans(ctx context.Context) ([]fleet.ProfileSpec, error) {
	profiles, err := a.lxd.Profiles(ctx)
	return slices.DeleteFunc(profiles, func(p fleet.ProfileSpec) bool { return p.Name == "default" }), err
}

func (a *App) authority(context.Context) ([]byte, error) {
	if a.ca != nil {
		return a.ca.Export(), nil
	}
	if a.proxy == nil {
		return nil, fleet.Errorf(fleet.NotFound, "there is no certificate authority: this daemon has no proxy").
			WithHint("set proxy.https in the configuration file")
	}
	return a.proxy.CA().Export(), nil
}

func (a *App) traffic(context.Context) (fleet.Traffic, error) {
	if a.proxy == nil {
		return fleet.Traffic{}, fleet.Errorf(fleet.NotFound, "there is no traffic: this daemon has no proxy").
			WithHint("set proxy.https in the configuration file")
	}
	return a.proxy.Traffic(), nil
}

// httpsPort is the port in tenants' addresses; 0 where there is no proxy.
func (a *App) httpsPort() int {
	if a.proxy == nil {
		return 0
	}
	if addr, ok := a.proxy.HTTPSAddr().(*net.TCPAddr); ok {
		return addr.Port
	}
	return 0
}
