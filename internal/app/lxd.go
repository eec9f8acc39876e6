package app

import (
	"context"
	"log/slog"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
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
