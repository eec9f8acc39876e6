//go:build benchapi

package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
	"github.com/lxdfleet/lxdfleet/internal/store"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// The measured process is this test's binary once more: what asks has a memory of its own.
const (
	servedDSN    = "LXDFLEET_BENCH_DSN"
	servedFolder = "LXDFLEET_BENCH_FOLDER"
)

// served is what the measured process tells of itself once it is ready.
type served struct{ Address, Token, CA string }

func TestMain(m *testing.M) {
	if dsn := os.Getenv(servedDSN); dsn != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := serveMany(ctx, dsn, os.Getenv(servedFolder))
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// always finds every tenant well: there is nothing behind the fake's addresses.
type always struct{}

func (always) Probe(context.Context, string, string, fleet.HealthCheck) error { return nil }

// serveMany is a daemon's API over HTTPS, with the real store, accounts and observer, whose LXD is
// the fake one with all those instances.
func serveMany(ctx context.Context, dsn, folder string) error {
	s, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer s.Close()
	lxd := lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2", "n3"}})
	if err := fillMany(ctx, s, lxd); err != nil {
		return err
	}
	feed := api.NewFeed(1000, time.Now)
	observer := tenants.NewObserver(lxd, s, s, always{}, tenants.ObserverOptions{
		Changed: func(name string) {
			feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/" + name, At: time.Now()})
		},
	})
	if err := observer.Resync(ctx); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { defer close(ended); observer.Run(ctx) }()
	defer func() { <-ended }()
	engine := jobs.NewEngine(s, jobs.NewRegistry(), jobs.Options{})
	service := tenants.NewService(tenants.ServiceDeps{LXD: lxd, Store: s, Images: s, Jobs: s, Submit: engine, Observer: observer}, tenants.ServiceOptions{})
	people := accounts.NewService(s, accounts.Options{})
	if _, err := people.CreateUser(ctx, fleet.User{Name: "anna", Role: fleet.RoleAdmin}, ""); err != nil {
		return err
	}
	_, token, err := people.CreateToken(ctx, fleet.Caller{User: "anna", Role: fleet.RoleAdmin}, accounts.TokenRequest{Name: "bench"})
	if err != nil {
		return err
	}
	o := apifake.New().Options(folder)
	o.Tenants, o.Domains, o.Placement, o.Jobs, o.Accounts, o.Feed, o.Now = service, service, service, engine, people, feed, time.Now
	o.Plans, o.Routes, o.LXD, o.Ping = lxd.Profiles, observer.Routes, lxd.Server, s.Ping
	server, err := api.New(o)
	if err != nil {
		return err
	}
	return offer(ctx, server, token, folder)
}

// offer serves over HTTPS as the daemon does, and tells where.
func offer(ctx context.Context, server *api.Server, token, folder string) error {
	ca, err := certs.OpenCA(ctx, &certmagic.FileStorage{Path: folder}, "bench")
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return err
	}
	address := fmt.Sprintf("https://localhost:%d", ln.Addr().(*net.TCPAddr).Port)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
	defer stop()
	if err := json.NewEncoder(os.Stdout).Encode(served{address, token, string(ca.Export())}); err != nil {
		return err
	}
	return server.ServeTLS(ln, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: newOwnCerts(ca, address, time.Now).get})
}
