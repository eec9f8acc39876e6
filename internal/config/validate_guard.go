package config

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// checkGuard checks what clients of the proxy can take.
func checkGuard(p Proxy) *fleet.Error {
	for _, list := range []struct {
		field    string
		networks []string
	}{
		{"proxy.trusted_proxies", p.TrustedProxies}, {"proxy.proxy_protocol", p.ProxyProtocol}, {"proxy.deny", p.Deny},
	} {
		for _, s := range list.networks {
			if _, err := fleet.ParsePrefix(s); err != nil {
				return invalid(list.field, "write networks as 203.0.113.0/24, or single addresses", "%q is not a network", s)
			}
		}
	}
	for _, n := range []struct {
		field string
		value int
	}{
		{"proxy.max_connections", p.MaxConnections},
		{"proxy.max_connections_per_address", p.MaxConnectionsPerAddress},
		{"proxy.rate_per_address", p.RatePerAddress},
	} {
		if n.value < 0 || n.value > 1e6 {
			return invalid(n.field, "write a number from 0 to 1000000; 0 means no limit", "%d is out of range", n.value)
		}
	}
	if p.MaxHeader < 4*fleet.KiB || p.MaxHeader > fleet.MiB {
		return invalid("proxy.max_header", "write a size from 4KiB to 1MiB", "%s is not a sensible limit", p.MaxHeader)
	}
	if p.BodyRate > 10*fleet.MiB {
		return invalid("proxy.body_rate", "write a size of at most 10MiB", "%s in a second is more than many clients can send", p.BodyRate)
	}
	return nil
}
