package tenants

import (
	"context"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// DomainChange asks for other settings of a domain.
type DomainChange struct {
	Primary  bool // make it the primary domain; the one before stays beside it
	Redirect *int // 301 or 308: to the primary domain; 0: serve it; nil: as it is
}

// ChangeDomain changes the settings of a domain. It may be repeated.
func (s *Service) ChangeDomain(ctx context.Context, name string, req DomainChange) (DomainView, error) {
	t, d, err := s.owner(ctx, name)
	if err != nil {
		return DomainView{}, err
	}
	if t, err = s.altered(ctx, t.Name); err != nil {
		return DomainView{}, err
	}
	t, err = s.alter(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		if !slices.Contains(t.Domains, d) {
			return false, gone(d)
		}
		want := DomainRequest{Primary: req.Primary}
		switch {
		case req.Redirect != nil:
			want.Redirect = *req.Redirect
		case !req.Primary:
			want.Redirect = t.DomainSettings[d].Redirect
		}
		return place(t, d, want)
	})
	if err != nil {
		return DomainView{}, err
	}
	return s.look(ctx, t, d, false)
}

func gone(d fleet.Domain) error {
	return fleet.Errorf(fleet.NotFound, "no tenant has the domain %s", d).WithField("domain").
		WithHint("lxdfleet domain list shows those there are")
}

// RemoveDomain takes a domain from its tenant; it is free then. Where it was the primary one
// the next becomes it. fleet.Conflict where only wildcards would be left.
func (s *Service) RemoveDomain(ctx context.Context, name string) error {
	t, d, err := s.owner(ctx, name)
	if err != nil {
		return err
	}
	if err := s.made(ctx, t); err != nil {
		return err
	}
	_, err = s.alter(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		if !slices.Contains(t.Domains, d) {
			return false, gone(d)
		}
		t.DropDomain(d)
		if len(t.Domains) > 0 && t.Primary().Wildcard() {
			return false, fleet.Errorf(fleet.Conflict, "without %s tenant %s would have wildcards only", d, t.Name).
				WithField("domain").WithHint("remove those first, or add another domain")
		}
		return true, nil
	})
	return err
}
