package api

import (
	"context"
	"net/netip"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// EditGuard changes what a tenant's visitors may do.
func (s *Server) EditGuard(ctx context.Context, r EditGuardRequestObject) (EditGuardResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	edit, err := guardIn(*r.Body)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.EditGuard(ctx, name, edit)
	if err != nil {
		return nil, err
	}
	return EditGuard200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

// DropGuard takes all of a tenant's rules away.
func (s *Server) DropGuard(ctx context.Context, r DropGuardRequestObject) (DropGuardResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.DropGuard(ctx, name)
	if err != nil {
		return nil, err
	}
	return DropGuard200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

func guardIn(b GuardEdit) (tenants.GuardEdit, error) {
	edit := tenants.GuardEdit{
		RequestsPerSecond: b.RequestsPerSecond, Burst: b.Burst, MaxInflight: b.MaxInFlight,
		PerAddressPerSecond: b.PerAddressPerSecond, PerAddressBurst: b.PerAddressBurst, SecurityHeaders: b.SecurityHeaders,
	}
	for _, list := range []struct {
		field string
		from  *[]string
		to    **[]netip.Prefix
	}{{"allow", b.Allow, &edit.Allow}, {"deny", b.Deny, &edit.Deny}} {
		if list.from == nil {
			continue
		}
		prefixes, err := fleet.ParsePrefixes(list.field, *list.from)
		if err != nil {
			return edit, err
		}
		*list.to = &prefixes
	}
	if b.MaxBody != nil {
		size := fleet.Size(0)
		if *b.MaxBody != "" {
			var err error
			if size, err = fleet.ParseSize(*b.MaxBody); err != nil {
				return edit, fleet.Errorf(fleet.Invalid, "%q is not a size", *b.MaxBody).WithField("max_body").
					WithHint("write a whole number and a unit, such as 512MiB or 2GiB")
			}
		}
		edit.MaxBody = &size
	}
	if b.Hsts != nil {
		hsts, err := fleet.ParseHSTS(*b.Hsts)
		if err != nil {
			return edit, err
		}
		edit.HSTS = &hsts
	}
	return edit, nil
}

func guardOut(g *fleet.GuardRules) *Guard {
	if g == nil {
		return nil
	}
	out := &Guard{
		Allow: prefixesOut(g.Allow), Deny: prefixesOut(g.Deny), RequestsPerSecond: g.RequestsPerSecond, Burst: g.Burst,
		PerAddressPerSecond: g.PerAddressPerSecond, PerAddressBurst: g.PerAddressBurst, MaxInFlight: g.MaxInflight,
		Hsts: g.HSTS.Text(), SecurityHeaders: g.SecurityHeaders,
	}
	if g.MaxBody > 0 {
		out.MaxBody = g.MaxBody.String()
	}
	return out
}

func prefixesOut(list []netip.Prefix) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}
