package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
	"github.com/lxdfleet/lxdfleet/internal/proxy/link"
)

// proxyConfig is what the configuration file says about a proxy, in the daemon or by itself. Its
// storage and sockets, its access log, and whom it asks to look at a tenant, are not in it.
func proxyConfig(cfg config.Config, log *slog.Logger) (proxy.Config, error) {
	plain := cfg.Proxy.HTTP
	if plain == "" {
		plain = "off"
	}
	authorities, err := acmeOf(cfg)
	if err != nil {
		return proxy.Config{}, err
	}
	over3 := ""
	if !cfg.Proxy.HTTP3 {
		over3 = "off"
	}
	return proxy.Config{
		HTTPS: cfg.Proxy.HTTPS, HTTP: plain, HTTP3: over3,
		ACME:      authorities,
		TableFile: filepath.Join(cfg.DataDir, "routes.json"),
		Held:      proxy.Limits{Waiters: cfg.Proxy.HoldWaiters, Wait: cfg.Proxy.HoldTimeout},
		Retry:     cfg.Proxy.RetryTimeout,
		Brand:     proxy.Brand{Name: cfg.Proxy.PagesFrom, Contact: cfg.Proxy.PagesContact},
		Guard:     guardOf(cfg.Proxy), ReadHeader: cfg.Proxy.HeaderTimeout, Idle: cfg.Proxy.IdleTimeout,
		MaxHeader: int(cfg.Proxy.MaxHeader),
		Log:       log,
	}, nil
}

// wireHub makes what leads all proxies, and listens for those on other hosts.
func (a *App) wireHub(ctx context.Context) (err error) {
	hub := link.HubConfig{Observe: a.observer.Observe, Log: a.log}
	if a.proxy != nil {
		hub.Local = a.proxy.Router()
	}
	if listen := a.cfg.Proxies.Listen; listen != "" {
		if a.linkLn, err = proxy.Listen(a.Sockets.Listen, "proxies.listen", listen); err != nil {
			return err
		}
		a.onRelease(func() { a.linkLn.Close() })
		hub.Records, hub.Address = a.store, a.controllerAddress()
		if hub.Storage, err = a.certStorage(ctx); err != nil {
			return fmt.Errorf("open the certificate storage: %w", err)
		}
		if hub.Settings, err = settingsFor(a.cfg); err != nil {
			return err
		}
	}
	if a.hub, err = link.NewHub(ctx, hub); err != nil {
		return fmt.Errorf("prepare for proxies on other hosts: %w", err)
	}
	a.onRelease(a.hub.Close)
	if a.proxy != nil || a.linkLn != nil {
		a.routes = proxy.NewFeed(routeSource{a}, a.hub, proxy.FeedConfig{Log: a.log})
	}
	return nil
}

// controllerAddress is where proxies on other hosts reach this daemon.
func (a *App) controllerAddress() string {
	if a.cfg.Proxies.Address != "" {
		return a.cfg.Proxies.Address
	}
	host, port, err := net.SplitHostPort(a.linkLn.Addr().String())
	if ip := net.ParseIP(host); err == nil && !ip.IsUnspecified() {
		return "https://" + net.JoinHostPort(host, port)
	}
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return "https://" + net.JoinHostPort(name, port)
}

// proxies serves the API's requests about proxies.
type proxies struct{ *link.Hub }

func (p proxies) Token(ctx context.Context, name string, ttl time.Duration) (api.ProxyTicket, error) {
	token, until, err := p.NewToken(ctx, name, ttl)
	if err != nil {
		return api.ProxyTicket{}, err
	}
	return api.ProxyTicket{Token: token.String(), Controller: token.Address, ExpiresAt: until}, nil
}

// settings is what the controller hands to its proxies: how to get certificates. Files that the
// configuration names come with their content, by the name of the setting.
type settings struct {
	TLS   config.TLS        `json:"tls"`
	DNS   config.DNS        `json:"dns"`
	Files map[string]string `json:"files"`
}

// settingFiles are the settings that name files.
func (s *settings) settingFiles() map[string]*string {
	return map[string]*string{
		"tls.authority_ca": &s.TLS.AuthorityCA, "tls.eab_key_file": &s.TLS.EABKeyFile, "dns.key_file": &s.DNS.KeyFile,
	}
}

func settingsFor(cfg config.Config) ([]byte, error) {
	s := settings{TLS: cfg.TLS, DNS: cfg.DNS, Files: map[string]string{}}
	for field, path := range s.settingFiles() {
		content, err := secretIn(field, *path)
		if err != nil {
			return nil, err
		}
		if *path != "" {
			s.Files[field] = content
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the settings for proxies: %w", err)
	}
	return data, nil
}

// apply puts the controller's settings into the configuration of a proxy that has none of its
// own, and the files they need below its data folder.
func (s *settings) apply(cfg *config.Config) error {
	if cfg.TLS.Email != "" {
		return nil
	}
	dir := filepath.Join(cfg.DataDir, "settings")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the controller's settings: %w", err)
	}
	for field, path := range s.settingFiles() {
		content, there := s.Files[field]
		if *path = ""; !there {
			continue
		}
		*path = filepath.Join(dir, field)
		if err := proxy.WriteDurably(*path, []byte(content)); err != nil {
			return fmt.Errorf("keep the controller's settings: %w", err)
		}
	}
	storage := cfg.TLS.Storage // where it keeps certificates is its own matter
	cfg.TLS, cfg.DNS = s.TLS, s.DNS
	cfg.TLS.Storage = storage
	return nil
}
