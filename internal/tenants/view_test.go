package tenants

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// well is a Prober for which every tenant is well.
type well struct{}

func (well) Probe(context.Context, string, string, fleet.HealthCheck) error { return nil }

// crowd makes a fleet of n running tenants, observed.
func crowd(tb testing.TB, n int) (*Service, *lxdfake.LXD) {
	tb.Helper()
	ctx := tb.Context()
	db, err := store.Open(ctx, "sqlite::memory:")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	lxd := lxdfake.New(lxdfake.Options{})
	for i := range n {
		name := fmt.Sprintf("tenant-%05d", i)
		tenant := fleet.Tenant{
			ID: fleet.NewID(time.Now()), Name: fleet.Name(name), Plan: "small", Image: fleet.ImageRef{Name: "wordpress", Version: "1"},
			Domains: []fleet.Domain{fleet.Domain(name + ".test")}, Health: fleet.DefaultHealth(), Desired: fleet.DesiredRunning,
			Ready: true, Member: "none", CreatedAt: time.Now(), UpdatedAt: time.Now(),
		}
		if err := db.InsertTenant(ctx, tenant); err != nil {
			tb.Fatal(err)
		}
		keys := keysOf(tenant)
		maps.Copy(keys, map[string]string{fleet.KeyReady: "true"})
		if err := lxd.LxcCreate(fleet.CloneSpec{Name: name, Config: keys}); err != nil {
			tb.Fatal(err)
		}
		if err := lxd.LxcStart(name); err != nil {
			tb.Fatal(err)
		}
	}
	observer := NewObserver(lxd, db, db, well{}, ObserverOptions{Dial: func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		return a, b.Close()
	}})
	if err := observer.Resync(ctx); err != nil {
		tb.Fatal(err)
	}
	return NewService(ServiceDeps{LXD: lxd, Store: db, Images: db, Jobs: db, Observer: observer}, ServiceOptions{}), lxd
}

func TestListJoinsStoreAndObservation(t *testing.T) {
	service, lxd := crowd(t, 30)
	do(t, lxd.LxcStop("tenant-00003"))
	do(t, service.Observer.Resync(t.Context()))
	list, err := service.List(t.Context(), fleet.TenantFilter{After: "tenant-00001", Limit: 3})
	if err != nil || len(list) != 3 || list[0].Name != "tenant-00002" {
		t.Fatalf("%+v, %v", list, err)
	}
	if list[0].Status != fleet.TenantRunning || list[1].Status != fleet.TenantStoppedByOperator || list[0].Observation.Address == "" {
		t.Errorf("%s and %s, %+v", list[0].Status, list[1].Status, list[0].Observation)
	}
	_, err = service.Get(t.Context(), "nobody")
	wantError(t, err, fleet.NotFound, "", "tenant list")
}

// Pages are right whatever they are sorted by, and whichever statuses are left out.
func TestListPages(t *testing.T) {
	service, lxd := crowd(t, 30)
	for _, n := range []int{3, 4, 17, 29} {
		do(t, lxd.LxcStop(fmt.Sprintf("tenant-%05d", n)))
	}
	do(t, service.Observer.Resync(t.Context()))
	stopped := []fleet.TenantStatus{fleet.TenantStoppedByOperator}
	for name, c := range map[string]struct {
		filter fleet.TenantFilter
		count  int
		first  fleet.Name
	}{
		"by name":                  {fleet.TenantFilter{}, 30, "tenant-00000"},
		"by name, down":            {fleet.TenantFilter{Down: true}, 30, "tenant-00029"},
		"stopped":                  {fleet.TenantFilter{Statuses: stopped}, 4, "tenant-00003"},
		"stopped, newest first":    {fleet.TenantFilter{Statuses: stopped, Order: fleet.TenantsByCreated, Down: true}, 4, "tenant-00029"},
		"by status":                {fleet.TenantFilter{Order: fleet.TenantsByStatus}, 30, "tenant-00000"},
		"by status, down":          {fleet.TenantFilter{Order: fleet.TenantsByStatus, Down: true}, 30, "tenant-00029"},
		"stopped by status":        {fleet.TenantFilter{Statuses: stopped, Order: fleet.TenantsByStatus}, 4, "tenant-00003"},
		"none of them":             {fleet.TenantFilter{Statuses: []fleet.TenantStatus{fleet.TenantMissing}}, 0, ""},
		"none of them, by created": {fleet.TenantFilter{Statuses: []fleet.TenantStatus{fleet.TenantMissing}, Order: fleet.TenantsByCreated}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := service.List(t.Context(), c.filter)
			do(t, err)
			if len(all) != c.count || len(all) > 0 && all[0].Name != c.first {
				t.Fatalf("%d tenants, the first of which is %v", len(all), all)
			}
			var paged []View
			for f := c.filter; ; {
				f.Limit = 3
				page, err := service.List(t.Context(), f)
				do(t, err)
				if paged = append(paged, page...); len(page) < 3 {
					break
				}
				last := page[2]
				f.After, f.AfterCreated, f.AfterStatus = last.Name, last.CreatedAt, last.Status
			}
			for i := range all {
				if len(paged) != len(all) || paged[i].Name != all[i].Name {
					t.Fatalf("pages together are %d tenants, all are %d", len(paged), len(all))
				}
			}
		})
	}
}

