package snapshots

import (
	"context"
	"fmt"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/retention"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// Policies lists the policies, by name.
func (s *Service) Policies(ctx context.Context) ([]fleet.Policy, error) {
	all, err := s.Store.Policies(ctx)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return all, nil
}

// Policy gives one; fleet.NotFound.
func (s *Service) Policy(ctx context.Context, name string) (fleet.Policy, error) {
	return s.Store.Policy(ctx, name)
}

// SavePolicy makes a policy, of revision 0, or changes one, and gives it as stored. Errors:
// fleet.Invalid with the field at fault, fleet.Taken, fleet.Conflict where it has changed since
// it was read, fleet.NotFound.
func (s *Service) SavePolicy(ctx context.Context, p fleet.Policy) (fleet.Policy, error) {
	if err := checkPolicy(p); err != nil {
		return fleet.Policy{}, err
	}
	p.UpdatedAt = s.Now()
	if p.Revision == 0 {
		p.CreatedAt = p.UpdatedAt
	}
	p, err := s.Store.SavePolicy(ctx, p)
	if err != nil {
		return fleet.Policy{}, err
	}
	s.PolicyChanged(p.Name)
	return p, nil
}

func checkPolicy(p fleet.Policy) error {
	if _, err := fleet.ParseName(p.Name); err != nil {
		return fleet.Errorf(fleet.Invalid, "%q is no name for a policy", p.Name).WithField("name").
			WithHint("use 1 to 63 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen")
	}
	if err := checkNote(p.Description); err != nil {
		return fleet.Errorf(fleet.Invalid, "the description is too long or has characters that cannot be printed").WithField("description").
			WithHint("use at most 1000 printable characters")
	}
	if _, err := schedule.Zone(p.TimeZone); err != nil {
		return err
	}
	for what, sched := range schedules(p) {
		if sched == nil {
			continue
		}
		if _, err := schedule.Parse(sched.Cron); err != nil {
			return inField(err, what)
		}
		if err := retention.Check(sched.Keep); err != nil {
			return inField(err, what)
		}
	}
	return nil
}

// schedules gives those a policy has, by what they are of.
func schedules(p fleet.Policy) map[string]*fleet.Schedule {
	return map[string]*fleet.Schedule{
		fleet.ScheduleSnapshots: p.Snapshots, fleet.ScheduleBackups: p.Backups, fleet.ScheduleDrills: p.Drills,
	}
}

// DeletePolicy deletes a policy that no tenant has: fleet.Conflict names some that have it.
func (s *Service) DeletePolicy(ctx context.Context, name string) error {
	all, err := s.Store.Tenants(ctx, fleet.TenantFilter{})
	if err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	var using []string
	for _, t := range all {
		if t.Policy == name {
			using = append(using, t.Name.String())
		}
	}
	if len(using) > 0 {
		shown := strings.Join(using[:min(len(using), 5)], ", ")
		return fleet.Errorf(fleet.Conflict, "policy %s is that of %d tenants: %s", name, len(using), shown).
			WithHint("give them another first: lxdfleet tenant set NAME policy=OTHER")
	}
	if err := s.Store.DeletePolicy(ctx, name); err != nil {
		return err
	}
	s.PolicyChanged(name)
	return nil
}
