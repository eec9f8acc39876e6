package tenants

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Resolver looks names up in DNS; net.Resolver is one. Names end with a dot.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// NewResolver makes a Resolver that asks the DNS server at address:port, or those of the
// system where address is empty.
func NewResolver(address string) Resolver {
	if address == "" {
		return &net.Resolver{}
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "53") // an address without a port
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
}

// DNSRecord is a record of DNS.
type DNSRecord struct {
	Type  string
	Name  string
	Value string
}

// DNSSeen is what DNS says of a domain.
type DNSSeen struct {
	Addresses []string // A and AAAA, sorted
	CNAME     string   // empty: none
	Proof     []string // TXT records where the proof is looked for
	Error     string   // why no address was found
}

// PreviewDomain tells what DNS says of a domain, whoever has it, and which records are missing for
// it to lead to the proxy.
func (s *Service) PreviewDomain(ctx context.Context, domain string) (DomainView, error) {
	d, err := fleet.ParseDomainPattern(domain)
	if err != nil {
		return DomainView{}, err
	}
	v := DomainView{Domain: d, DNS: s.lookUp(ctx, d)}
	v.ToSet = s.toSet(ctx, fleet.Tenant{}, d, v.DNS)
	return v, nil
}

// lookUp asks DNS for d. Of a wildcard it asks for a name that the wildcard covers.
func (s *Service) lookUp(ctx context.Context, d fleet.Domain) DNSSeen {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	host := d.String() + "."
	if d.Wildcard() {
		host = "lxdfleet-check." + d.Base().String() + "."
	}
	var seen DNSSeen
	var asking sync.WaitGroup
	asking.Go(func() {
		addresses, err := s.DNS.LookupNetIP(ctx, "ip", host)
		switch {
		case err != nil && notInDNS(err):
			seen.Error = "DNS has no address for it"
		case err != nil:
			seen.Error = err.Error()
		}
		seen.Addresses = sorted(addresses)
	})
	asking.Go(func() {
		if name, err := s.DNS.LookupCNAME(ctx, host); err == nil && !strings.EqualFold(name, host) {
			seen.CNAME = strings.ToLower(strings.TrimSuffix(name, "."))
		}
	})
	asking.Go(func() {
		if found, err := s.DNS.LookupTXT(ctx, proofLabel+d.Base().String()+"."); err == nil {
			seen.Proof = slices.Sorted(slices.Values(found))
		}
	})
	asking.Wait()
	return seen
}

func sorted(addresses []netip.Addr) []string {
	slices.SortFunc(addresses, netip.Addr.Compare)
	var all []string
	for _, a := range addresses {
		all = append(all, a.Unmap().String())
	}
	return slices.Compact(all)
}

// toSet lists the records that somebody has to set so that d is served: the proof where it is
// missing, and those that lead to the proxy, where it is known what leads there.
func (s *Service) toSet(ctx context.Context, t fleet.Tenant, d fleet.Domain, seen DNSSeen) []DNSRecord {
	var records []DNSRecord
	if proof := proofRecord(t.ID, d); t.DomainSettings[d].Pending && !slices.Contains(seen.Proof, proof.Value) {
		records = append(records, proof)
	}
	if s.opt.Target == "" || !public(d) {
		return records
	}
	wanted := s.targets(ctx)
	if seen.CNAME == strings.ToLower(s.opt.Target) ||
		len(seen.Addresses) > 0 && !slices.ContainsFunc(seen.Addresses, func(a string) bool { return !slices.Contains(wanted, a) }) {
		return records
	}
	apex, _ := publicsuffix.EffectiveTLDPlusOne(d.String())
	if _, err := netip.ParseAddr(s.opt.Target); err != nil && apex != d.String() {
		return append(records, DNSRecord{Type: "CNAME", Name: d.String(), Value: s.opt.Target})
	}
	for _, a := range wanted { // an apex can have no CNAME
		kind := "A"
		if strings.Contains(a, ":") {
			kind = "AAAA"
		}
		records = append(records, DNSRecord{Type: kind, Name: d.String(), Value: a})
	}
	return records
}

// targets gives the addresses that domains should have.
func (s *Service) targets(ctx context.Context) []string {
	if a, err := netip.ParseAddr(s.opt.Target); err == nil {
		return []string{a.String()}
	}
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	addresses, err := s.DNS.LookupNetIP(ctx, "ip", s.opt.Target+".")
	if err != nil {
		return nil
	}
	return sorted(addresses)
}
