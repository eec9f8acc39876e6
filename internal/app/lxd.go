package app

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/reach"
)

// connect reaches LXD. A lazy connection is made even while LXD is down; its calls fail until
// LXD is back.
func connect(ctx context.Context, cfg config.Config, log *slog.Logger, lazy bool) (*lxdapi.Client, error) {
	return lxdapi.Connect(ctx, lxdapi.Options{
		Socket: cfg.LXD.Socket, URL: cfg.LXD.URL,
		ClientCert: cfg.LXD.ClientCert, ClientKey: cfg.LXD.ClientKey, ServerCert: cfg.LXD.ServerCert,
		Project: cfg.LXD.Project, Pool: cfg.LXD.Pool, Lazy: lazy, Logger: log,
	})
}

// reached is an LXD cluster with the ways that lead to its instances.
type reached struct {
	*lxdapi.Client
	ways *reach.Reach
	stop context.CancelFunc // ends what looks after the ways; nil: nothing does by itself
}

// withWays is for the cluster that lxdfleet runs on.
func withWays(lxd *lxdapi.Client, cfg config.Config, log *slog.Logger) *reached {
	return waysTo(lxd, cfg, cfg.LXD.Project, cfg.LXD.URL == "", log)
}

func waysTo(lxd *lxdapi.Client, cfg config.Config, project string, local bool, log *slog.Logger) *reached {
	first, last, _ := cfg.Network.PortRange() // validated
	var subnets []netip.Prefix
	for _, s := range cfg.Network.Subnets {
		subnet, _ := fleet.ParsePrefix(s) // validated
		subnets = append(subnets, subnet)
	}
	return &reached{Client: lxd, ways: reach.New(lxd, reach.Options{
		Way: reach.Way(cfg.Network.Reach), First: first, Last: last, Listen: cfg.Network.Listen,
		Local: local, Project: project, Neighbours: reach.Kernel{}, Subnets: subnets, Logger: log,
	})}
}

// Close ends the connection.
func (l *reached) Close() {
	if l.stop != nil {
		l.stop()
	}
	l.Client.Close()
}

// Backends is that of reach.Reach, as are the methods that follow.
func (l *reached) Backends(ctx context.Context, name string, port int) ([]fleet.Backend, error) {
	return l.ways.Backends(ctx, name, port)
}

func (l *reached) Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error) {
	return l.ways.Instances(ctx, withAddresses)
}

func (l *reached) EnsureStarted(ctx context.Context, name string) error {
	return l.ways.EnsureStarted(ctx, name)
}

func (l *reached) EnsureDeleted(ctx context.Context, name string) error {
	return l.ways.EnsureDeleted(ctx, name)
}
