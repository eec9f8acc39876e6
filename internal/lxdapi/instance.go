package lxdapi

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Instances lists the project's instances by name. Of those whose member does not answer LXD
// tells the name and location only: their status is Error and their configuration is empty.
//
// It is costly for LXD, some ten milliseconds of CPU for each instance, and as much again for
// each running one where addresses are asked for: it enters their network namespaces and
// measures their disks.
func (c *Client) Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error) {
	depth := "1"
	if withAddresses {
		depth = "2"
	}
	var found []api.InstanceFull
	if _, err := c.get(ctx, "/instances", recursion(depth), &found); err != nil {
		return nil, within(err, "list the instances")
	}
	list := make([]fleet.Instance, len(found))
	for i := range found {
		list[i] = instanceOf(&found[i].Instance)
		if found[i].State != nil {
			list[i].Addresses = globalAddresses(found[i].State)
		}
	}
	slices.SortFunc(list, func(a, b fleet.Instance) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Instance gives one instance, without addresses. It fails with fleet.NotFound where there is
// none, and fleet.Unavailable when its member is offline.
func (c *Client) Instance(ctx context.Context, name string) (fleet.Instance, error) {
	i, _, err := c.instance(ctx, name)
	if err != nil {
		return fleet.Instance{}, within(err, "read the instance %s", name)
	}
	return instanceOf(&i), nil
}

func (c *Client) instance(ctx context.Context, name string) (i api.Instance, etag string, err error) {
	etag, err = c.get(ctx, instancePath(name), nil, &i)
	if isCode(err, fleet.NotFound) {
		err = notFound(name)
	}
	return i, etag, err
}

func instanceOf(i *api.Instance) fleet.Instance {
	return fleet.Instance{
		Name: i.Name, Status: fleet.InstanceStatus(i.Status), Location: i.Location, Config: i.Config, Devices: i.Devices,
		Profiles: i.Profiles, Image: i.Config[keyBaseImage], CreatedAt: i.CreatedAt,
	}
}

// Addresses gives the global addresses of a running instance, IPv4 first; none while it has
// none yet, or is stopped.
func (c *Client) Addresses(ctx context.Context, name string) ([]string, error) {
	var state api.InstanceState
	_, err := c.get(ctx, instancePath(name)+"/state", nil, &state)
	if isCode(err, fleet.NotFound) {
		err = notFound(name)
	}
	if err != nil {
		return nil, within(err, "read the addresses of %s", name)
	}
	return globalAddresses(&state), nil
}

// reachable reports whether an address may be an instance's own. Root inside of it can claim any: the
// proxy's own loopback, or the link-local address where clouds hand out credentials, would
// otherwise be asked in the tenant's name.
func reachable(ip netip.Addr) bool {
	return ip.Unmap().IsGlobalUnicast() && ip.Zone() == "" // neither of both is, by netip's definition
}

// globalAddresses are sorted: IPv4 before IPv6, then by interface and as LXD tells them.
// Interfaces the instance made itself, such as a bridge of its own, come after those that
// have a counterpart on the member.
func globalAddresses(state *api.InstanceState) []string {
	type found struct {
		address string
		rank    int
		nic     string
	}
	var all []found
	for nic, network := range state.Network {
		if network.Type == "loopback" || nic == "lo" {
			continue
		}
		for _, a := range network.Addresses {
			ip, err := netip.ParseAddr(a.Address)
			if a.Scope != "global" || err != nil || !reachable(ip) {
				continue
			}
			rank := 0
			if !ip.Is4() {
				rank = 1
			}
			if network.HostName == "" {
				rank += 2
			}
			all = append(all, found{a.Address, rank, nic})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return strings.Compare(a.nic, b.nic)
	})
	addresses := make([]string, len(all))
	for i, a := range all {
		addresses[i] = a.address
	}
	return addresses
}
