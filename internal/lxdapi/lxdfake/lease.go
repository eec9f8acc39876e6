package lxdfake

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Leases lists the addresses that instances got when they started, with the hardware address that their
// configuration says; none for those where it says none.
func (l *LXD) Leases(ctx context.Context, network string) (_ []fleet.Lease, err error) {
	end, err := l.begin(ctx, "Leases", network)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	if err := l.hasNetwork(network); err != nil {
		return nil, err
	}
	var leases []fleet.Lease
	for _, i := range l.instances {
		mac := i.config["volatile.eth0.hwaddr"]
		if mac == "" || i.status != fleet.InstanceRunning {
			continue
		}
		for _, address := range i.leased {
			leases = append(leases, fleet.Lease{Address: address, HardwareAddress: mac})
		}
	}
	return leases, nil
}

// Subnets gives those that the network's configuration says.
func (l *LXD) Subnets(ctx context.Context, network, _ string) (subnets []netip.Prefix, err error) {
	end, err := l.begin(ctx, "Subnets", network)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	i := slices.IndexFunc(l.opts.Networks, func(n fleet.Network) bool { return n.Name == network })
	if i < 0 {
		return nil, fleet.Errorf(fleet.NotFound, "the network %s does not exist", network)
	}
	for _, key := range []string{"ipv4.address", "ipv6.address"} {
		if p, err := netip.ParsePrefix(strings.TrimSpace(l.opts.Networks[i].Config[key])); err == nil {
			subnets = append(subnets, p)
		}
	}
	return subnets, nil
}
