package snapshots

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/retention"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// Outlook is what a tenant's policy does next, and what it keeps and why.
type Outlook struct {
	Tenant   fleet.Name
	Policy   string // empty: it has none
	TimeZone string // that the policy is read in; empty: the daemon's
	Runs     []NextRuns
	// Snapshots has every snapshot, oldest first.
	Snapshots []Retained
}

// NextRuns are the next times at which something is done.
type NextRuns struct {
	What string // snapshots, backups or drills
	Cron string
	At   []time.Time
}

// Retained says whether a snapshot stays at the next sweep.
type Retained struct {
	fleet.Snapshot
	Kept    bool
	Reasons []string // why it stays, or why it goes
}

// runsAhead is how many runs an Outlook tells.
const runsAhead = 5

// Plan gives the tenant's Outlook.
func (s *Service) Plan(ctx context.Context, name fleet.Name) (Outlook, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return Outlook{}, err
	}
	o := Outlook{Tenant: name, Policy: t.Policy, TimeZone: t.TimeZone}
	var policy fleet.Policy
	if t.Policy != "" {
		if policy, err = s.Store.Policy(ctx, t.Policy); err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return Outlook{}, err
		}
	}
	o.TimeZone = ZoneOf(t, policy)
	zone, err := schedule.Zone(o.TimeZone)
	if err != nil {
		return Outlook{}, err
	}
	for _, what := range []string{fleet.ScheduleSnapshots, fleet.ScheduleBackups, fleet.ScheduleDrills} {
		sched := schedules(policy)[what]
		if sched == nil {
			continue
		}
		cron, err := schedule.Parse(sched.Cron)
		if err != nil {
			return Outlook{}, inField(err, what)
		}
		runs := NextRuns{What: what, Cron: sched.Cron}
		for at := cron.Next(s.Now(), zone); !at.IsZero() && len(runs.At) < runsAhead; at = cron.Next(at, zone) {
			runs.At = append(runs.At, at.In(zone))
		}
		o.Runs = append(o.Runs, runs)
	}
	all, err := list(ctx, s.LXD, s.Store, t)
	if err != nil {
		return Outlook{}, err
	}
	o.Snapshots = s.judge(all, policy, zone)
	return o, nil
}

// ZoneOf is the name of the zone in which a tenant's policy is read.
func ZoneOf(t fleet.Tenant, p fleet.Policy) string {
	if t.TimeZone != "" {
		return t.TimeZone
	}
	return p.TimeZone
}

// judge says which snapshots stay. Only those made by a policy are counted, of whichever policy;
// of the rest, those made before a restore go after their time.
func (s *Service) judge(all []fleet.Snapshot, policy fleet.Policy, zone *time.Location) []Retained {
	now := s.Now()
	var keep fleet.Keep
	if policy.Snapshots != nil {
		keep = policy.Snapshots.Keep
	}
	var counted []retention.Item
	for _, n := range all {
		if n.Origin == fleet.OriginPolicy {
			counted = append(counted, retention.Item{ID: n.Name, At: n.CreatedAt, Pinned: n.Pinned})
		}
	}
	verdicts := map[string]retention.Verdict{}
	for _, v := range retention.Apply(counted, keep, now, zone) {
		verdicts[v.ID] = v
	}
	judged := make([]Retained, len(all))
	for i, n := range all {
		r := Retained{Snapshot: n, Kept: true}
		switch {
		case n.Origin == fleet.OriginPolicy:
			v := verdicts[n.Name]
			if r.Kept, r.Reasons = v.Kept(), v.Reasons; !r.Kept {
				r.Reasons = []string{"no rule of the policy keeps it"}
			}
		case n.Pinned:
			r.Reasons = []string{"pinned"}
		case n.Origin == fleet.OriginSafety && now.Sub(n.CreatedAt) >= s.KeepSafety:
			r.Kept, r.Reasons = false, []string{"taken before a restore, more than " + span(s.KeepSafety) + " ago"}
		case n.Origin == fleet.OriginSafety:
			r.Reasons = []string{"taken before a restore, kept for " + span(s.KeepSafety)}
		default:
			r.Reasons = []string{"not made by a policy"}
		}
		judged[i] = r
	}
	return judged
}

// span says a time in words: whole days as such.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// inField puts the field of an error into the part of the request that it is of.
func inField(err error, part string) error {
	e, is := errors.AsType[*fleet.Error](err)
	if !is {
		return err
	}
	again := *e
	again.Field = part + "." + e.Field
	return &again
}
