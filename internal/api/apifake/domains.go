package apifake

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Domains are those of the fleet's tenants. Names below localhost are active, others pending
// until they are checked.
type Domains struct{ fleet *Fleet }

// owner gives the tenant that has the domain.
func (d *Domains) owner(name string) (fleet.Tenant, fleet.Domain, error) {
	domain, err := fleet.ParseDomainPattern(name)
	if err != nil {
		return fleet.Tenant{}, "", err
	}
	d.fleet.Tenants.mu.Lock()
	defer d.fleet.Tenants.mu.Unlock()
	for _, v := range d.fleet.Tenants.byName {
		if slices.Contains(v.Tenant.Domains, domain) {
			return v.Tenant, domain, nil
		}
	}
	return fleet.Tenant{}, domain, fleet.Errorf(fleet.NotFound, "no tenant has the domain %s", domain).WithField("domain").
		WithHint("see them with: lxdfleet domain list")
}

// view shows a domain; whole adds what DNS and its certificate say.
func (d *Domains) view(t fleet.Tenant, domain fleet.Domain, whole bool) tenants.DomainView {
	v := tenants.DomainView{Domain: domain, Tenant: t.Name, Primary: domain == t.Primary(), DomainSetting: t.DomainSettings[domain]}
	if v.Redirect != 0 {
		v.Target = t.Primary()
	}
	if !whole {
		return v
	}
	if v.Pending {
		v.Check = fleet.DomainCheck{
			At: Now, Next: Now.Add(15 * time.Second), Fails: 1, Error: "there is no TXT record _lxdfleet." + domain.Base().String(),
		}
		v.DNS.Error = "DNS has no address for it"
		v.ToSet = []tenants.DNSRecord{
			{Type: "TXT", Name: "_lxdfleet." + domain.Base().String(), Value: "lxdfleet=abcdefghijklmnopqrstuvwxyz234567"},
			{Type: "CNAME", Name: domain.String(), Value: "front.agency.example"},
		}
		return v
	}
	v.DNS = tenants.DNSSeen{Addresses: []string{"192.0.2.1", "2001:db8::1"}, CNAME: "front.agency.example"}
	v.Certificate = &fleet.Certificate{
		Host: domain.String(), State: fleet.CertificateValid, Issuer: "internal", NotBefore: Now.Add(-time.Hour), NotAfter: Now.Add(90 * 24 * time.Hour),
	}
	return v
}

// AddDomain implements api.Domains.
func (d *Domains) AddDomain(_ context.Context, name fleet.Name, req tenants.DomainRequest) (tenants.DomainView, error) {
	if err := d.fleet.called("AddDomain", name, req); err != nil {
		return tenants.DomainView{}, err
	}
	owner, domain, err := d.owner(req.Domain)
	if fleet.CodeOf(err) == fleet.Invalid {
		return tenants.DomainView{}, err
	}
	if err == nil && owner.Name != name {
		return tenants.DomainView{}, fleet.Errorf(fleet.Taken, "%s belongs to tenant %s", domain, owner.Name).WithField("domain").
			WithHint("take it from there first")
	}
	v, err := d.fleet.Tenants.edit(name, func(t *fleet.Tenant) {
		t.Domains = append(slices.Clone(t.Domains), domain)
		if req.Primary {
			t.Domains = append([]fleet.Domain{domain}, t.Domains[:len(t.Domains)-1]...)
		}
		t.SetDomain(domain, fleet.DomainSetting{Redirect: req.Redirect, Pending: !domain.Under("localhost")})
	})
	return d.view(v.Tenant, domain, true), err
}

