package certs

import (
	"crypto/x509"
	"log/slog"
	"net"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Config is what a Keeper is made of. Zero fields take the defaults named here.
type Config struct {
	// Storage keeps authority, accounts, certificates and orders. It has to be set.
	Storage certmagic.Storage
	// Lookup gives the route of a host in the form of a fleet.Domain, from the current table.
	// It is called in every handshake. It has to be set.
	Lookup func(host string) (fleet.Route, bool)
	// CAName is the name people see in their trust store; default "lxdfleet internal CA".
	CAName string
	// Capacity is how many certificates are kept in memory; default 2,000. Others are read from
	// Storage when they are asked for.
	Capacity int
	// ACME says how to get certificates from ACME authorities; nil: all are the internal CA's.
	ACME *ACME
	// HTTP and HTTPS are the addresses that the proxy listens on; nil: that challenge is not
	// used. Authorities ask port 80 and 443: something has to lead those there.
	HTTP, HTTPS net.Addr
	// Every is how often what has to be done ahead is looked through; default 30 s.
	Every time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Log takes what goes wrong; default: nothing is logged.
	Log *slog.Logger

	// issuer stands in for an authority, in tests.
	issuer func(directory string) certmagic.Issuer
}

// ACME is how certificates are had from ACME authorities.
type ACME struct {
	// Email is where an authority writes to when something is wrong. It has to be set.
	Email string
	// Authorities are asked in this order, until one gives a certificate. There has to be one.
	Authorities []Authority
	// Everything asks them also for names without public DNS, which the internal CA would
	// sign otherwise: for a private ACME authority.
	Everything bool
	// DNS is the way to prove names by TXT records; nil: there is none.
	DNS *DNS
	// PerHour and TenantPerHour bound the orders of all proxies together and those for one
	// tenant's hosts; default 50 and 10. Renewals count for the first only.
	PerHour, TenantPerHour int
	// RenewBefore is the last part of a certificate's life in which it is renewed, between 0
	// and 1; default a third.
	RenewBefore float64
}

// Authority is an ACME certificate authority.
type Authority struct {
	// Directory is its URL.
	Directory string
	// ExternalAccount binds the account to one that was made there before; nil: none.
	ExternalAccount *acme.EAB
	// Roots are what its own HTTPS certificate has to come from; nil: the system's.
	Roots *x509.CertPool
}

// DNS is how TXT records are written.
type DNS struct {
	// Provider writes them.
	Provider certmagic.DNSProvider
	// Zones are the domains below which (and at which) Provider may write.
	Zones []fleet.Domain
	// Wildcards are domains for whose hosts, one label below, one wildcard certificate is used.
	// Each is in one of Zones.
	Wildcards []fleet.Domain
	// Resolvers are asked whether a record is there, as address:port; empty: the system's, and
	// the zone's own servers.
	Resolvers []string
	// Propagation is the longest to wait for that; default 2 min, negative: it is not asked.
	Propagation time.Duration
}

func (c Config) withDefaults() Config {
	or(&c.CAName, "lxdfleet internal CA")
	or(&c.Capacity, 2000)
	or(&c.Every, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.ACME != nil {
		a := *c.ACME
		or(&a.PerHour, 50)
		or(&a.TenantPerHour, 10)
		or(&a.RenewBefore, 1.0/3)
		c.ACME = &a
	}
	return c
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) validate() error {
	if c.Storage == nil || c.Lookup == nil {
		return fleet.Errorf(fleet.Invalid, "there is no certificate storage or no table").WithField("storage")
	}
	if a := c.ACME; a != nil && (a.Email == "" || len(a.Authorities) == 0) {
		return fleet.Errorf(fleet.Invalid, "ACME needs an e-mail address and an authority").WithField("tls.email").
			WithHint("set tls.email")
	}
	return nil
}
