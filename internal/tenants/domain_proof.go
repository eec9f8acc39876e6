package tenants

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Verify says which domains are served only once a TXT record proves that their owner wants it.
type Verify string

// What must be proven.
const (
	// VerifyAuto: names of the public DNS, and names below another tenant's domain.
	VerifyAuto Verify = "auto"
	// VerifyAlways: every name that is not below the base domain.
	VerifyAlways Verify = "always"
	// VerifyNever: none. A name that another tenant has stays its own.
	VerifyNever Verify = "never"
)

const (
	proofLabel  = "_lxdfleet."
	proofPrefix = "lxdfleet="
	dnsTimeout  = 5 * time.Second
)

// proofRecord is the TXT record that proves to us that the tenant may have d. The token is
// bound to this tenant and this name by the tenant's id, which no other fleet has; so nothing
// has to be kept, and a recovered fleet asks for the same records.
func proofRecord(id string, d fleet.Domain) DNSRecord {
	mac := hmac.New(sha256.New, []byte(id))
	_, _ = mac.Write([]byte("lxdfleet domain proof " + d.Base().String()))
	token := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:20])
	return DNSRecord{Type: "TXT", Name: proofLabel + d.Base().String(), Value: proofPrefix + strings.ToLower(token)}
}

// proven looks for the proof that the tenant with the id may have d; missing says why it is not
// found.
func (s *Service) proven(ctx context.Context, id string, d fleet.Domain) (missing string) {
	want := proofRecord(id, d)
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	found, err := s.DNS.LookupTXT(ctx, want.Name+".")
	switch {
	case err == nil && slices.ContainsFunc(found, func(txt string) bool { return strings.TrimSpace(txt) == want.Value }):
		return ""
	case err == nil && len(found) > 0:
		return fmt.Sprintf("no TXT record of %s is %s", want.Name, want.Value)
	case err == nil || notInDNS(err):
		return "there is no TXT record " + want.Name
	}
	return fmt.Sprintf("DNS does not tell: %v", err)
}

// proofNeeded says why the tenant has to prove that it may have d; empty: it has not to.
func (s *Service) proofNeeded(ctx context.Context, t fleet.Tenant, d fleet.Domain) (why string, err error) {
	base := fleet.Domain(strings.TrimPrefix(s.opt.BaseDomain, "."))
	ours := base != "" && d.Under(base) && d.Base() != base
	if s.opt.Verify == VerifyNever || ours && d.Parent() == base {
		return "", nil
	}
	above, owner, err := s.ownerAbove(ctx, t.ID, d)
	switch {
	case err != nil:
		return "", err
	case above != "":
		return fmt.Sprintf("it is below %s, which belongs to tenant %s", above, owner), nil
	case ours || provenAbove(t, d):
		return "", nil
	case s.opt.Verify == VerifyAlways:
		return "every domain has to be proven", nil
	case public(d):
		return "it is a name of the public DNS", nil
	}
	return "", nil
}

// ownerAbove finds a domain above d that is served for another tenant than the one with the id.
func (s *Service) ownerAbove(ctx context.Context, id string, d fleet.Domain) (above fleet.Domain, owner fleet.Name, err error) {
	for parent := d.Base(); strings.Contains(parent.String(), "."); parent = parent.Parent() {
		for _, candidate := range []fleet.Domain{parent, "*." + parent} {
			if candidate == d || parent == d.Base() && candidate.Wildcard() {
				continue // d itself, or the wildcard below it
			}
			t, err := s.Store.TenantByDomain(ctx, candidate)
			if err == nil && t.ID != id && !t.DomainSettings[candidate].Pending {
				return candidate, t.Name, nil
			}
			if err != nil && fleet.CodeOf(err) != fleet.NotFound {
				return "", "", fmt.Errorf("look for the domain %s: %w", candidate, err)
			}
		}
	}
	return "", "", nil
}

// provenAbove reports whether the tenant has proven that it may have a domain above d, or the
// base of the wildcard d.
func provenAbove(t fleet.Tenant, d fleet.Domain) bool {
	for _, own := range t.Domains {
		set := t.DomainSettings[own]
		if own != d && !set.Pending && !set.VerifiedAt.IsZero() && (d.Base() == own.Base() || d.Under(own.Base())) {
			return true
		}
	}
	return false
}

// public reports whether d is a name that the public DNS can have. Those below localhost, test,
// internal, local and the like are none.
func public(d fleet.Domain) bool {
	suffix, icann := publicsuffix.PublicSuffix(d.Base().String())
	if suffix == "home.arpa" || suffix == "onion" { // listed, but not of the public DNS
		return false
	}
	return icann || strings.Contains(suffix, ".")
}

// notInDNS reports whether err says that there is no such name or record.
func notInDNS(err error) bool {
	d, ok := errors.AsType[*net.DNSError](err)
	return ok && d.IsNotFound
}
