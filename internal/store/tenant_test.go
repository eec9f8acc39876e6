package store

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// aTenant has every field set.
func aTenant(name string, domains ...fleet.Domain) fleet.Tenant {
	purge := at(999)
	if len(domains) == 0 {
		domains = []fleet.Domain{fleet.Domain(name + ".example"), fleet.Domain("www." + name + ".example")}
	}
	return fleet.Tenant{
		ID: "id-" + name, Name: fleet.Name(name), DisplayName: "The " + name, Contact: "ops@" + name,
		Labels: map[string]string{"ring": "early", "team": "red"}, Image: fleet.ImageRef{Name: "wordpress", Version: "6.1-1"},
		Plan: "small", Domains: domains,
		DomainSettings: map[fleet.Domain]fleet.DomainSetting{domains[0]: {Redirect: 308, VerifiedAt: at(5)}},
		Maintenance:    &fleet.Maintenance{Message: "Back soon", Page: "<p>Soon</p>", Since: at(6), Until: at(7)},
		Holds:          []fleet.Hold{{Reason: "move", Since: at(8), Until: at(9)}, {Reason: "operator"}},
		Guard: &fleet.GuardRules{
			Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}, RequestsPerSecond: 0.5,
			Burst: 3, PerAddressPerSecond: 5, PerAddressBurst: 10, MaxInflight: 20, MaxBody: 2 * fleet.GiB,
			HSTS: &fleet.HSTS{MaxAge: 5, Subdomains: true}, SecurityHeaders: true,
		},
		Admin: &fleet.Admin{Email: "jo@acme.example", Name: "Jo"},
		Wishes: &fleet.Wishes{
			Require: []string{"disk=nvme"}, Prefer: []string{"rack=a"}, Apart: []string{"globex"}, Together: []string{"client=x"}, Pinned: true,
		},
		Health:  fleet.HealthCheck{Port: 8080, Path: "/up", Status: 204, Body: "fine", Timeout: 90 * time.Second},
		Desired: fleet.DesiredRunning, Ready: true, Member: "n1", MovedAt: at(3), PurgeAt: &purge, CreatedAt: at(1), UpdatedAt: at(2),
		Revision: 1,
	}
}

func testTenant(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	full := aTenant("acme")
	bare := fleet.Tenant{ID: "id-bare", Name: "bare", Domains: []fleet.Domain{}, Revision: 1}
	for _, want := range []fleet.Tenant{full, bare} {
		ok(t, s.InsertTenant(ctx, want))
		same(t, "by name", must(s.Tenant(ctx, want.Name))(t), want)
		same(t, "by id", must(s.TenantByID(ctx, want.ID))(t), want)
		for _, d := range want.Domains {
			same(t, "by domain", must(s.TenantByDomain(ctx, d))(t), want)
		}
	}
	same(t, "list", must(s.Tenants(ctx, fleet.TenantFilter{}))(t), []fleet.Tenant{full, bare})
	_, err := s.Tenant(ctx, "acm")
	fails(t, err, fleet.NotFound, "", "acm")
	_, err = s.Tenant(ctx, "ACME")
	fails(t, err, fleet.NotFound, "")
	_, err = s.TenantByID(ctx, "id-none")
	fails(t, err, fleet.NotFound, "", "id-none")
	_, err = s.TenantByDomain(ctx, "none.example")
	fails(t, err, fleet.NotFound, "", "none.example")
}

func testTenantInsertRepeated(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	want := aTenant("acme")
	ok(t, s.InsertTenant(ctx, want))
	before := must(s.Generation(ctx))(t)
	again := want
	again.Plan = "large"
	ok(t, s.InsertTenant(ctx, again))
	same(t, "tenant", must(s.Tenant(ctx, "acme"))(t), want)
	if now := must(s.Generation(ctx))(t); now != before {
		t.Errorf("generation grew from %d to %d without a change", before, now)
	}
}

func testTenantTaken(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.InsertTenant(ctx, aTenant("acme")))
	trash := aTenant("old")
	trash.Desired = fleet.DesiredRemoved
	ok(t, s.InsertTenant(ctx, trash))

	other := aTenant("acme", "other.example")
	other.ID = "id-other"
	fails(t, s.InsertTenant(ctx, other), fleet.Taken, "name", "acme")
	fails(t, s.InsertTenant(ctx, aTenant("globex", "globex.example", "www.acme.example")), fleet.Taken, "domain", "www.acme.example", "tenant acme")
	fails(t, s.InsertTenant(ctx, aTenant("globex", "old.example")), fleet.Taken, "domain", "trash", "--now")
	fails(t, s.InsertTenant(ctx, aTenant("globex", "a.example", "a.example")), fleet.Invalid, "domain", "a.example")
	if _, err := s.Tenant(ctx, "globex"); !errors.Is(err, fleet.NotFound) {
		t.Errorf("a refused tenant is there: %v", err)
	}
	// What was refused has taken nothing.
	ok(t, s.InsertTenant(ctx, aTenant("globex", "globex.example")))
}

