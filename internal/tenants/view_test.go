package tenants

import (
	"context"
	"fmt"
	"maps"
	"net"
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
