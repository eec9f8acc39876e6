package certs

import (
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

const (
	// challengeProtocol is the ALPN protocol of a TLS-ALPN-01 validation.
	challengeProtocol = acmez.ACMETLS1Protocol
	// mostLookups bounds the reads of the storage for challenges of other proxies, per second.
	mostLookups = 50
)

var errNoChallenge = errors.New("there is no challenge for this name")

// HandleHTTPChallenge answers the HTTP-01 validation of a host whose order this proxy or
// another one with the same storage has made; false for any other request, which is left as it
// is.
func (k *Keeper) HandleHTTPChallenge(w http.ResponseWriter, r *http.Request) bool {
	if !certmagic.LooksLikeHTTPChallenge(r) {
		return false
	}
	host := r.Host
	for i := range len(host) {
		if host[i] == ':' {
			host = host[:i]
			break
		}
	}
	if !k.challenged(canonical(host)) {
		return false
	}
	// Any issuer of the settings that know all authorities will do; these belong to one each.
	for _, a := range k.asked {
		for _, issuer := range a.challenge.Issuers {
			if acme, ok := issuer.(*certmagic.ACMEIssuer); ok && acme.HandleHTTPChallenge(w, r) {
				return true
			}
		}
	}
	return false
}

// answerTLS answers a TLS-ALPN-01 validation.
func (k *Keeper) answerTLS(host string, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !k.challenged(host) {
		return nil, errNoChallenge
	}
	return k.public.GetCertificateWithContext(hello.Context(), hello)
}

// challenged reports whether it is worth to look for a challenge for host: one of ours is in
// memory; for those of other proxies the storage has to be read, which strangers cannot cause,
// and others only so often.
func (k *Keeper) challenged(host string) bool {
	route, ok := k.cfg.Lookup(host)
	if !ok || k.plan(host, route).way != byChallenge {
		return false
	}
	if _, ours := certmagic.GetACMEChallenge(host); ours {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lookups.take(k.cfg.Now(), mostLookups, time.Second, 0) == 0
}
