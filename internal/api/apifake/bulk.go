package apifake

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Bulk does nothing to many tenants.
type Bulk struct{ fleet *Fleet }

// Begin implements api.Bulk.
func (b Bulk) Begin(_ context.Context, r bulk.Request, who bulk.Choice, once bulk.Once) (fleet.Job, error) {
	args := []any{r, who.Names, who.All}
	if who.Filter != nil {
		args = append(args, *who.Filter)
	}
	if err := b.fleet.called("Bulk", args...); err != nil {
		return fleet.Job{}, err
	}
	for _, name := range who.Names {
		if _, err := b.fleet.Tenants.find(name); err != nil {
			return fleet.Job{}, err
		}
	}
	return b.fleet.Jobs.Submit(bulk.Kind, "bulk/00000000000000000000bulk", map[string]any{}, tenants.Once(once))
}
