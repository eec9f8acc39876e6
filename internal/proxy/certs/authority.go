package certs

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/caddyserver/certmagic"
)

// authority is one ACME authority as certmagic knows it: by its own, so that each has its own
// time and its own reason to fail.
type authority struct {
	directory string
	key       string // of its certificates in storage
	challenge *certmagic.Config
	dns       *certmagic.Config // nil: there is no DNS-01
}

func (a authority) by(w way) *certmagic.Config {
	if w == byDNS {
		return a.dns
	}
	return a.challenge
}

// prepare makes certmagic's settings of ours.
func (k *Keeper) prepare() {
	logger := zapToSlog(k.log)
	k.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(cert certmagic.Certificate) (*certmagic.Config, error) {
			if len(cert.Names) > 0 && !k.asks(cert.Names[0]) {
				return k.internal, nil
			}
			return k.public, nil
		},
		Capacity: k.cfg.Capacity,
		Logger:   logger,
	})
	common := certmagic.Config{
		Storage:   k.cfg.Storage,
		KeySource: certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		Logger:    logger,
		// An order writes its limits to the storage before it begins.
		DisableStorageCheck: true,
		// With it certmagic's timer renews nothing by itself; see doc.go. Handshakes do not
		// reach its own orders.
		OnDemand: &certmagic.OnDemandConfig{DecisionFunc: k.decide},
		Issuers:  []certmagic.Issuer{},
		// One that is not yet due of an earlier authority is good enough.
		LoadFirstUsableCert: true,
	}
	own := common
	own.Issuers, own.DisableARI = []certmagic.Issuer{k.ca}, true
	own.OCSP = certmagic.OCSPConfig{DisableStapling: true}
	k.internal = certmagic.New(k.cache, own)
	if k.cfg.ACME == nil {
		k.public = k.internal
		return
	}
	common.RenewalWindowRatio = k.cfg.ACME.RenewBefore
	for _, a := range k.cfg.ACME.Authorities {
		k.asked = append(k.asked, k.authority(common, a))
	}
	loading := common
	loading.OnEvent = k.event
	for _, a := range k.asked {
		loading.Issuers = append(loading.Issuers, a.challenge.Issuers...)
	}
	k.public = certmagic.New(k.cache, loading)
}

func (k *Keeper) authority(common certmagic.Config, a Authority) authority {
	template := certmagic.ACMEIssuer{
		CA: a.Directory, TestCA: a.Directory, Email: k.cfg.ACME.Email, Agreed: true,
		ExternalAccount: a.ExternalAccount, TrustedRoots: a.Roots, Logger: common.Logger,
		DisableHTTPChallenge: k.cfg.HTTP == nil, DisableTLSALPNChallenge: k.cfg.HTTPS == nil,
	}
	// certmagic listens for challenges by itself where nobody does. At our own addresses it
	// finds us.
	template.ListenHost, template.AltHTTPPort = hostPort(k.cfg.HTTP)
	if k.cfg.HTTPS != nil {
		template.ListenHost, template.AltTLSALPNPort = hostPort(k.cfg.HTTPS)
	}
	out := authority{directory: a.Directory}
	with := func(t certmagic.ACMEIssuer) *certmagic.Config {
		c := certmagic.New(k.cache, common)
		var issuer certmagic.Issuer
		if k.cfg.issuer != nil {
			issuer = k.cfg.issuer(a.Directory)
		} else {
			issuer = certmagic.NewACMEIssuer(c, t)
		}
		c.Issuers = []certmagic.Issuer{issuer}
		out.key = issuer.IssuerKey()
		return c
	}
	out.challenge = with(template)
	if d := k.cfg.ACME.DNS; d != nil {
		template.DNS01Solver = &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
			DNSProvider: d.Provider, Resolvers: d.Resolvers, PropagationTimeout: max(d.Propagation, -1),
			Logger: common.Logger,
		}}
		out.dns = with(template)
	}
	return out
}

func hostPort(a net.Addr) (host string, port int) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return "", 0
	}
	if !tcp.IP.IsUnspecified() {
		host = tcp.IP.String()
	}
	return host, tcp.Port
}

// errElsewhere refuses what certmagic begins by itself; see doc.go.
var errElsewhere = certmagic.ErrNoRetry{Err: errors.New("orders are made by the schedule")}

// event follows what certmagic does with the certificates in memory. A revoked one is replaced
// as soon as possible.
func (k *Keeper) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cert_ocsp_revoked":
		subjects, _ := data["subjects"].([]string)
		for _, s := range subjects {
			k.mu.Lock()
			if e := k.entries[s]; e != nil && !e.revoked {
				e.revoked = true
				k.log.Warn("a certificate was revoked; it is replaced", "host", s)
			}
			k.mu.Unlock()
		}
		k.nudge()
	case "cert_obtaining":
		return errElsewhere
	}
	return nil
}

// decide tells certmagic whether a certificate may be kept in memory: it is of a host in the
// table.
func (k *Keeper) decide(_ context.Context, name string) error {
	probe := name
	if base, wild := strings.CutPrefix(name, "*."); wild {
		probe = "any." + base
	}
	if _, ok := k.cfg.Lookup(probe); !ok {
		return errors.New(name + " is not a host of any tenant")
	}
	return nil
}
