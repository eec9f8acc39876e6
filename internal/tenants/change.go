package tenants

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// change edits the stored tenant and writes it, again where another writer came between.
// edit says whether it changed anything.
func change(ctx context.Context, store Store, id string, edit func(*fleet.Tenant) bool) (fleet.Tenant, error) {
	for tries := 0; ; tries++ {
		t, err := store.TenantByID(ctx, id)
		if err != nil {
			return fleet.Tenant{}, fmt.Errorf("read tenant: %w", err)
		}
		if !edit(&t) {
			return t, nil
		}
		after, err := store.UpdateTenant(ctx, t)
		if err == nil {
			return after, nil
		}
		if fleet.CodeOf(err) != fleet.Conflict || tries == 9 {
			return fleet.Tenant{}, fmt.Errorf("write tenant %s: %w", t.Name, err)
		}
	}
}
