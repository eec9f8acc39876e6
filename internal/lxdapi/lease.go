package lxdapi

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Leases lists the addresses that a network of LXD's keeps for the network devices of the project's
// instances, or gave to them by DHCP, at all members. Those of which LXD does not tell whose they are
// are left out. It fails with fleet.NotFound where there is no such network, and while a member is
// offline.
func (c *Client) Leases(ctx context.Context, network string) ([]fleet.Lease, error) {
	var found []api.NetworkLease
	if _, err := c.get(ctx, "/networks/"+url.PathEscape(network)+"/leases", nil, &found); err != nil {
		return nil, within(err, "read the leases of the network %s", network)
	}
	leases := make([]fleet.Lease, 0, len(found))
	for _, l := range found {
		if l.Hwaddr != "" {
			leases = append(leases, fleet.Lease{Address: l.Address, HardwareAddress: l.Hwaddr})
		}
	}
	return leases, nil
}

// Subnets gives the subnets of a network at a member, each with the member's own address in it, whether
// LXD manages the network or not; none where the member has no address there. A missing network is
// fleet.NotFound.
func (c *Client) Subnets(ctx context.Context, network, member string) ([]netip.Prefix, error) {
	var state api.NetworkState
	query := url.Values{}
	if target := targetOf(member); target != "" {
		query.Set("target", target)
	}
	if err := c.getGlobal(ctx, "/networks/"+url.PathEscape(network)+"/state", query, &state); err != nil {
		return nil, within(err, "read the subnets of the network %s at %s", network, member)
	}
	var subnets []netip.Prefix
	for _, a := range state.Addresses {
		if a.Scope != "global" {
			continue
		}
		p, err := netip.ParsePrefix(fmt.Sprintf("%s/%s", a.Address, a.Netmask))
		if err == nil && p.Bits() < p.Addr().BitLen() {
			subnets = append(subnets, p)
		}
	}
	return subnets, nil
}
