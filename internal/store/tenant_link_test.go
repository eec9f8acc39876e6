package store

import (
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testTenantLink(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	acme, globex := aTenant("acme"), aTenant("globex")
	ok(t, s.InsertTenant(ctx, acme))
	ok(t, s.InsertTenant(ctx, globex))
	fails(t, s.SaveTenantLink(ctx, "nobody", "x", at(0), at(100)), fleet.NotFound, "")
	ok(t, s.SaveTenantLink(ctx, acme.ID, "early", at(0), at(10)))
	ok(t, s.SaveTenantLink(ctx, acme.ID, "one", at(0), at(100)))
	ok(t, s.SaveTenantLink(ctx, acme.ID, "two", at(11), at(100)))
	ok(t, s.SaveTenantLink(ctx, globex.ID, "other", at(11), at(100)))
	for hash, now := range map[string]int{"early": 5, "one": 100, "none": 1} { // dropped, over, never made
		_, err := s.TenantLink(ctx, hash, at(now))
		fails(t, err, fleet.Unauthenticated, "link")
		fails(t, s.UseTenantLink(ctx, hash, at(now)), fleet.Unauthenticated, "link")
	}
	same(t, "whose", must(s.TenantLink(ctx, "one", at(12)))(t), acme.ID)
	same(t, "used when", must(s.TenantLinkUsed(ctx, acme.ID))(t), time.Time{})
	used := race(t, 8, fleet.Unauthenticated, func(int) error { return s.UseTenantLink(ctx, "one", at(12)) })
	same(t, "used", used, 1)
	_, err := s.TenantLink(ctx, "two", at(12))
	fails(t, err, fleet.Unauthenticated, "link")
	same(t, "used when", must(s.TenantLinkUsed(ctx, acme.ID))(t), at(12))
	same(t, "whose", must(s.TenantLink(ctx, "other", at(12)))(t), globex.ID)
	ok(t, s.DeleteTenant(ctx, globex.ID))
	_, err = s.TenantLink(ctx, "other", at(12))
	fails(t, err, fleet.Unauthenticated, "link")
}