// race runs fn n times at once and counts the successes; other outcomes must be of the code.
func race(t *testing.T, n int, code fleet.Code, fn func(i int) error) int {
	t.Helper()
	var wins atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			switch err := fn(i); {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, code):
				t.Errorf("call %d: %v, want code %q", i, err, code)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(wins.Load())
}

func testTenantConcurrentName(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	wins := race(t, 20, fleet.Taken, func(i int) error {
		tenant := aTenant("acme", fleet.Domain(fmt.Sprintf("d%d.example", i)))
		tenant.ID = fmt.Sprint("id-", i)
		return s.InsertTenant(ctx, tenant)
	})
	if n := len(must(s.Tenants(ctx, fleet.TenantFilter{}))(t)); wins != 1 || n != 1 {
		t.Errorf("%d inserts won, %d tenants are there; want 1 and 1", wins, n)
	}
}

func testTenantConcurrentDomain(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)} // as two daemons
	ctx := t.Context()
	wins := race(t, 20, fleet.Taken, func(i int) error {
		return stores[i%2].InsertTenant(ctx, aTenant(fmt.Sprint("tenant", i), "shop.example", fleet.Domain(fmt.Sprintf("d%d.example", i))))
	})
	list := must(stores[0].Tenants(ctx, fleet.TenantFilter{}))(t)
	if wins != 1 || len(list) != 1 {
		t.Fatalf("%d inserts won, %d tenants are there; want 1 and 1", wins, len(list))
	}
	same(t, "owner", must(stores[1].TenantByDomain(ctx, "shop.example"))(t).ID, list[0].ID)
}

func testTenantUpdate(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.InsertTenant(ctx, aTenant("acme")))
	change := must(s.Tenant(ctx, "acme"))(t)
	change.DisplayName, change.Contact, change.Plan, change.Member = "New", "", "large", "n2"
	change.DomainSettings, change.Maintenance, change.Holds, change.Guard = nil, nil, nil, nil
	change.Labels, change.PurgeAt, change.Desired, change.Ready = nil, nil, fleet.DesiredStopped, false
	change.Image, change.Health = fleet.ImageRef{Name: "static", Version: "2"}, fleet.DefaultHealth()
	change.UpdatedAt, change.CreatedAt = at(50), at(77)
	got := must(s.UpdateTenant(ctx, change))(t)
	want := change
	want.Revision, want.CreatedAt = 2, at(1) // the time of creation is not written
	same(t, "result", got, want)
	same(t, "stored", must(s.Tenant(ctx, "acme"))(t), want)

	_, err := s.UpdateTenant(ctx, change) // still at revision 1
	fails(t, err, fleet.Conflict, "", "acme")
	same(t, "after a conflict", must(s.Tenant(ctx, "acme"))(t), want)
	_, err = s.UpdateTenant(ctx, aTenant("gone"))
	fails(t, err, fleet.NotFound, "", "gone")
}

func testTenantUpdateIndexes(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.InsertTenant(ctx, aTenant("acme", "one.example", "two.example")))
	ok(t, s.InsertTenant(ctx, aTenant("globex", "globex.example")))

	taken := must(s.Tenant(ctx, "acme"))(t)
	taken.Domains = []fleet.Domain{"one.example", "globex.example"}
	_, err := s.UpdateTenant(ctx, taken)
	fails(t, err, fleet.Taken, "domain", "globex")
	taken = must(s.Tenant(ctx, "acme"))(t)
	taken.Name = "globex"
	_, err = s.UpdateTenant(ctx, taken)
	fails(t, err, fleet.Taken, "name", "globex")
	if got := must(s.TenantByDomain(ctx, "two.example"))(t); got.Name != "acme" || got.Revision != 1 {
		t.Errorf("a refused update has changed %+v", got)
	}

	moved := must(s.Tenant(ctx, "acme"))(t)
	moved.Name, moved.Domains = "emca", []fleet.Domain{"two.example", "three.example"}
	moved.Labels = map[string]string{"ring": "late"}
	moved = must(s.UpdateTenant(ctx, moved))(t)
	same(t, "by new domain", must(s.TenantByDomain(ctx, "three.example"))(t), moved)
	_, err = s.TenantByDomain(ctx, "one.example")
	fails(t, err, fleet.NotFound, "")
	_, err = s.Tenant(ctx, "acme")
	fails(t, err, fleet.NotFound, "")
	for labels, want := range map[string]string{"late": "emca", "early": "globex"} {
		same(t, labels, names(must(s.Tenants(ctx, fleet.TenantFilter{Labels: map[string]string{"ring": labels}}))(t)), want)
	}
	ok(t, s.InsertTenant(ctx, aTenant("acme", "one.example"))) // name and domain are free; the ID is in use
	if _, err := s.Tenant(ctx, "acme"); !errors.Is(err, fleet.NotFound) {
		t.Errorf("the same ID made a second tenant: %v", err)
	}
	again := aTenant("acme", "one.example")
	again.ID = "id-2"
	ok(t, s.InsertTenant(ctx, again))
}

