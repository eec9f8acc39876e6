package lxdapi

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
// is asked again. The load is told by clusters of LXD 5.5 and later. A stand-alone server is one
// member, "none", always online.
func (c *Client) Members(ctx context.Context) ([]fleet.Member, error) {
	server, err := c.Server(ctx)
	if err != nil {
		return nil, within(err, "list the members")
	}
	members := []fleet.Member{{
		Name: standAlone, Online: true, Status: fleet.MemberOnline, Message: "Stand-alone server", Address: server.Address,
	}}
	if server.Clustered {
		if members, err = c.clusterMembers(ctx); err != nil {
			return nil, within(err, "list the members")
		}
	}
	pool, err := c.poolName(ctx)
	if err != nil {
		return nil, within(err, "list the members")
	}
	tellsLoad := server.Clustered && slices.Contains(server.Extensions, "cluster_member_state")
	var all sync.WaitGroup
	for i := range members {
		if members[i].Status != fleet.MemberOffline {
			all.Go(func() { c.measure(ctx, &members[i], pool, tellsLoad) })
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
		status := fleet.MemberStatus(m.Status)
		members[i] = fleet.Member{
			Name: m.ServerName, Online: status == fleet.MemberOnline, Status: status, Message: m.Message, Address: m.URL,
			Groups: slices.Sorted(slices.Values(m.Groups)), FailureDomain: m.FailureDomain, Roles: slices.Sorted(slices.Values(m.Roles)),
			Scheduler: cmp.Or(m.Config["scheduler.instance"], "all"),
		}
	}
	return members, nil
}

// measure fills in what the member uses, all answers at once.
func (c *Client) measure(ctx context.Context, m *fleet.Member, pool string, tellsLoad bool) {
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
	var all sync.WaitGroup
	all.Go(func() {
		c.machines.of(m.Name).fill(m, func(out any) error { return ask("/resources", out) })
	})
	all.Go(func() {
		var r api.ResourcesStoragePool
		if pool != "" && ask("/storage-pools/"+pool+"/resources", &r) == nil {
			m.PoolTotal, m.PoolUsed = fleet.Size(r.Space.Total), fleet.Size(r.Space.Used)
		}
	})
	if tellsLoad {
		all.Go(func() {
			var state api.ClusterMemberState
			if ask("/cluster/members/"+url.PathEscape(m.Name)+"/state", &state) == nil && len(state.SysInfo.LoadAverages) > 0 {
				m.Load = &state.SysInfo.LoadAverages[0]
			}
		})
	}
	all.Wait()
}

// MemberAddresses gives the address, without port, that each member is reached at by the others; a
// stand-alone server's is its first, and it has none where it does not listen on the network.
func (c *Client) MemberAddresses(ctx context.Context) (map[string]string, error) {
	server, err := c.serverInfo(ctx)
	if err != nil {
		return nil, within(err, "read the members' addresses")
	}
	addresses := map[string]string{}
	if !server.Environment.ServerClustered {
		if all := server.Environment.Addresses; len(all) > 0 {
			addresses[standAlone] = hostOf(all[0])
		}
		return addresses, nil
	}
	members, err := c.clusterMembers(ctx)
	if err != nil {
		return nil, within(err, "read the members' addresses")
	}
	for _, m := range members {
		addresses[m.Name] = hostOf(strings.TrimPrefix(m.Address, "https://"))
	}
	return addresses, nil
}

// hostOf is the address of host:port without the port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
