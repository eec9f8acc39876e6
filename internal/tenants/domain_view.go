package tenants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Certificates knows the proxy's certificates.
type Certificates interface {
	// Status gives what is known of the certificate for the host, which may be a wildcard.
	Status(ctx context.Context, host string) (fleet.Certificate, error)
	// Retry has an order that failed tried again at once. It returns soon.
	Retry(host string)
}

// DomainView is a domain with what is known of it.
type DomainView struct {
	Domain  fleet.Domain
	Tenant  fleet.Name
	Primary bool
	fleet.DomainSetting
	Target fleet.Domain // where it redirects to; empty: it is served
	Check  fleet.DomainCheck

	// Only of one domain that was asked for:
	DNS         DNSSeen
	ToSet       []DNSRecord // DNS records that are missing
	Certificate *fleet.Certificate
}

// DomainFilter narrows a list of domains; zero fields do not.
type DomainFilter struct {
	Tenant fleet.Name
	State  fleet.DomainState
	After  fleet.Domain // only domains greater than this (paging)
	Limit  int          // 0: all
}

// Domains lists domains by name, without what DNS and the certificates say. An unknown tenant
// is fleet.NotFound.
func (s *Service) Domains(ctx context.Context, filter DomainFilter) ([]DomainView, error) {
	now, err := s.Observer.roster.read(ctx)
	if err != nil {
		return nil, err
	}
	all := now.all
	if filter.Tenant != "" {
		t, err := s.tenant(ctx, filter.Tenant)
		if err != nil {
			return nil, err
		}
		all = []fleet.Tenant{t}
	}
	views := []DomainView{}
	for _, t := range all {
		for _, d := range t.Domains {
			if v := domainView(t, d); d > filter.After && (filter.State == "" || filter.State == v.State()) {
				views = append(views, v)
			}
		}
	}
	slices.SortFunc(views, func(a, b DomainView) int { return cmp.Compare(a.Domain, b.Domain) })
	if filter.Limit > 0 && len(views) > filter.Limit {
		views = views[:filter.Limit]
	}
	return views, nil
}

func domainView(t fleet.Tenant, d fleet.Domain) DomainView {
	v := DomainView{Domain: d, Tenant: t.Name, Primary: d == t.Primary(), DomainSetting: t.DomainSettings[d]}
	if v.Redirect != 0 && !v.Primary {
		v.Target = t.Primary()
	}
	return v
}

// Domain gives one domain with what DNS and its certificate say now; fleet.NotFound.
func (s *Service) Domain(ctx context.Context, name string) (DomainView, error) {
	t, d, err := s.owner(ctx, name)
	if err != nil {
		return DomainView{}, err
	}
	return s.look(ctx, t, d, true)
}

// DomainRecord gives what is written down of a domain: Domain without what DNS and its certificate say.
func (s *Service) DomainRecord(ctx context.Context, name string) (DomainView, error) {
	t, d, err := s.owner(ctx, name)
	if err != nil {
		return DomainView{}, err
	}
	return domainView(t, d), nil
}

// owner finds the tenant that has the domain.
func (s *Service) owner(ctx context.Context, name string) (fleet.Tenant, fleet.Domain, error) {
	d, err := fleet.ParseDomainPattern(name)
	if err != nil {
		return fleet.Tenant{}, "", err
	}
	t, err := s.Store.TenantByDomain(ctx, d)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Tenant{}, "", fleet.Errorf(fleet.NotFound, "no tenant has the domain %s", d).WithField("domain").
			WithHint("lxdfleet domain list shows those there are")
	}
	if err != nil {
		return fleet.Tenant{}, "", fmt.Errorf("look for the domain %s: %w", d, err)
	}
	return t, d, nil
}

// look makes the whole view of a domain. What cannot be found out is left out or said in it.
// Of a name that the public DNS cannot have, DNS is asked only where somebody wants to know.
func (s *Service) look(ctx context.Context, t fleet.Tenant, d fleet.Domain, asked bool) (DomainView, error) {
	v := domainView(t, d)
	var err error
	if v.Check, err = s.Store.DomainCheck(ctx, d); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return DomainView{}, fmt.Errorf("read the last check of %s: %w", d, err)
	}
	if asked || public(d) {
		v.DNS = s.lookUp(ctx, d)
	}
	v.ToSet = s.toSet(ctx, t, d, v.DNS)
	if s.Certificates == nil || v.Pending {
		return v, nil
	}
	c, err := s.Certificates.Status(ctx, d.String())
	if err != nil {
		c = fleet.Certificate{Host: d.String(), State: fleet.CertificateNone, LastError: strings.TrimSpace(err.Error())}
	}
	v.Certificate = &c
	return v, nil
}
