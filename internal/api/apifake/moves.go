package apifake

import (
	"cmp"
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/migration"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Moves moves nothing; acme is on n1.
type Moves struct{ fleet *Fleet }

func (m Moves) submit(method, kind, subject string, once migration.Once, args ...any) (fleet.Job, error) {
	if err := m.fleet.called(method, args...); err != nil {
		return fleet.Job{}, err
	}
	return m.fleet.Jobs.Submit(kind, subject, map[string]any{}, tenants.Once(once))
}

func (m Moves) check(tenant fleet.Name, to string) error {
	if _, err := m.fleet.Tenants.find(tenant); err != nil {
		return err
	}
	if to == "n1" {
		return fleet.Errorf(fleet.Conflict, "tenant %s is on n1 already", tenant).WithField("to").
			WithHint("name another member: lxdfleet member list")
	}
	return nil
}

// Move implements api.Moves.
func (m Moves) Move(_ context.Context, tenant fleet.Name, r migration.Request, once migration.Once) (fleet.Job, error) {
	if err := m.check(tenant, r.To); err != nil {
		return fleet.Job{}, err
	}
	if err := m.fleet.called("Move", tenant, r); err != nil {
		return fleet.Job{}, err
	}
	places := map[string]string{"from": "n1", "to": cmp.Or(r.To, "n3")}
	return m.fleet.Jobs.Submit(migration.KindMove, "tenant/"+tenant.String(), places, tenants.Once(once))
}

// MoveAt implements api.Moves.
func (m Moves) MoveAt(_ context.Context, tenant fleet.Name, r migration.Request, at time.Time, once migration.Once) (fleet.Job, error) {
	if err := m.check(tenant, r.To); err != nil {
		return fleet.Job{}, err
	}
	return m.submit("MoveAt", migration.KindLater, "planned/"+tenant.String(), once, tenant, r, at)
}

// MoveInWindow implements api.Moves.
func (m Moves) MoveInWindow(ctx context.Context, tenant fleet.Name, r migration.Request, once migration.Once) (fleet.Job, error) {
	return m.MoveAt(ctx, tenant, r, Now, once)
}

// Estimate implements api.Moves.
func (m Moves) Estimate(_ context.Context, tenant fleet.Name, r migration.Request) (migration.Estimate, error) {
	if err := m.fleet.called("Estimate", tenant, r); err != nil {
		return migration.Estimate{}, err
	}
	return migration.Estimate{
		From: "n1", To: "n3", Why: "it has the most points of 2 members that fit: 74.5", Bytes: 700 * fleet.MiB,
		Copy: 12 * time.Second, Hold: 3800 * time.Millisecond,
	}, m.check(tenant, r.To)
}

// Drain implements api.Moves.
func (m Moves) Drain(ctx context.Context, member string, partial bool, o migration.Options, once migration.Once) (fleet.Job, error) {
	if _, err := m.fleet.Member(ctx, member); err != nil {
		return fleet.Job{}, err
	}
	return m.submit("Drain", migration.KindDrain, "member/"+member, once, member, partial, o)
}

// Restore implements api.Moves.
func (m Moves) Restore(ctx context.Context, member string, o migration.Options, once migration.Once) (fleet.Job, error) {
	if _, err := m.fleet.Member(ctx, member); err != nil {
		return fleet.Job{}, err
	}
	return m.submit("RestoreMember", migration.KindRestore, "member/"+member, once, member, o)
}

// Rebalance implements api.Moves.
func (m Moves) Rebalance(_ context.Context, consolidate bool, o migration.Options, once migration.Once) (fleet.Job, error) {
	return m.submit("Rebalance", migration.KindRebalance, "fleet", once, consolidate, o)
}
