package app

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/setup"
	"github.com/lxdfleet/lxdfleet/internal/store"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestListOfManyTenantsOnSQLite(t *testing.T) {
	testListOfMany(t, "sqlite://"+filepath.Join(t.TempDir(), "fleet.db"))
}

// testListOfMany asks the API for the first page of manyTenants that LXD (the fake) runs:
// the median of 21 requests is under 50 ms.
func testListOfMany(t *testing.T, dsn string) {
	handler := manyTenantsAPI(t, dsn)
	var times []time.Duration
	for range 21 {
		recorder := httptest.NewRecorder()
		start := time.Now()
		handler.ServeHTTP(recorder, httptest.NewRequestWithContext(api.AsLocal(t.Context(), "root"), http.MethodGet, "/v1/tenants?limit=100", http.NoBody))
		times = append(times, time.Since(start))
		if n := strings.Count(recorder.Body.String(), `"status":"running"`); recorder.Code != http.StatusOK || n != 100 {
			t.Fatalf("%d with %d running tenants: %.300s", recorder.Code, n, recorder.Body)
		}
	}
	slices.Sort(times)
	t.Logf("first page of %d tenants: median %s, worst %s", manyTenants, times[len(times)/2], times[len(times)-1])
	if times[len(times)/2] > slower*50*time.Millisecond {
		t.Errorf("median %s", times[len(times)/2])
	}
}

// fillMany records manyTenants and makes and starts their instances.
func fillMany(ctx context.Context, s *store.Store, lxd *lxdfake.LXD) error {
	image, err := lxd.EnsureImported(ctx, strings.NewReader("image"), nil, nil)
	if err != nil {
		return err
	}
	for i := range manyTenants {
		tenant := fleet.Tenant{
			ID: fmt.Sprintf("%026d", i), Name: fleet.Name(fmt.Sprintf("t%05d", i)), Plan: "small", Ready: true,
			Image: fleet.ImageRef{Name: "wordpress", Version: "1"}, Health: fleet.DefaultHealth(), Desired: fleet.DesiredRunning,
			Domains: []fleet.Domain{fleet.Domain(fmt.Sprintf("t%05d.example", i))}, Labels: map[string]string{"tier": "gold"},
			CreatedAt: time.Unix(1, 0), UpdatedAt: time.Unix(1, 0),
		}
		if err := s.InsertTenant(ctx, tenant); err != nil {
			return err
		}
		name := tenant.Name.String()
		if err := lxd.LxcCreate(fleet.CloneSpec{Name: name, Fingerprint: image, Config: map[string]string{fleet.KeyTenant: tenant.ID}}); err != nil {
			return err
		}
		if err := lxd.LxcStart(name); err != nil {
			return err
		}
	}
	return nil
}

// manyTenantsAPI is the API over a store and a fake LXD with all those tenants, seen once.
func manyTenantsAPI(t *testing.T, dsn string) http.Handler {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	lxd := lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2", "n3"}})
	if err := fillMany(t.Context(), s, lxd); err != nil {
		t.Fatal(err)
	}
	observer := tenants.NewObserver(lxd, s, s, tenants.NewHTTPProber(nil, func() int { return 0 }), tenants.ObserverOptions{})
	if err := observer.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	engine := jobs.NewEngine(s, jobs.NewRegistry(), jobs.Options{})
	none := apifake.New()
	service := tenants.NewService(tenants.ServiceDeps{LXD: lxd, Store: s, Images: s, Jobs: s, Submit: engine, Observer: observer}, tenants.ServiceOptions{})
	server, err := api.New(api.Options{
		Tenants: service, Placement: service, Images: none.Images, Jobs: engine, Proxies: none.Proxies, Feed: api.NewFeed(10, time.Now), UploadDir: t.TempDir(),
		RecoverImages: func(context.Context) ([]fleet.GoldenImage, error) { return nil, nil },
		Plans:         lxd.Profiles, Routes: observer.Routes, LXD: lxd.Server, Ping: s.Ping,
		CA:     func(context.Context) ([]byte, error) { return nil, nil },
		Doctor: func(context.Context) ([]setup.Finding, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return server.Handler()
}
