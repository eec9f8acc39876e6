package api

import (
	"cmp"
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// ListDomains gives a page of all tenants' domains.
func (s *Server) ListDomains(ctx context.Context, r ListDomainsRequestObject) (ListDomainsResponseObject, error) {
	size, after, err := pageOf(r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	if r.Params.State != "" && !r.Params.State.Valid() {
		return nil, fleet.Errorf(fleet.Invalid, "%q is not a state of a domain", r.Params.State).WithField("state").
			WithHint("use active or pending")
	}
	views, err := ofOwn(callerOf(ctx), "", func(tenant fleet.Name) ([]tenants.DomainView, error) {
		return s.Domains.Domains(ctx, tenants.DomainFilter{
			Tenant: tenant, State: fleet.DomainState(r.Params.State), After: fleet.Domain(after), Limit: size + 1,
		})
	}, func(a, b tenants.DomainView) int { return cmp.Compare(a.Domain, b.Domain) })
	if err != nil {
		return nil, err
	}
	views, next := cut(views, size, func(v tenants.DomainView) string { return v.Domain.String() })
	list := domainList(views)
	list.NextCursor = next
	return ListDomains200JSONResponse(list), nil
}

// ListTenantDomains gives all domains of one tenant.
func (s *Server) ListTenantDomains(ctx context.Context, r ListTenantDomainsRequestObject) (ListTenantDomainsResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	views, err := s.Domains.Domains(ctx, tenants.DomainFilter{Tenant: name})
	if err != nil {
		return nil, err
	}
	return ListTenantDomains200JSONResponse(domainList(views)), nil
}

// AddDomain gives a tenant a domain.
func (s *Server) AddDomain(ctx context.Context, r AddDomainRequestObject) (AddDomainResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	view, err := s.Domains.AddDomain(ctx, name, tenants.DomainRequest{
		Domain: r.Body.Domain, Primary: r.Body.Primary, Redirect: r.Body.Redirect,
	})
	if err != nil {
		return nil, err
	}
	return AddDomain200JSONResponse(domainOut(view)), nil
}

// GetDomain gives one domain.
func (s *Server) GetDomain(ctx context.Context, r GetDomainRequestObject) (GetDomainResponseObject, error) {
	view, err := s.Domains.Domain(ctx, r.Domain)
	if err != nil {
		return nil, err
	}
	return GetDomain200JSONResponse(domainOut(view)), nil
}

// ChangeDomain changes the settings of a domain.
func (s *Server) ChangeDomain(ctx context.Context, r ChangeDomainRequestObject) (ChangeDomainResponseObject, error) {
	view, err := s.Domains.ChangeDomain(ctx, r.Domain, tenants.DomainChange{Primary: r.Body.Primary, Redirect: r.Body.Redirect})
	if err != nil {
		return nil, err
	}
	return ChangeDomain200JSONResponse(domainOut(view)), nil
}

// RemoveDomain takes a domain from its tenant.
func (s *Server) RemoveDomain(ctx context.Context, r RemoveDomainRequestObject) (RemoveDomainResponseObject, error) {
	if err := s.Domains.RemoveDomain(ctx, r.Domain); err != nil {
		return nil, err
	}
	return RemoveDomain204Response{}, nil
}

// CheckDomain looks a domain up again.
func (s *Server) CheckDomain(ctx context.Context, r CheckDomainRequestObject) (CheckDomainResponseObject, error) {
	view, err := s.Domains.CheckDomain(ctx, r.Domain)
	if err != nil {
		return nil, err
	}
	return CheckDomain200JSONResponse(domainOut(view)), nil
}

// PreviewDomain tells what DNS says of a name.
func (s *Server) PreviewDomain(ctx context.Context, r PreviewDomainRequestObject) (PreviewDomainResponseObject, error) {
	view, err := s.Domains.PreviewDomain(ctx, r.Domain)
	if err != nil {
		return nil, err
	}
	shown := domainOut(view)
	out := DomainPreview{Domain: shown.Domain, Unicode: shown.Unicode, Dns: DomainDNS{Addresses: []string{}}, ToSet: shown.ToSet}
	if shown.Dns != nil {
		out.Dns = *shown.Dns
	}
	if out.ToSet == nil {
		out.ToSet = []DNSRecord{}
	}
	return PreviewDomain200JSONResponse(out), nil
}

func domainList(views []tenants.DomainView) DomainList {
	list := DomainList{Items: make([]Domain, len(views))}
	for i, v := range views {
		list.Items[i] = domainOut(v)
	}
	return list
}

func domainOut(v tenants.DomainView) Domain {
	out := Domain{
		Domain: v.Domain.String(), Tenant: v.Tenant.String(), State: DomainState(v.State()), Primary: v.Primary,
		Redirect: v.Redirect, Target: v.Target.String(), VerifiedAt: v.VerifiedAt,
	}
	if u := v.Domain.Unicode(); u != out.Domain {
		out.Unicode = u
	}
	if v.Pending && !v.Check.At.IsZero() {
		out.Check = &DomainCheck{At: v.Check.At, Next: v.Check.Next, Fails: v.Check.Fails, Error: v.Check.Error}
	}
	if seen := v.DNS; seen.Addresses != nil || seen.Error != "" {
		out.Dns = &DomainDNS{Addresses: seen.Addresses, Cname: seen.CNAME, Proof: seen.Proof, Error: seen.Error}
		if out.Dns.Addresses == nil {
			out.Dns.Addresses = []string{}
		}
	}
	for _, r := range v.ToSet {
		out.ToSet = append(out.ToSet, DNSRecord{Type: r.Type, Name: r.Name, Value: r.Value})
	}
	if c := v.Certificate; c != nil {
		out.Certificate = &Certificate{
			Host: c.Host, State: CertificateState(c.State), Issuer: c.Issuer, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
			LastError: c.LastError, LastTry: c.LastTry, NextTry: c.NextTry,
		}
	}
	return out
}