// ChangeDomain implements api.Domains.
func (d *Domains) ChangeDomain(_ context.Context, name string, req tenants.DomainChange) (tenants.DomainView, error) {
	if err := d.fleet.called("ChangeDomain", name, req.Primary); err != nil {
		return tenants.DomainView{}, err
	}
	owner, domain, err := d.owner(name)
	if err != nil {
		return tenants.DomainView{}, err
	}
	v, err := d.fleet.Tenants.edit(owner.Name, func(t *fleet.Tenant) {
		setting := t.DomainSettings[domain]
		if req.Redirect != nil {
			setting.Redirect = *req.Redirect
		}
		if req.Primary {
			setting.Redirect = 0
			t.Domains = append([]fleet.Domain{domain}, slices.DeleteFunc(slices.Clone(t.Domains), func(o fleet.Domain) bool { return o == domain })...)
		}
		t.SetDomain(domain, setting)
	})
	return d.view(v.Tenant, domain, true), err
}

// RemoveDomain implements api.Domains.
func (d *Domains) RemoveDomain(_ context.Context, name string) error {
	if err := d.fleet.called("RemoveDomain", name); err != nil {
		return err
	}
	owner, domain, err := d.owner(name)
	if err != nil {
		return err
	}
	_, err = d.fleet.Tenants.edit(owner.Name, func(t *fleet.Tenant) { t.DropDomain(domain) })
	return err
}

// CheckDomain implements api.Domains: a pending domain is proven.
func (d *Domains) CheckDomain(_ context.Context, name string) (tenants.DomainView, error) {
	if err := d.fleet.called("CheckDomain", name); err != nil {
		return tenants.DomainView{}, err
	}
	owner, domain, err := d.owner(name)
	if err != nil {
		return tenants.DomainView{}, err
	}
	v, err := d.fleet.Tenants.edit(owner.Name, func(t *fleet.Tenant) {
		if setting := t.DomainSettings[domain]; setting.Pending {
			setting.Pending, setting.VerifiedAt = false, Now
			t.SetDomain(domain, setting)
		}
	})
	return d.view(v.Tenant, domain, true), err
}

// Domain implements api.Domains.
func (d *Domains) Domain(_ context.Context, name string) (tenants.DomainView, error) {
	if err := d.fleet.called("Domain", name); err != nil {
		return tenants.DomainView{}, err
	}
	owner, domain, err := d.owner(name)
	return d.view(owner, domain, true), err
}

// DomainRecord implements api.Domains.
func (d *Domains) DomainRecord(_ context.Context, name string) (tenants.DomainView, error) {
	owner, domain, err := d.owner(name)
	return d.view(owner, domain, false), err
}

// Domains implements api.Domains.
func (d *Domains) Domains(ctx context.Context, f tenants.DomainFilter) ([]tenants.DomainView, error) {
	if err := d.fleet.called("Domains", f); err != nil {
		return nil, err
	}
	if f.Tenant != "" {
		if _, err := d.fleet.Tenants.find(f.Tenant); err != nil {
			return nil, err
		}
	}
	d.fleet.Tenants.mu.Lock()
	defer d.fleet.Tenants.mu.Unlock()
	found := []tenants.DomainView{}
	for _, v := range d.fleet.Tenants.byName {
		for _, domain := range v.Tenant.Domains {
			view := d.view(v.Tenant, domain, false)
			if (f.Tenant == "" || f.Tenant == v.Tenant.Name) && (f.State == "" || f.State == view.State()) && domain > f.After {
				found = append(found, view)
			}
		}
	}
	slices.SortFunc(found, func(a, b tenants.DomainView) int { return strings.Compare(a.Domain.String(), b.Domain.String()) })
	if f.Limit > 0 {
		found = found[:min(len(found), f.Limit)]
	}
	return found, nil
}

// PreviewDomain gives a name with a CNAME to set.
func (d *Domains) PreviewDomain(_ context.Context, name string) (tenants.DomainView, error) {
	domain, err := fleet.ParseDomainPattern(name)
	if err != nil {
		return tenants.DomainView{}, err
	}
	return tenants.DomainView{
		Domain: domain, DNS: tenants.DNSSeen{Error: "DNS has no address for it"},
		ToSet: []tenants.DNSRecord{{Type: "CNAME", Name: domain.String(), Value: "front.agency.example"}},
	}, d.fleet.called("PreviewDomain", domain)
}
