package config

import (
	"net"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func checkNetwork(c Config) *fleet.Error {
	n := c.Network
	if !slices.Contains([]string{"auto", "direct", "device", "forward"}, n.Reach) {
		return invalid("network.reach", "write auto, direct, device or forward", "%q does not say how instances are reached", n.Reach)
	}
	if _, _, err := n.PortRange(); err != nil {
		return invalid("network.ports", "write the first and the last, such as 20000-29999", "%v", err)
	}
	if n.Listen != "" && net.ParseIP(n.Listen) == nil {
		return invalid("network.listen", "write an IP address, or 0.0.0.0 for all addresses of each member", "%q is not an IP address", n.Listen)
	}
	for _, s := range n.Subnets {
		if _, err := fleet.ParsePrefix(s); err != nil {
			return invalid("network.subnets", "write networks as 203.0.113.0/24, or single addresses", "%q is not a network", s)
		}
	}
	return nil
}
