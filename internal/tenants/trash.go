package tenants

import (
	"context"
	"log/slog"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Trash empties the trash: it asks for a tenant.purge for each tenant whose time has come.
type Trash struct {
	Service *Service
	// Every is the time between two looks. Default a minute.
	Every time.Duration
	// Logger gets failures. Default: nothing is logged.
	Logger *slog.Logger

	notBefore map[string]time.Time // by tenant id: a purge that failed is asked for again later
}

// purgeAgain is how long after asking for a purge the same is asked for again.
const purgeAgain = 10 * time.Minute

// Run looks into the trash until ctx ends.
func (t *Trash) Run(ctx context.Context) {
	every(ctx, t.Every, t.Logger, "the trash cannot be emptied", t.Once)
}

// Once asks for the purges that are due now. A tenant that is busy waits for the next time.
func (t *Trash) Once(ctx context.Context) error {
	s, now := t.Service, t.Service.opt.Now()
	list, err := s.Store.Tenants(ctx, fleet.TenantFilter{Desired: []fleet.Desired{fleet.DesiredRemoved}})
	if err != nil {
		return err //nolint:wrapcheck // every says what was being done
	}
	later := map[string]time.Time{}
	for _, tenant := range list {
		if tenant.PurgeAt == nil || tenant.PurgeAt.After(now) {
			continue
		}
		if at, asked := t.notBefore[tenant.ID]; asked && now.Before(at) {
			later[tenant.ID] = at
			continue
		}
		_, err := s.submit(ctx, KindPurge, tenant.Name, removeState{
			whereabouts: s.whereabouts(tenant, 0), PurgeAt: tenant.PurgeAt, Due: true,
		}, Once{})
		if err != nil && fleet.CodeOf(err) != fleet.Busy {
			return err
		}
		later[tenant.ID] = now.Add(purgeAgain)
	}
	t.notBefore = later
	return nil
}

// every calls once now and then each interval (default a minute) until ctx ends.
func every(ctx context.Context, interval time.Duration, log *slog.Logger, failure string, once func(context.Context) error) {
	if interval <= 0 {
		interval = time.Minute
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := once(ctx); err != nil && ctx.Err() == nil {
			log.Warn(failure, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
