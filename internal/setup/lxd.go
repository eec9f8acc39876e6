package setup

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LXD is what setup needs of LXD.
type LXD interface {
	Server(ctx context.Context) (fleet.Server, error)
	Members(ctx context.Context) ([]fleet.Member, error)
	Pools(ctx context.Context) ([]fleet.Pool, error)
	EnsurePoolConfig(ctx context.Context, pool string, set map[string]string) (changed bool, err error)
	Networks(ctx context.Context) ([]fleet.Network, error)
	EnsureProject(ctx context.Context, spec fleet.ProjectSpec) (change string, err error)
	EnsureProfile(ctx context.Context, spec fleet.ProfileSpec) (change string, err error)
	Profiles(ctx context.Context) ([]fleet.ProfileSpec, error)
}
