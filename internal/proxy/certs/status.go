package certs

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Status tells how far the certificate for host is, from what all proxies of the storage know.
// host may be a wildcard. One that is not in the table has none. Errors are of code Unavailable.
func (k *Keeper) Status(ctx context.Context, host string) (fleet.Certificate, error) {
	out := fleet.Certificate{Host: host, State: fleet.CertificateNone}
	p, ok := k.planOf(host)
	if !ok {
		return out, nil
	}
	if p.way == byNobody {
		out.State, out.LastError = fleet.CertificateFailing, p.why
		return out, nil
	}
	issuer, leaf, err := k.stored(ctx, p)
	var rec record
	if err == nil && p.acme() {
		rec, err = k.loadRecord(ctx, p.subject)
	}
	if err != nil {
		return out, fleet.Errorf(fleet.Unavailable, "the certificate of %s cannot be looked up: %w", host, err).
			WithHint("see tls.storage in the configuration")
	}
	now := k.cfg.Now()
	out.LastError, out.LastTry, out.NextTry = rec.LastError, rec.LastTry, rec.NextTry
	k.mu.Lock()
	ordering := false
	if e := k.entries[p.subject]; e != nil {
		if rec.Failures == 0 && now.Before(e.next) { // what only this proxy knows
			out.LastError, out.LastTry, out.NextTry = e.reason, e.tried, e.next
		}
		ordering = e.run != nil && e.run.ordering || rec.Failures == 0 && now.Before(e.next) && e.tried.IsZero()
	}
	k.mu.Unlock()
	switch {
	case leaf != nil && now.Before(leaf.NotAfter):
		out.State = fleet.CertificateValid
	case ordering:
		out.State = fleet.CertificateOrdering
	case out.LastError != "":
		out.State = fleet.CertificateFailing
	}
	if leaf != nil {
		out.Issuer, out.NotBefore, out.NotAfter = issuer, leaf.NotBefore, leaf.NotAfter
	}
	return out, nil
}

// planOf finds the plan for a host, or a wildcard, that is in the table.
func (k *Keeper) planOf(host string) (plan, bool) {
	probe := host
	base, wild := strings.CutPrefix(host, "*.")
	if wild {
		probe = "any-host-below." + base // what the wildcard leads, unless somebody has that very name
	}
	route, ok := k.cfg.Lookup(probe)
	if !ok || wild && string(route.Domain) != host {
		return plan{}, false
	}
	return k.plan(probe, route), true
}

// stored gives the newest certificate for p and who signed it: a directory's URL, or "internal".
func (k *Keeper) stored(ctx context.Context, p plan) (issuer string, newest *x509.Certificate, err error) {
	names := map[string]string{k.ca.IssuerKey(): k.ca.IssuerKey()}
	for _, a := range k.asked {
		names[a.key] = a.directory
	}
	for _, key := range k.issuers(p) {
		data, err := k.cfg.Storage.Load(ctx, certmagic.StorageKeys.SiteCert(key, p.subject))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		block, _ := pem.Decode(data)
		if block == nil {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && (newest == nil || cert.NotBefore.After(newest.NotBefore)) {
			issuer, newest = names[key], cert
		}
	}
	return issuer, newest, nil
}

// Retry ends the back-off after failed orders for host: what is missing is ordered soon, by
// whichever proxy comes first. The last reason stays until then. A host without one is left as
// it is; limits hold. fleet.NotFound for a host that is not in the table.
func (k *Keeper) Retry(ctx context.Context, host string) error {
	p, ok := k.planOf(host)
	if !ok {
		return fleet.Errorf(fleet.NotFound, "%s is not a host of any tenant", host).WithField("domain").
			WithHint("add it with: lxdfleet domain add TENANT %s", host)
	}
	if p.acme() {
		if err := k.forgive(ctx, p.subject); err != nil {
			return fleet.Errorf(fleet.Unavailable, "the orders for %s cannot be written: %w", host, err).
				WithHint("see tls.storage in the configuration")
		}
	}
	k.mu.Lock()
	if e := k.entries[p.subject]; e != nil && e.run == nil {
		e.quiet, e.next, e.recheck, e.failures = time.Time{}, time.Time{}, time.Time{}, 0
		k.queue = append(k.queue, e)
	}
	k.mu.Unlock()
	k.nudge()
	return nil
}

// forgive ends a back-off in storage, if there is one.
func (k *Keeper) forgive(ctx context.Context, subject string) error {
	rec, err := k.loadRecord(ctx, subject)
	if err != nil || rec.Failures == 0 {
		return err
	}
	rec.Failures, rec.NextTry = 1, k.cfg.Now()
	return k.storeRecord(ctx, rec)
}
