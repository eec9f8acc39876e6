package apifake

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
)

// Policies are two: nightly with all there is, and empty.
type Policies struct {
	fleet *Fleet

	mu     sync.Mutex
	byName map[string]fleet.Policy
}

func newPolicies(f *Fleet) *Policies {
	at := Now.Add(-30 * 24 * time.Hour)
	return &Policies{fleet: f, byName: map[string]fleet.Policy{
		"nightly": {
			Name: "nightly", Description: "For most clients", TimeZone: "Europe/Berlin",
			Snapshots: &fleet.Schedule{Cron: "0 * * * *", Keep: fleet.Keep{Hourly: 24, Daily: 7, MinAge: 90 * time.Minute}},
			Backups:   &fleet.Schedule{Cron: "0 3 * * *", Keep: fleet.Keep{Daily: 30, Monthly: 12, Yearly: 3, MinAge: 7 * 24 * time.Hour}},
			Drills:    &fleet.Schedule{Cron: "@weekly", Keep: fleet.Keep{Last: 10, Weekly: 1}},
			CreatedAt: at, UpdatedAt: at, Revision: 1,
		},
		"snapshots-only": {
			Name: "snapshots-only", Snapshots: &fleet.Schedule{Cron: "@daily"}, CreatedAt: at, UpdatedAt: at, Revision: 1,
		},
	}}
}

// Policies implements api.Policies.
func (p *Policies) Policies(context.Context) ([]fleet.Policy, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []fleet.Policy
	for _, name := range slices.Sorted(maps.Keys(p.byName)) {
		all = append(all, p.byName[name])
	}
	return all, p.fleet.called("Policies")
}

// Policy implements api.Policies.
func (p *Policies) Policy(_ context.Context, name string) (fleet.Policy, error) {
	if err := p.fleet.called("Policy", name); err != nil {
		return fleet.Policy{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(name)
}

func (p *Policies) find(name string) (fleet.Policy, error) {
	policy, ok := p.byName[name]
	if !ok {
		return policy, fleet.Errorf(fleet.NotFound, "there is no policy %q", name).WithField("policy").
			WithHint("see them with: lxdfleet policy list")
	}
	return policy, nil
}

// SavePolicy implements api.Policies. It checks less than the service does.
func (p *Policies) SavePolicy(_ context.Context, policy fleet.Policy) (fleet.Policy, error) {
	if err := p.fleet.called("SavePolicy", policy.Name); err != nil {
		return fleet.Policy{}, err
	}
	if _, err := fleet.ParseName(policy.Name); err != nil {
		return fleet.Policy{}, err
	}
	if policy.TimeZone != "" {
		if _, err := time.LoadLocation(policy.TimeZone); err != nil {
			return fleet.Policy{}, fleet.Errorf(fleet.Invalid, "there is no time zone %q", policy.TimeZone).WithField("time_zone").
				WithHint("write it as Europe/Berlin")
		}
	}
	if s := policy.Snapshots; s != nil && !strings.HasPrefix(s.Cron, "@") && len(strings.Fields(s.Cron)) != 5 {
		return fleet.Policy{}, fleet.Errorf(fleet.Invalid, "%q is not a cron expression: it has %d fields", s.Cron, len(strings.Fields(s.Cron))).
			WithField("snapshots.cron").WithHint("write five fields, such as 0 3 * * *, or @daily")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	was, err := p.find(policy.Name)
	switch {
	case err == nil && policy.Revision == 0:
		return fleet.Policy{}, fleet.Errorf(fleet.Taken, "there is a policy %s already", policy.Name).WithField("name").
			WithHint("change it with: lxdfleet policy set %s", policy.Name)
	case err == nil:
		policy.CreatedAt = was.CreatedAt
	default:
		policy.CreatedAt = Now
	}
	policy.UpdatedAt = Now
	policy.Revision++
	p.byName[policy.Name] = policy
	return policy, nil
}

// DeletePolicy implements api.Policies: nightly is acme's.
func (p *Policies) DeletePolicy(_ context.Context, name string) error {
	if err := p.fleet.called("DeletePolicy", name); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.find(name); err != nil {
		return err
	}
	if name == "nightly" {
		return fleet.Errorf(fleet.Conflict, "tenant acme has the policy %s", name).WithField("policy").
			WithHint("give it another one first: lxdfleet tenant set acme policy=")
	}
	delete(p.byName, name)
	return nil
}

// Plan implements api.Policies.
func (p *Policies) Plan(_ context.Context, tenant fleet.Name) (snapshots.Outlook, error) {
	if err := p.fleet.called("Plan", tenant); err != nil {
		return snapshots.Outlook{}, err
	}
	if _, err := p.fleet.Tenants.find(tenant); err != nil {
		return snapshots.Outlook{}, err
	}
	if tenant != "acme" {
		return snapshots.Outlook{Tenant: tenant}, nil
	}
	berlin := time.FixedZone("CET", 3600)
	at := func(d time.Duration) time.Time { return Now.Truncate(time.Hour).Add(d).In(berlin) }
	kept := []snapshots.Retained{
		{Kept: true, Reasons: []string{"pinned", "daily: newest of 2025-03-13, 2 of 7"}},
		{Kept: true, Reasons: []string{"not made by a policy"}},
		{Reasons: []string{"no rule of the policy keeps it"}},
	}
	for i := range kept {
		kept[i].Snapshot = p.fleet.Snapshots.all[i]
	}
	return snapshots.Outlook{
		Tenant: tenant, Policy: "nightly", TimeZone: "Europe/Berlin", Snapshots: kept,
		Runs: []snapshots.NextRuns{
			{What: fleet.ScheduleSnapshots, Cron: "0 * * * *", At: []time.Time{at(time.Hour), at(2 * time.Hour)}},
			{What: fleet.ScheduleBackups, Cron: "0 3 * * *", At: []time.Time{at(17 * time.Hour)}},
		},
	}, nil
}
