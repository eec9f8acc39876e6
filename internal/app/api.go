package app

import (
	"context"
	"net"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

func (a *App) wireAPI(ctx context.Context) error {
	server, err := api.New(api.Options{
		Tenants: a.tenants, Domains: a.tenants, Images: a.images, Jobs: a.engine, Feed: a.feed, Proxies: proxies{a.hub},
		RecoverImages: a.images.Recover,
		Plans:         a.plans,
		Members:       a.lxd.Members,
		Routes:        a.observer.Routes,
		LXD:           a.lxd.Server,
		CA:            a.authority,
		Doctor:        func(ctx context.Context) ([]setup.Finding, error) { return Doctor(ctx, a.cfg), nil },
		Ping:          a.store.Ping,
		Version:       a.version,
		Project:       a.cfg.LXD.Project,
		DefaultPlan:   a.cfg.Tenants.DefaultPlan,
		HTTPSPort:     a.httpsPort(),
		UploadDir:     a.cfg.UploadDir(),
		UploadLimit:   a.cfg.Images.UploadLimit,
		Log:           a.log,
	})
	if err != nil {
		return err
	}
	a.api = server
	if a.listener, err = api.Listen(ctx, a.cfg.Socket.Path, a.cfg.Socket.Group); err != nil {
		return err
	}
	a.onRelease(func() { a.listener.Close() })
	return nil
}

// plans lists the profiles that are plans: all but the one every instance has.
func (a *App) plans(ctx context.Context) ([]fleet.ProfileSpec, error) {
	profiles, err := a.lxd.Profiles(ctx)
	return slices.DeleteFunc(profiles, func(p fleet.ProfileSpec) bool { return p.Name == "default" }), err
}

func (a *App) authority(context.Context) ([]byte, error) {
	if a.proxy == nil {
		return nil, fleet.Errorf(fleet.NotFound, "there is no certificate authority: this daemon has no proxy").
			WithHint("set proxy.https in the configuration file")
	}
	return a.proxy.CA().Export(), nil
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
