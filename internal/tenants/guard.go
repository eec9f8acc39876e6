package tenants

import (
	"context"
	"net/netip"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// GuardEdit asks for other rules for a tenant's visitors. What is nil stays as it is; an empty
// list and 0 take a rule away.
type GuardEdit struct {
	Allow, Deny         *[]netip.Prefix
	RequestsPerSecond   *float64
	Burst               *int
	PerAddressPerSecond *float64
	PerAddressBurst     *int
	MaxInflight         *int
	MaxBody             *fleet.Size
	HSTS                **fleet.HSTS
	SecurityHeaders     *bool
}

// Apply gives the rules after the edit. A burst goes with the rate it belongs to.
func (e GuardEdit) Apply(g fleet.GuardRules) fleet.GuardRules {
	set(&g.Allow, e.Allow)
	set(&g.Deny, e.Deny)
	set(&g.RequestsPerSecond, e.RequestsPerSecond)
	set(&g.PerAddressPerSecond, e.PerAddressPerSecond)
	if g.RequestsPerSecond == 0 {
		g.Burst = 0
	}
	if g.PerAddressPerSecond == 0 {
		g.PerAddressBurst = 0
	}
	set(&g.Burst, e.Burst)
	set(&g.PerAddressBurst, e.PerAddressBurst)
	set(&g.MaxInflight, e.MaxInflight)
	set(&g.MaxBody, e.MaxBody)
	set(&g.HSTS, e.HSTS)
	set(&g.SecurityHeaders, e.SecurityHeaders)
	return g
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// EditGuard changes what the tenant's visitors may do; the proxy holds to it within a moment. It
// may be repeated. Errors: fleet.Invalid with the field at fault.
func (s *Service) EditGuard(ctx context.Context, name fleet.Name, edit GuardEdit) (View, error) {
	return s.guard(ctx, name, func(g fleet.GuardRules) (fleet.GuardRules, error) {
		g = edit.Apply(g)
		return g, g.Validate()
	})
}

// DropGuard takes all of the tenant's own rules away.
func (s *Service) DropGuard(ctx context.Context, name fleet.Name) (View, error) {
	return s.guard(ctx, name, func(fleet.GuardRules) (fleet.GuardRules, error) { return fleet.GuardRules{}, nil })
}

// guard sets the rules anew. They are never changed in place, because routes share them.
func (s *Service) guard(ctx context.Context, name fleet.Name, edit func(fleet.GuardRules) (fleet.GuardRules, error)) (View, error) {
	t, err := s.altered(ctx, name)
	if err != nil {
		return View{}, err
	}
	return s.viewed(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		var was fleet.GuardRules
		if t.Guard != nil {
			was = *t.Guard
		}
		now, err := edit(was)
		if err != nil {
			return false, err
		}
		if t.Guard = nil; !now.Empty() {
			t.Guard = &now
		}
		return !was.Equal(now), nil
	})
}
