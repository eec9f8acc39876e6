package bulk

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Actor does one tenant's part.
type Actor interface {
	// Act makes a job. Called again with the same once it gives the job of before, whatever has
	// become of the tenant meanwhile. Errors are those of the action on one tenant.
	Act(ctx context.Context, tenant fleet.Name, r Request, once Once) (fleet.Job, error)
}

// Store lists tenants.
type Store interface {
	Tenants(ctx context.Context, filter fleet.TenantFilter) ([]fleet.Tenant, error)
}

// JobBook reads jobs.
type JobBook interface {
	Job(ctx context.Context, id string) (fleet.Job, error)
	Jobs(ctx context.Context, filter jobs.JobFilter) ([]fleet.Job, error)
}

// Engine takes jobs in; jobs.Engine is one.
type Engine interface {
	Submit(ctx context.Context, req jobs.Request) (fleet.Job, error)
	// ByKey finds the job of an earlier request; fleet.NotFound, or fleet.Conflict where the key
	// came with another one.
	ByKey(ctx context.Context, key, hash string) (fleet.Job, error)
}