// counted counts how often tenants are listed, and how many come of it.
type counted struct {
	Store
	lists, tenants int
}

func (c *counted) Tenants(ctx context.Context, f fleet.TenantFilter) ([]fleet.Tenant, error) {
	list, err := c.Store.Tenants(ctx, f)
	c.lists++
	c.tenants += len(list)
	return list, err
}

// Pages by status, or of one status, are cut from what is in memory: the store is read again once a
// tenant has changed only, and what is seen shows in the next page.
func TestStatusPagesDoNotReadTheStore(t *testing.T) {
	service, lxd := crowd(t, 60)
	c := &counted{Store: service.Store}
	service.Store, service.Observer.roster.store = c, c
	byStatus := fleet.TenantFilter{Order: fleet.TenantsByStatus, Limit: 7}
	rare := fleet.TenantFilter{Statuses: []fleet.TenantStatus{fleet.TenantStoppedByOperator}, Limit: 7}
	newest := fleet.TenantFilter{Statuses: rare.Statuses, Order: fleet.TenantsByCreated, Down: true, Search: "TEST", Limit: 7}
	expect := func(what string, f fleet.TenantFilter, want ...fleet.Name) {
		t.Helper()
		list, err := service.List(t.Context(), f)
		do(t, err)
		var got []fleet.Name
		for _, v := range list {
			got = append(got, v.Name)
		}
		if !slices.Equal(got[:min(len(want), len(got))], want) || len(want) == 0 && len(got) > 0 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	expect("all run", byStatus, "tenant-00000", "tenant-00001")
	expect("none is stopped", rare)
	for _, name := range []string{"tenant-00042", "tenant-00007"} {
		do(t, lxd.LxcStop(name))
		do(t, service.Observer.Refresh(t.Context(), name))
	}
	expect("stopped ones", rare, "tenant-00007", "tenant-00042")
	expect("stopped ones, newest first", newest, "tenant-00042", "tenant-00007")
	last := byStatus
	last.Down = true
	expect("the last status first", last, "tenant-00042", "tenant-00007", "tenant-00059")
	after := byStatus
	after.After, after.AfterStatus = "tenant-00006", fleet.TenantRunning
	expect("after one that runs no more", after, "tenant-00008")
	if c.lists > 1 {
		t.Errorf("the store was listed %d times, %d tenants", c.lists, c.tenants)
	}
	acme, err := service.Store.Tenant(t.Context(), "tenant-00007")
	do(t, err)
	acme.Desired = fleet.DesiredStopped
	_, err = service.Store.UpdateTenant(t.Context(), acme)
	do(t, err)
	expect("one has changed", rare, "tenant-00042")
	if c.lists > 2 {
		t.Errorf("after one change the store was listed %d times", c.lists)
	}
}

func BenchmarkListPageByStatusOf10000(b *testing.B) {
	service, _ := crowd(b, 10_000)
	f := fleet.TenantFilter{Order: fleet.TenantsByStatus, After: "tenant-05000", AfterStatus: fleet.TenantRunning, Limit: 100}
	for b.Loop() {
		if list, err := service.List(b.Context(), f); err != nil || len(list) != 100 {
			b.Fatal(len(list), err)
		}
	}
}

func BenchmarkListFirstPageOf10000(b *testing.B) {
	service, _ := crowd(b, 10_000)
	for b.Loop() {
		if list, err := service.List(b.Context(), fleet.TenantFilter{Limit: 100}); err != nil || len(list) != 100 {
			b.Fatal(len(list), err)
		}
	}
}

func BenchmarkRoutesOf10000(b *testing.B) {
	service, _ := crowd(b, 10_000)
	for b.Loop() {
		if routes, err := service.Observer.Routes(b.Context()); err != nil || len(routes) != 10_000 {
			b.Fatal(len(routes), err)
		}
	}
}

func BenchmarkResyncOf10000(b *testing.B) {
	service, _ := crowd(b, 10_000)
	for b.Loop() {
		if err := service.Observer.Resync(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// The backend watch of a large fleet stays within its rate.
func TestDialsAreBounded(t *testing.T) {
	o := NewObserver(nil, nil, nil, nil, ObserverOptions{})
	for n, want := range map[int]time.Duration{0: 500 * time.Millisecond, 20: 500 * time.Millisecond, 200: 500 * time.Millisecond, 10_000: 25 * time.Second} {
		o.seen = make(map[string]*sight, n)
		for i := range n {
			o.seen[fmt.Sprint(i)] = &sight{}
		}
		if got := o.dialEvery(); got != want {
			t.Errorf("with %d instances every %s, want %s", n, got, want)
		}
	}
}
