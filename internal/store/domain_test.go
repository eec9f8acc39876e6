package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testTakeDomain(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.InsertTenant(ctx, aTenant("acme", "acme.example", "www.acme.example")))
	ok(t, s.InsertTenant(ctx, aTenant("globex", "globex.example")))
	before := must(s.Generation(ctx))(t)

	globex := must(s.Tenant(ctx, "globex"))(t)
	globex.Domains = append(globex.Domains, "acme.example")
	globex.SetDomain("acme.example", fleet.DomainSetting{VerifiedAt: at(3)})
	was, now, err := s.TakeDomain(ctx, "acme.example", globex)
	ok(t, err)
	same(t, "new owner", must(s.TenantByDomain(ctx, "acme.example"))(t), now)
	same(t, "its revision", now.Revision, int64(2))
	same(t, "its setting", now.DomainSettings["acme.example"], fleet.DomainSetting{VerifiedAt: at(3)})
	same(t, "old owner", must(s.Tenant(ctx, "acme"))(t), was)
	same(t, "what it keeps", was.Domains, []fleet.Domain{"www.acme.example"})
	same(t, "settings it keeps", len(was.DomainSettings), 0)
	if n := must(s.Generation(ctx))(t); n <= before {
		t.Errorf("generation stays %d", n)
	}

	// What is nobody's is simply added; what cannot be written takes nothing.
	now.Domains = append(now.Domains, "free.example")
	was, now, err = s.TakeDomain(ctx, "free.example", now)
	ok(t, err)
	same(t, "nobody", was.ID, "")
	stale := now
	stale.Revision--
	stale.Domains = append(stale.Domains, "www.acme.example")
	_, _, err = s.TakeDomain(ctx, "www.acme.example", stale)
	fails(t, err, fleet.Conflict, "", "globex")
	now.Domains = append(now.Domains, "www.acme.example", "other.example")
	ok(t, s.InsertTenant(ctx, aTenant("other", "other.example")))
	_, _, err = s.TakeDomain(ctx, "www.acme.example", now)
	fails(t, err, fleet.Taken, "domain", "other")
	same(t, "owner still", must(s.TenantByDomain(ctx, "www.acme.example"))(t).Name, fleet.Name("acme"))
}

func testTakeDomainConcurrent(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	ctx := t.Context()
	const n = 8
	for i := range n {
		ok(t, stores[0].InsertTenant(ctx, aTenant(fmt.Sprint("tenant", i), fleet.Domain(fmt.Sprintf("d%d.example", i)))))
	}
	race(t, n, fleet.Conflict, func(i int) error {
		s := stores[i%2]
		tenant, err := s.Tenant(ctx, fleet.Name(fmt.Sprint("tenant", i)))
		if err != nil {
			return err
		}
		tenant.Domains = append(tenant.Domains, "wanted.example")
		_, _, err = s.TakeDomain(ctx, "wanted.example", tenant)
		return err
	})
	owners := 0
	for _, tenant := range must(stores[0].Tenants(ctx, fleet.TenantFilter{}))(t) {
		for _, d := range tenant.Domains {
			if d == "wanted.example" {
				owners++
				same(t, "owner", must(stores[1].TenantByDomain(ctx, d))(t).ID, tenant.ID)
			}
		}
	}
	same(t, "owners", owners, 1)
}

