package certs

import (
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// way is how a certificate is had.
type way int

const (
	byCA        way = iota // signed by the internal CA
	byChallenge            // ACME: HTTP-01 or TLS-ALPN-01
	byDNS                  // ACME: DNS-01
	byNobody               // it cannot be had; see plan.why
)

// plan says which certificate serves a host.
type plan struct {
	subject string     // the name in it: the host, or a wildcard
	tenant  fleet.Name // whose limit an order counts for; empty for what all tenants share
	way     way
	why     string
}

func (p plan) acme() bool { return p.way == byChallenge || p.way == byDNS }

// plan decides for a host that route leads; for a wildcard route it decides for all its hosts.
func (k *Keeper) plan(host string, route fleet.Route) plan {
	domain := route.Domain
	own := plan{subject: string(domain), tenant: route.Tenant}
	if domain == "" {
		own.subject = host
		domain = fleet.Domain(host)
	}
	if !k.asks(string(domain)) {
		return own // byCA
	}
	a := k.cfg.ACME
	if a.DNS != nil {
		for _, base := range a.DNS.Wildcards {
			if !domain.Wildcard() && domain.Parent() == base || domain.Wildcard() && domain.Base() == base {
				return plan{subject: "*." + string(base), way: byDNS}
			}
		}
		for _, zone := range a.DNS.Zones {
			if domain.Base() == zone || domain.Base().Under(zone) {
				own.way = byDNS
				return own
			}
		}
	}
	own.way = byChallenge
	if domain.Wildcard() {
		// One certificate per name would let strangers order any number of them.
		own.way = byNobody
		own.why = "a wildcard's certificate needs DNS-01, and " + string(domain.Base()) + " is in none of dns.zones"
	}
	return own
}

// asks reports whether the ACME authorities are asked for subject, not the internal CA.
func (k *Keeper) asks(subject string) bool {
	a := k.cfg.ACME
	return a != nil && (a.Everything || !private(strings.TrimPrefix(subject, "*.")))
}

// private reports whether no public authority can know host: it has one label, or ends in a
// name that is kept out of the public DNS.
func private(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	switch last {
	case host, "localhost", "internal", "test", "invalid", "example", "lan", "local", "onion", "alt":
		return true
	}
	return strings.HasSuffix(host, ".home.arpa")
}
