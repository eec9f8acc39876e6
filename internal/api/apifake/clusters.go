package apifake

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/clusters"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Clusters are two: west, which is well, and east, which is away.
type Clusters struct{ fleet *Fleet }

func (c Clusters) all() []clusters.View {
	at := Now.Add(-20 * 24 * time.Hour)
	return []clusters.View{
		{
			Cluster:     fleet.Cluster{Name: "east", URL: "https://198.51.100.7:8443", Project: "lxdfleet", AddedAt: at, KeyAt: at},
			Fingerprint: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
			Problem:     "LXD does not answer: connection refused",
		},
		{
			Cluster:     fleet.Cluster{Name: "west", URL: "https://198.51.100.1:8443", Project: "lxdfleet", Pool: "tank", AddedAt: at, KeyAt: at},
			Fingerprint: "155551ed543ad1ed16bb82872af7ee227d9eb1c2c4ba868b8c017b47fda5dfc3", Version: "5.21.2",
			Members: []fleet.Member{
				{Name: "w1", Online: true, Message: "Fully operational", PoolTotal: 100 * fleet.GiB, PoolUsed: 20 * fleet.GiB, MemoryTotal: 16 * fleet.GiB, CPUs: 8},
				{Name: "w2", Message: "No heartbeat for 40s"},
			},
		},
	}
}

// List implements api.Clusters.
func (c Clusters) List(context.Context) ([]clusters.View, error) {
	return c.all(), c.fleet.called("Clusters")
}

// Get implements api.Clusters.
func (c Clusters) Get(_ context.Context, name fleet.Name) (clusters.View, error) {
	if err := c.fleet.called("Cluster", name); err != nil {
		return clusters.View{}, err
	}
	for _, v := range c.all() {
		if v.Name == name {
			return v, nil
		}
	}
	return clusters.View{}, fleet.Errorf(fleet.NotFound, "there is no cluster %s", name).WithHint("lxdfleet cluster list shows them")
}

// Record implements api.Clusters.
func (c Clusters) Record(_ context.Context, name fleet.Name) (clusters.View, error) {
	for _, v := range c.all() {
		if v.Name == name {
			return clusters.View{Cluster: v.Cluster, Fingerprint: v.Fingerprint}, nil
		}
	}
	return clusters.View{}, fleet.Errorf(fleet.NotFound, "there is no cluster %s", name)
}

// Add implements api.Clusters.
func (c Clusters) Add(_ context.Context, req clusters.AddRequest) (clusters.View, error) {
	if err := c.fleet.called("AddCluster", req); err != nil {
		return clusters.View{}, err
	}
	if req.Token == "" && req.Password == "" {
		return clusters.View{}, fleet.Errorf(fleet.Invalid, "without a token the cluster would not trust us").WithField("token").
			WithHint("on a member of that cluster run: lxc config trust add --name lxdfleet")
	}
	v := c.all()[1]
	v.Name, v.Prepared = fleet.Name(req.Name), "project  lxdfleet  created\n"
	return v, nil
}

// Rotate implements api.Clusters.
func (c Clusters) Rotate(_ context.Context, name fleet.Name) (clusters.View, error) {
	if err := c.fleet.called("RotateCluster", name); err != nil {
		return clusters.View{}, err
	}
	v, err := c.Get(context.Background(), name)
	v.KeyAt = Now
	return v, err
}

// Remove implements api.Clusters.
func (c Clusters) Remove(_ context.Context, name fleet.Name, force bool) error {
	if err := c.fleet.called("RemoveCluster", name, force); err != nil {
		return err
	}
	if name == "east" && !force {
		return fleet.Errorf(fleet.Unavailable, "the cluster east cannot be told to trust us no more: LXD does not answer").
			WithHint("forget it all the same: lxdfleet cluster remove --force east")
	}
	_, err := c.Get(context.Background(), name)
	return err
}