func testDomainChecks(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	tenant := aTenant("acme", "a.example", "b.example")
	tenant.DomainSettings = map[fleet.Domain]fleet.DomainSetting{"b.example": {Pending: true}}
	ok(t, s.InsertTenant(ctx, tenant))
	ok(t, s.InsertTenant(ctx, aTenant("globex")))
	same(t, "pending", must(s.PendingChecks(ctx))(t), map[fleet.Domain]fleet.DomainCheck{"b.example": {}})
	before := must(s.Generation(ctx))(t)

	check := fleet.DomainCheck{At: at(1), Next: at(2), Fails: 3, Error: "no record \xff"}
	ok(t, s.SaveDomainCheck(ctx, tenant.ID, "b.example", check))
	ok(t, s.SaveDomainCheck(ctx, "id-globex", "b.example", fleet.DomainCheck{At: at(9)})) // not its domain
	ok(t, s.SaveDomainCheck(ctx, tenant.ID, "gone.example", check))
	check.Error = "no record \uFFFD"
	same(t, "check", must(s.DomainCheck(ctx, "b.example"))(t), check)
	same(t, "pending", must(s.PendingChecks(ctx))(t), map[fleet.Domain]fleet.DomainCheck{"b.example": check})
	same(t, "never checked", must(s.DomainCheck(ctx, "a.example"))(t), fleet.DomainCheck{})
	_, err := s.DomainCheck(ctx, "gone.example")
	fails(t, err, fleet.NotFound, "", "gone.example")
	same(t, "generation", must(s.Generation(ctx))(t), before)

	// An update of the tenant keeps the checks of the domains that stay.
	tenant.Plan, tenant.Domains = "large", []fleet.Domain{"b.example", "c.example"}
	tenant = must(s.UpdateTenant(ctx, tenant))(t)
	same(t, "check after an update", must(s.DomainCheck(ctx, "b.example"))(t), check)
	tenant.SetDomain("b.example", fleet.DomainSetting{VerifiedAt: at(4)})
	tenant.SetDomain("c.example", fleet.DomainSetting{Pending: true})
	tenant = must(s.UpdateTenant(ctx, tenant))(t)
	same(t, "pending", must(s.PendingChecks(ctx))(t), map[fleet.Domain]fleet.DomainCheck{"c.example": {}})
	ok(t, s.DeleteTenant(ctx, tenant.ID))
	same(t, "pending", must(s.PendingChecks(ctx))(t), map[fleet.Domain]fleet.DomainCheck{})
}

// A database of the first version, with tenants in it, is brought up to date.
func testUpgrade(t *testing.T, db database) {
	dsn := db(t)
	s := openAt(t, dsn)
	want := aTenant("acme")
	want.DomainSettings, want.Maintenance, want.Holds, want.Guard, want.Wishes, want.Admin = nil, nil, nil, nil, nil, nil
	want.MovedAt = time.Time{}
	ok(t, s.InsertTenant(t.Context(), want))
	// SQLite wants the index gone before its column; MySQL takes it along.
	_, _ = s.writer.ExecContext(t.Context(), `DROP INDEX tenant_domains_pending`)
	for _, statement := range []string{
		`ALTER TABLE tenants DROP COLUMN site`, `ALTER TABLE tenant_domains DROP COLUMN pending`,
		`ALTER TABLE tenant_domains DROP COLUMN check_at`, `ALTER TABLE tenant_domains DROP COLUMN check_next`,
		`ALTER TABLE tenant_domains DROP COLUMN check_fails`, `ALTER TABLE tenant_domains DROP COLUMN check_error`,
		`DROP TABLE cert_files`, `DROP TABLE cert_locks`, `DROP TABLE proxies`, `DROP TABLE proxy_tokens`, `DROP TABLE proxy_authority`,
		`DROP TABLE backups`, `DROP TABLE drills`, `DROP TABLE backup_facts`, `DROP TABLE members`,
		`DROP TABLE snapshots`, `DROP TABLE policies`, `DROP TABLE schedule_marks`,
		`DROP TABLE users`, `DROP TABLE user_links`, `DROP TABLE sessions`, `DROP TABLE tokens`, `DROP TABLE audit`, `DROP TABLE clusters`,
		`DROP TABLE tenant_links`, `DROP TABLE answers`,
		`DELETE FROM counters WHERE name = 'audit'`, `DROP TABLE deliveries`, `DROP TABLE webhooks`,
		`DELETE FROM ` + versionTable + ` WHERE version_id >= 2`,
	} {
		_, err := s.writer.ExecContext(t.Context(), statement)
		ok(t, err)
	}
	ok(t, s.Close())
	s = openAt(t, dsn)
	same(t, "tenant", must(s.Tenant(t.Context(), "acme"))(t), want)
	same(t, "never checked", must(s.DomainCheck(t.Context(), want.Domains[0]))(t), fleet.DomainCheck{})
	want.SetDomain(want.Domains[1], fleet.DomainSetting{Pending: true})
	must(s.UpdateTenant(t.Context(), want))(t)
	same(t, "pending", len(must(s.PendingChecks(t.Context()))(t)), 1)
}
