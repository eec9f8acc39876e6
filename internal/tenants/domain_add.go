package tenants

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// DomainRequest asks for a domain of a tenant.
type DomainRequest struct {
	Domain   string // a host name, or a wildcard such as *.client.example
	Primary  bool   // make it the tenant's primary domain
	Redirect int    // 301 or 308: send its visitors to the primary domain; 0: serve it
}

// AddDomain gives the tenant a domain, and shows what became of it. One that has to be proven
// and is not stays pending: it is the tenant's, and served as soon as the proof is found. One
// that another tenant has is taken over if its proof is found now, else it is fleet.Taken and
// the error says which record to set. A domain that the tenant has already gets the settings
// asked for; so a request may be repeated.
func (s *Service) AddDomain(ctx context.Context, name fleet.Name, req DomainRequest) (DomainView, error) {
	d, err := fleet.ParseDomainPattern(req.Domain)
	if err != nil {
		return DomainView{}, err
	}
	t, err := s.altered(ctx, name)
	if err != nil {
		return DomainView{}, err
	}
	if _, err := place(&fleet.Tenant{Name: t.Name, Domains: slices.Clone(t.Domains)}, d, req); err != nil {
		return DomainView{}, err
	}
	other, err := s.Store.TenantByDomain(ctx, d)
	switch {
	case err == nil && other.ID == t.ID:
		t, err = s.alter(ctx, t.ID, func(t *fleet.Tenant) (bool, error) { return place(t, d, req) })
	case err == nil:
		t, err = s.takeOver(ctx, t, other, d, req)
	case fleet.CodeOf(err) == fleet.NotFound:
		t, err = s.addNew(ctx, t, d, req)
	default:
		err = fmt.Errorf("look for the domain %s: %w", d, err)
	}
	if err != nil {
		return DomainView{}, err
	}
	return s.look(ctx, t, d, false)
}

// place gives the tenant the domain with the settings of req, and reports whether that changed
// anything.
func place(t *fleet.Tenant, d fleet.Domain, req DomainRequest) (bool, error) {
	invalid := func(field, hint, format string, args ...any) (bool, error) {
		return false, fleet.Errorf(fleet.Invalid, format, args...).WithField(field).WithHint("%s", hint)
	}
	first := req.Primary || len(t.Domains) == 0 || t.Primary() == d
	switch {
	case !slices.Contains([]int{0, 301, 308}, req.Redirect):
		return invalid("redirect", "give 301 or 308", "%d is no status for a redirect", req.Redirect)
	case first && d.Wildcard():
		return invalid("primary", "give the tenant a primary domain without a wildcard first", "%s is a wildcard, which cannot be the primary domain", d)
	case first && req.Redirect != 0:
		return invalid("redirect", "choose another primary domain first: lxdfleet domain primary "+t.Name.String()+" DOMAIN",
			"%s is the primary domain, which the others redirect to", d)
	}
	setting, before := t.DomainSettings[d], slices.Clone(t.Domains)
	was := setting
	setting.Redirect = req.Redirect
	if i := slices.Index(t.Domains, d); i < 0 {
		t.Domains = append(slices.Clone(t.Domains), d)
	}
	if first {
		t.Domains = append([]fleet.Domain{d}, slices.DeleteFunc(slices.Clone(t.Domains), func(o fleet.Domain) bool { return o == d })...)
	}
	t.SetDomain(d, setting)
	return setting != was || !slices.Equal(before, t.Domains), nil
}

// addNew gives the tenant a domain that nobody has.
func (s *Service) addNew(ctx context.Context, t fleet.Tenant, d fleet.Domain, req DomainRequest) (fleet.Tenant, error) {
	why, err := s.proofNeeded(ctx, t, d)
	if err != nil {
		return fleet.Tenant{}, err
	}
	missing, verified := "", time.Time{}
	if why != "" {
		if missing = s.proven(ctx, t.ID, d); missing == "" {
			verified = s.opt.Now()
		}
	}
	t, err = s.alter(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		changed, err := place(t, d, req)
		if err != nil {
			return false, err
		}
		setting := t.DomainSettings[d]
		setting.Pending, setting.VerifiedAt = missing != "", verified
		t.SetDomain(d, setting)
		return changed, nil
	})
	if err != nil || missing == "" {
		return t, err
	}
	return t, s.missed(ctx, t.ID, d, fleet.DomainCheck{}, missing)
}

// takeOver moves the domain from another tenant, if the proof for this one is there.
func (s *Service) takeOver(ctx context.Context, t, other fleet.Tenant, d fleet.Domain, req DomainRequest) (fleet.Tenant, error) {
	taken := fleet.Errorf(fleet.Taken, "%s belongs to tenant %s", d, other.Name).WithField("domain")
	if s.opt.Verify == VerifyNever {
		return fleet.Tenant{}, taken.WithHint("take it from there first: lxdfleet domain remove %s", d)
	}
	if missing := s.proven(ctx, t.ID, d); missing != "" {
		record := proofRecord(t.ID, d)
		return fleet.Tenant{}, taken.WithHint("take it from there (lxdfleet domain remove %s), or have its owner set the TXT record %s to %s and add it again",
			d, record.Name, record.Value)
	}
	if _, err := place(&t, d, req); err != nil {
		return fleet.Tenant{}, err
	}
	setting := t.DomainSettings[d]
	setting.Pending, setting.VerifiedAt = false, s.opt.Now()
	t.SetDomain(d, setting)
	t.UpdatedAt = s.opt.Now()
	was, now, err := s.Store.TakeDomain(ctx, d, t)
	if err != nil {
		return fleet.Tenant{}, fmt.Errorf("take %s from tenant %s: %w", d, other.Name, err)
	}
	if was.ID != "" {
		s.spread(was)
	}
	s.spread(now)
	return now, nil
}
