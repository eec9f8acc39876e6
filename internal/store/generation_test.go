package store

import (
	"fmt"
	"sync"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testGeneration(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	last := must(s.Generation(ctx))(t)
	grew := func(what string) {
		t.Helper()
		now := must(s.Generation(ctx))(t)
		if now <= last {
			t.Errorf("%s: generation %d, was %d", what, now, last)
		}
		last = now
	}
	ok(t, s.InsertTenant(ctx, aTenant("acme")))
	grew("insert")
	tenant := must(s.UpdateTenant(ctx, must(s.Tenant(ctx, "acme"))(t)))(t)
	grew("update")
	ok(t, s.DeleteTenant(ctx, tenant.ID))
	grew("delete")
	_, err := s.UpdateTenant(ctx, tenant)
	fails(t, err, fleet.NotFound, "")
	if now := must(s.Generation(ctx))(t); now != last {
		t.Errorf("a refused change moved the generation from %d to %d", last, now)
	}
}

// Who reads the tenants after the generation sees at least what that generation had.
func testGenerationConcurrent(t *testing.T, db database) {
	dsn := db(t)
	writer, reader := openAt(t, dsn), openAt(t, dsn)
	ctx := t.Context()
	first := must(writer.Generation(ctx))(t)
	const n = 40
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := writer.InsertTenant(ctx, aTenant(fmt.Sprint("tenant", i))); err != nil {
				t.Error(err)
			}
		})
	}
	for seen := int64(0); seen < n && !t.Failed(); {
		generation := must(reader.Generation(ctx))(t)
		list := must(reader.Tenants(ctx, fleet.TenantFilter{}))(t)
		if seen = generation - first; int64(len(list)) < seen {
			t.Errorf("generation %d (%d inserts), but %d tenants", generation, seen, len(list))
		}
	}
	wg.Wait()
}
