package tenants

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// RecoverOutcome says what became of one instance.
type RecoverOutcome string

const (
	// RecoverDone: the tenant is in the store again (or would be, in a dry run).
	RecoverDone RecoverOutcome = "recovered"
	// RecoverThere: the store has this tenant.
	RecoverThere RecoverOutcome = "there"
	// RecoverConflict: it cannot be taken in; Reason says why.
	RecoverConflict RecoverOutcome = "conflict"
)

// Recovered is what Recover found of one instance.
type Recovered struct {
	Instance string
	Tenant   fleet.Tenant // zero where the keys cannot be read
	Outcome  RecoverOutcome
	Reason   string
}

// Recover rebuilds tenants, with their domains and plans, from the keys of the instances in
// LXD. It only adds to the store: a tenant that is there stays as it is, and what does not
// fit beside it is reported as a conflict. It may be repeated. With dryRun nothing is written.
// The report has one entry for each instance of a tenant, by name.
func (s *Service) Recover(ctx context.Context, dryRun bool) ([]Recovered, error) {
	instances, err := s.LXD.Instances(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	var report []Recovered
	owners := map[string][]fleet.Instance{} // by tenant id
	for _, inst := range instances {
		if unread(inst) {
			report = append(report, Recovered{
				Instance: inst.Name, Outcome: RecoverConflict,
				Reason: fmt.Sprintf("its member %s is offline; recover again when it is back", inst.Location),
			})
		}
		if id := inst.Config[fleet.KeyTenant]; id != "" && inst.Config[fleet.KeyRole] == fleet.RoleTenant {
			owners[id] = append(owners[id], inst)
		}
	}
	var planned []fleet.Tenant // of a dry run: what would be in the store by now
	for _, id := range slices.Sorted(maps.Keys(owners)) {
		original := originalOf(owners[id])
		for _, inst := range owners[id] {
			if inst.Name != original.Name {
				report = append(report, Recovered{
					Instance: inst.Name, Outcome: RecoverConflict,
					Reason: fmt.Sprintf("it is a copy of %s and carries its keys; adopt it: lxdfleet tenant adopt %s", original.Name, inst.Name),
				})
				continue
			}
			entry, err := s.recoverOne(ctx, inst, planned, dryRun)
			if err != nil {
				return nil, err
			}
			if entry.Outcome == RecoverDone {
				planned = append(planned, entry.Tenant)
			}
			report = append(report, entry)
		}
	}
	slices.SortFunc(report, func(a, b Recovered) int { return strings.Compare(a.Instance, b.Instance) })
	return report, nil
}

// originalOf tells the tenant's own instance from copies made by lxc copy: the one that has
// the name its keys tell, else the oldest.
func originalOf(instances []fleet.Instance) fleet.Instance {
	return slices.MinFunc(instances, func(a, b fleet.Instance) int {
		rank := func(i fleet.Instance) int {
			if i.Config[fleet.KeyName] == i.Name {
				return 0
			}
			return 1
		}
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		if d := a.CreatedAt.Compare(b.CreatedAt); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
}

func (s *Service) recoverOne(ctx context.Context, inst fleet.Instance, planned []fleet.Tenant, dryRun bool) (Recovered, error) {
	entry := Recovered{Instance: inst.Name, Outcome: RecoverConflict}
	if inst.Config[fleet.KeyReady] != "true" {
		entry.Reason = "its creation was never finished; delete it (lxc delete --force " + inst.Name + ") and create it again"
		return entry, nil
	}
	t, err := tenantOf(inst)
	if err != nil {
		entry.Reason = fmt.Sprintf("its keys cannot be read: %v", err)
		return entry, nil
	}
	entry.Tenant = t
	if there, err := s.Store.TenantByID(ctx, t.ID); err == nil {
		entry.Tenant, entry.Outcome = there, RecoverThere
		return entry, nil
	} else if fleet.CodeOf(err) != fleet.NotFound {
		return entry, fmt.Errorf("look for tenant %s: %w", t.Name, err)
	}
	err = s.free(ctx, t)
	if err == nil {
		err = clash(t, planned)
	}
	if err == nil && !dryRun {
		err = s.Store.InsertTenant(ctx, t)
	}
	switch fleet.CodeOf(err) {
	case "":
		entry.Outcome = RecoverDone
		s.Observer.Nudge(t.Name)
	case fleet.Taken:
		entry.Reason = err.Error()
	default:
		return entry, fmt.Errorf("recover tenant %s: %w", t.Name, err)
	}
	return entry, nil
}

// clash fails with fleet.Taken when a tenant recovered earlier in the same run has a domain of t.
func clash(t fleet.Tenant, planned []fleet.Tenant) error {
	for _, other := range planned {
		for _, d := range t.Domains {
			if slices.Contains(other.Domains, d) {
				return fleet.Errorf(fleet.Taken, "%s belongs to tenant %s", d, other.Name).WithField("domain")
			}
		}
	}
	return nil
}
