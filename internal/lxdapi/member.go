package lxdapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// memberTimeout bounds what one member may take to tell its resources: a member that is gone
// but still counted as online must not hold up the list.
const memberTimeout = 3 * time.Second

// Members lists the members with their memory, CPUs and use of the pool; what is said of
// memory may be ten minutes old (resourcesEvery). A member that is offline, or does not answer
// within three seconds, has zeros there; of memory and CPUs what it told before may stand until it
// is asked again. A stand-alone server is one member, "none", always online.
func (c *Client) Members(ctx context.Context) ([]fleet.Member, error) {
	server, err := c.Server(ctx)
	if err != nil {
		return nil, within(err, "list the members")
	}
	members := []fleet.Member{{Name: standAlone, Online: true, Message: "Stand-alone server", Address: server.Address}}
	if server.Clustered {
		if members, err = c.clusterMembers(ctx); err != nil {
			return nil, within(err, "list the members")
		}
	}
	pool, err := c.poolName(ctx)
	if err != nil {
		return nil, within(err, "list the members")
	}
	var all sync.WaitGroup
	for i := range members {
		if members[i].Online {
			all.Go(func() { c.measure(ctx, &members[i], pool) })
		} else {
			c.machines.forget(members[i].Name)
		}
	}
	all.Wait()
	return members, ctx.Err()
}

func (c *Client) clusterMembers(ctx context.Context) ([]fleet.Member, error) {
	var found []api.ClusterMember
	if err := c.getGlobal(ctx, "/cluster/members", recursion("1"), &found); err != nil {
		return nil, err
	}
	members := make([]fleet.Member, len(found))
	for i, m := range found {
		members[i] = fleet.Member{Name: m.ServerName, Online: m.Status == memberOnline, Message: m.Message, Address: m.URL}
	}
	return members, nil
}

// memberOnline is LXD's status of a member that answers and takes instances.
const memberOnline = "Online"

// measure fills in what the member uses, both answers at once.
func (c *Client) measure(ctx context.Context, m *fleet.Member, pool string) {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	target := m.Name
	if target == standAlone {
		target = ""
	}
	ask := func(path string, out any) error {
		_, err := c.call(ctx, request{method: http.MethodGet, path: path, global: true, target: target}, out)
		if err != nil {
			c.log.Debug("read a member's resources", "member", m.Name, "path", path, "error", err)
		}
		return err
	}
	var both sync.WaitGroup
	both.Go(func() {
		c.machines.of(m.Name).fill(m, func(out any) error { return ask("/resources", out) })
	})
	both.Go(func() {
		var r api.ResourcesStoragePool
		if pool != "" && ask("/storage-pools/"+pool+"/resources", &r) == nil {
			m.PoolTotal, m.PoolUsed = fleet.Size(r.Space.Total), fleet.Size(r.Space.Used)
		}
	})
	both.Wait()
}
