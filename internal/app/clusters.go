package app

import (
	"bytes"
	"context"
	"path/filepath"

	"github.com/lxdfleet/lxdfleet/internal/clusters"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

// wireClusters makes what knows other clusters.
func (a *App) wireClusters() {
	a.clusters = clusters.NewService(clusters.Deps[*lxdapi.Client]{
		Store: a.store, Dir: filepath.Join(a.cfg.DataDir, "clusters"),
		Dial: func(ctx context.Context, c fleet.Cluster, p clusters.Pair) (*lxdapi.Client, error) {
			return lxdapi.Connect(ctx, lxdapi.Options{
				URL: c.URL, ServerCert: c.ServerCert, ClientCert: p.Cert, ClientKey: p.Key,
				Project: c.Project, Pool: c.Pool, Lazy: true, Logger: a.log,
			})
		},
		Greet: lxdapi.ServerCertificate, Fingerprint: lxdapi.Fingerprint, Own: a.lxd.Certificate,
		Prepare: func(ctx context.Context, lxd *lxdapi.Client, c fleet.Cluster) (string, error) {
			return prepareCluster(ctx, lxd, c, a.cfg)
		},
		Logger: a.log,
	})
	a.onRelease(a.clusters.Close)
}

// prepareCluster makes there what `lxdfleet init` makes here.
func prepareCluster(ctx context.Context, lxd *lxdapi.Client, c fleet.Cluster, cfg config.Config) (string, error) {
	opts := setupOptions(cfg)
	opts.Project, opts.Pool, opts.Network, opts.Elsewhere = c.Project, c.Pool, c.Network, true
	var told bytes.Buffer
	err := setup.Init(ctx, lxd, opts, &told)
	return told.String(), err
}
