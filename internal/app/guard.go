package app

import (
	"net/netip"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
)

// guardOf gives the bounds of what clients can take of the proxy.
func guardOf(cfg config.Proxy) proxy.GuardConfig {
	rate := int64(cfg.BodyRate)
	if rate == 0 {
		rate = -1 // the guard takes 0 for its own default
	}
	return proxy.GuardConfig{
		Trusted: prefixes(cfg.TrustedProxies), ProxyProtocol: prefixes(cfg.ProxyProtocol),
		MaxConns: cfg.MaxConnections, MaxPerAddress: cfg.MaxConnectionsPerAddress,
		Body:       guard.BodyLimits{MinRate: rate, Stall: cfg.BodyTimeout},
		WriteStall: cfg.WriteTimeout,
		Rules: fleet.GuardRules{
			Deny: prefixes(cfg.Deny), PerAddressPerSecond: float64(cfg.RatePerAddress), MaxBody: cfg.MaxBody,
		},
	}
}

// prefixes reads networks that the configuration has checked.
func prefixes(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := fleet.ParsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}