func testTenantConcurrentUpdates(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	ctx := t.Context()
	ok(t, stores[0].InsertTenant(ctx, aTenant("acme")))
	read := must(stores[0].Tenant(ctx, "acme"))(t)
	wins := race(t, 16, fleet.Conflict, func(i int) error {
		change := read
		change.Plan = fmt.Sprint("plan", i)
		_, err := stores[i%2].UpdateTenant(ctx, change)
		return err
	})
	if got := must(stores[1].Tenant(ctx, "acme"))(t); wins != 1 || got.Revision != 2 {
		t.Errorf("%d updates of one revision won, revision is %d; want 1 and 2", wins, got.Revision)
	}
}

func testTenantDelete(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.InsertTenant(ctx, aTenant("acme")))
	ok(t, s.DeleteTenant(ctx, "id-acme"))
	before := must(s.Generation(ctx))(t)
	ok(t, s.DeleteTenant(ctx, "id-acme"))
	if now := must(s.Generation(ctx))(t); now != before {
		t.Errorf("generation grew from %d to %d without a change", before, now)
	}
	_, err := s.Tenant(ctx, "acme")
	fails(t, err, fleet.NotFound, "")
	same(t, "by label", names(must(s.Tenants(ctx, fleet.TenantFilter{Labels: map[string]string{"ring": "early"}}))(t)), "")
	other := aTenant("acme")
	other.ID = "id-second"
	ok(t, s.InsertTenant(ctx, other))
}

func testTenantTexts(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	for i, text := range []string{"Müller & Söhne 株式会社 🏗️", `quote ' " \ % _ ; -- /* */`, "line\nbreak\ttab", "nul\x00byte", "trailing  ", strings.Repeat("é", 70000)} {
		name := fmt.Sprint("t", i)
		want := aTenant(name)
		want.DisplayName, want.Contact = text, text
		short := text[:min(len(text), 60)]
		want.Labels = map[string]string{short: short}
		ok(t, s.InsertTenant(ctx, want))
		same(t, name, must(s.Tenant(ctx, want.Name))(t), want)
		same(t, "by label", names(must(s.Tenants(ctx, fleet.TenantFilter{Labels: want.Labels}))(t)), name)
		same(t, "by text", names(must(s.Tenants(ctx, fleet.TenantFilter{Search: text}))(t)), name)
	}
	same(t, "spaces count", names(must(s.Tenants(ctx, fleet.TenantFilter{Labels: map[string]string{"trailing": "trailing"}}))(t)), "")
	broken := aTenant("broken")
	broken.DisplayName = "half a rune: \xe2\x82"
	ok(t, s.InsertTenant(ctx, broken))
	same(t, "not UTF-8", must(s.Tenant(ctx, "broken"))(t).DisplayName, "half a rune: \uFFFD")
}

func testTenantTooLong(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	long := strings.Repeat("é", 256)
	for field, change := range map[string]func(*fleet.Tenant){
		"labels": func(t *fleet.Tenant) { t.Labels = map[string]string{"k": long} },
		"plan":   func(t *fleet.Tenant) { t.Plan = long },
		"member": func(t *fleet.Tenant) { t.Member = long },
	} {
		tenant := aTenant("acme")
		change(&tenant)
		fails(t, s.InsertTenant(ctx, tenant), fleet.Invalid, field, "256")
	}
	fits := aTenant("acme")
	fits.Labels = map[string]string{long[2:]: long[2:]}
	ok(t, s.InsertTenant(ctx, fits))
}
