package app

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/clusters"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/realm"
	"github.com/lxdfleet/lxdfleet/internal/reach"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

// wireClusters makes what knows other clusters, and has all of them be one for what works on tenants.
func (a *App) wireClusters(ctx context.Context) (err error) {
	a.clusters = clusters.NewService(clusters.Deps[*reached]{
		Store: a.store, Dir: filepath.Join(a.cfg.DataDir, "clusters"), Dial: a.dialCluster,
		Greet: lxdapi.ServerCertificate, Fingerprint: lxdapi.Fingerprint, Own: a.home.Certificate,
		Changed: a.clustersChanged, InUse: a.clusterInUse,
		Prepare: func(ctx context.Context, lxd *reached, c fleet.Cluster) (string, error) {
			return prepareCluster(ctx, lxd.Client, c, a.cfg)
		},
		Logger: a.log,
	})
	a.onRelease(a.clusters.Close)
	a.lxd, err = realm.New(ctx, a.home, realm.Options{
		Clusters: neighbours{a}, Link: linked, Settled: a.settled, Local: reach.DeviceName, Logger: a.log,
	})
	return err
}

// dialCluster connects to another cluster. What leads to its instances is looked after until the
// connection is closed.
func (a *App) dialCluster(ctx context.Context, c fleet.Cluster, p clusters.Pair) (*reached, error) {
	lxd, err := lxdapi.Connect(ctx, lxdapi.Options{
		URL: c.URL, ServerCert: c.ServerCert, ClientCert: p.Cert, ClientKey: p.Key,
		Project: c.Project, Pool: c.Pool, Lazy: true, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	r := waysTo(lxd, a.cfg, c.Project, false, a.log)
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	go r.ways.Keep(ctx)
	return r, nil
}

// prepareCluster makes there what `lxdfleet init` makes here.
func prepareCluster(ctx context.Context, lxd *lxdapi.Client, c fleet.Cluster, cfg config.Config) (string, error) {
	opts := setupOptions(cfg)
	opts.Project, opts.Pool, opts.Network, opts.Elsewhere = c.Project, c.Pool, c.Network, true
	var told bytes.Buffer
	err := setup.Init(ctx, lxd, opts, &told)
	return told.String(), err
}

func (a *App) clustersChanged(ctx context.Context) {
	if err := a.lxd.Read(context.WithoutCancel(ctx)); err != nil {
		a.log.Warn("a change of the clusters is not followed yet", "error", err)
	}
}

// clusterInUse implements clusters.Deps.InUse.
func (a *App) clusterInUse(ctx context.Context, name fleet.Name) (what string, away bool, err error) {
	settled, err := a.settled(ctx)
	if err != nil {
		return "", false, err
	}
	var found []string
	for instance, member := range settled {
		if fleet.ClusterOf(member) == name.String() {
			found = append(found, instance)
		}
	}
	all, err := a.lxd.Instances(ctx, false)
	if err != nil {
		return "", false, fmt.Errorf("list instances: %w", err)
	}
	for _, inst := range all {
		_, known := settled[inst.Name]
		if !known && fleet.ClusterOf(inst.Location) == name.String() && inst.Config[fleet.KeyRole] != "" {
			found = append(found, inst.Name)
		}
	}
	away = a.lxd.Away(name.String())
	if len(found) == 0 {
		return "", away, nil
	}
	what = fmt.Sprintf("%d instances of lxdfleet's, such as %s", len(found), found[0])
	if len(found) == 1 {
		what = "the instance " + found[0]
	}
	return what, away, nil
}

// settled implements realm.Options.Settled: where the store says that tenants in other clusters are.
func (a *App) settled(ctx context.Context) (map[string]string, error) {
	all, err := a.store.Tenants(ctx, fleet.TenantFilter{})
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	settled := map[string]string{}
	for _, t := range all {
		if strings.Contains(t.Member, ":") {
			settled[t.Name.String()] = t.Member
		}
	}
	return settled, nil
}

// direct reports whether the own addresses of instances on the member can be dialled.
func (a *App) direct(ctx context.Context, member string) bool {
	cluster := fleet.ClusterOf(member)
	if cluster == "" {
		return a.home.ways.Direct(ctx)
	}
	lxd, err := a.clusters.Client(ctx, fleet.Name(cluster))
	return err == nil && lxd.ways.Direct(ctx)
}

// homely are the images' cluster, which is the one that lxdfleet runs on.
type homely struct {
	*reached
	all *realm.Realm
}

// EnsureImageDeleted deletes an image also where it was sent.
func (h homely) EnsureImageDeleted(ctx context.Context, fingerprint string) error {
	return h.all.EnsureImageDeleted(ctx, fingerprint)
}

// linked implements realm.Options.Link.
func linked(source, target realm.LXD) realm.Copier {
	return lxdapi.Link{Source: source.(*reached).Client, Target: target.(*reached).Client} //nolint:errcheck,forcetypeassert // there are no others
}

// neighbours are the other clusters.
type neighbours struct{ *App }

// Names implements realm.Clusters.
func (n neighbours) Names(ctx context.Context) ([]string, error) {
	list, err := n.store.Clusters(ctx)
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name.String()
	}
	return names, err
}

// Dial implements realm.Clusters.
func (n neighbours) Dial(ctx context.Context, cluster string) (realm.LXD, error) {
	return n.clusters.Client(ctx, fleet.Name(cluster))
}
