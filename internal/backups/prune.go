package backups

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/retention"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// pruneState is the state of backup.prune.
type pruneState struct {
	Going []string `json:"going,omitempty"` // the backups that no rule keeps
}

// prune deletes what no policy keeps, and frees what no backup needs any more.
func (c *crew) prune() jobs.Kind[pruneState] {
	return jobs.Kind[pruneState]{
		Name:    KindPrune,
		Version: 1,
		Steps: []jobs.Step[pruneState]{
			{Name: "find", Do: c.adoptEntries},
			{Name: "choose", Do: c.chooseGoing},
			{Name: "delete", Do: c.deleteGoing},
			{Name: "free", Do: c.freeSpace},
		},
		Commit: "delete",
	}
}

// adoptEntries records what is in the repository and is not known: a backup whose job was undone
// while the repository could not be reached, or one whose record was lost with the store.
func (c *crew) adoptEntries(ctx context.Context, run *jobs.Run, _ *pruneState) error {
	repo, err := c.Vault.Open(ctx)
	if err != nil {
		return err
	}
	found, err := c.adopt(ctx, repo)
	if err != nil {
		return err
	}
	for _, b := range found {
		say(run, "Backup %s of %s was in the repository without a record; it is recorded again", short(b.ID), b.Tenant)
	}
	return nil
}

// adopt records the backups in the repository that the store does not know, but for those of jobs
// that are not over.
func (d Deps) adopt(ctx context.Context, repo Repository) (found []fleet.Backup, err error) {
	list, err := repo.List(ctx, KindTenant)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if _, err := d.Store.Backup(ctx, e.ID); fleet.CodeOf(err) != fleet.NotFound {
			if err != nil {
				return nil, err
			}
			continue
		}
		// A job that has just written its entry records it at once.
		if d.Now().Sub(e.DoneAt) < adoptAfter {
			continue
		}
		k, err := keepsakeIn(e)
		if err != nil {
			d.Log.Warn("an entry of the repository is not a backup of ours", "entry", e.ID, "error", err)
			continue
		}
		b := recordOf(e, k)
		if err := d.Store.SaveBackup(ctx, b); err != nil {
			return nil, fmt.Errorf("record backup %s: %w", short(b.ID), err)
		}
		found = append(found, b)
	}
	return found, nil
}

// adoptAfter is how old an entry without a record is before it is taken for a lost one.
const adoptAfter = time.Hour

func (c *crew) chooseGoing(ctx context.Context, run *jobs.Run, s *pruneState) error {
	all, err := c.Store.Backups(ctx, fleet.BackupFilter{})
	if err != nil {
		return err
	}
	verdicts, err := c.verdicts(ctx, all)
	if err != nil {
		return err
	}
	s.Going = nil
	for _, v := range verdicts {
		if !v.Keep {
			s.Going = append(s.Going, v.Backup.ID)
		}
	}
	say(run, "%d of %d backups go", len(s.Going), len(all))
	return nil
}

// deleteGoing looks once more at each: one may have been pinned meanwhile.
func (c *crew) deleteGoing(ctx context.Context, run *jobs.Run, s *pruneState) error {
	for i, id := range s.Going {
		b, err := c.Store.Backup(ctx, id)
		if fleet.CodeOf(err) == fleet.NotFound || err == nil && b.Pinned {
			continue
		}
		if err != nil {
			return err
		}
		run.Progress(fleet.Progress{Message: fmt.Sprintf("deleting backup %s of %s", short(id), b.Tenant), Percent: 50 * i / len(s.Going)})
		if err := c.forget(ctx, []string{id}); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) freeSpace(ctx context.Context, run *jobs.Run, _ *pruneState) error {
	repo, err := c.Vault.Open(ctx)
	if err != nil {
		return err
	}
	if err := repo.Prune(ctx, run.Progress); err != nil {
		return fmt.Errorf("free what no backup needs: %w", err)
	}
	return nil
}

// Kept says of a backup whether the next prune keeps it, and why.
type Kept struct {
	Backup fleet.Backup
	Keep   bool
	Why    string
}

// Kept tells, newest first, which of the tenant's backups the next prune keeps, and why.
func (s *Service) Kept(ctx context.Context, name fleet.Name) ([]Kept, error) {
	list, err := s.Store.Backups(ctx, fleet.BackupFilter{Tenant: name})
	if err != nil {
		return nil, err
	}
	return s.verdicts(ctx, list)
}

// verdicts says of each backup, in the order given, whether it is kept. The rules are those of the
// policy its tenant has now; without a tenant or a policy all are kept. What somebody asked for
// is his to delete, and so is a damaged one. The newest good one of a tenant always stays.
func (d Deps) verdicts(ctx context.Context, list []fleet.Backup) ([]Kept, error) {
	kept := make([]Kept, len(list))
	counted := map[string][]retention.Item{} // by the tenant's id
	at := map[string]int{}
	newest := map[string]fleet.Backup{}
	for i, b := range list {
		kept[i], at[b.ID] = Kept{Backup: b, Keep: true}, i
		switch {
		case b.Damage != "":
			kept[i].Why = "damaged: it counts for nothing, and is deleted by hand"
		case b.Policy == "":
			kept[i].Why = "made on demand"
		default:
			counted[b.TenantID] = append(counted[b.TenantID], retention.Item{ID: b.ID, At: b.TakenAt, Pinned: b.Pinned})
		}
		if b.Damage == "" && (newest[b.TenantID].ID == "" || b.TakenAt.After(newest[b.TenantID].TakenAt)) {
			newest[b.TenantID] = b
		}
	}
	for id, items := range counted {
		keep, zone, why, err := d.rule(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, v := range retention.Apply(items, keep, d.Now(), zone) {
			k := &kept[at[v.ID]]
			switch {
			case why != "":
				k.Why = why
			case v.Kept():
				k.Why = strings.Join(v.Reasons, "; ")
			case newest[id].ID == v.ID:
				k.Why = "the newest there is"
			default:
				k.Keep, k.Why = false, "no rule keeps it"
			}
		}
	}
	return kept, nil
}

// rule gives what is kept of a tenant's backups; why is not empty where all are.
func (d Deps) rule(ctx context.Context, id string) (keep fleet.Keep, zone *time.Location, why string, err error) {
	t, err := d.Store.TenantByID(ctx, id)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Keep{}, time.UTC, "its tenant is no more", nil
	}
	if err != nil {
		return fleet.Keep{}, nil, "", err
	}
	policy, err := d.Tenants.Policy(ctx, t)
	if err != nil {
		return fleet.Keep{}, nil, "", fmt.Errorf("read the policy of %s: %w", t.Name, err)
	}
	if policy.Backups == nil {
		return fleet.Keep{}, time.UTC, "its tenant has no policy for backups", nil
	}
	zone, err = schedule.Zone(policy.TimeZone)
	return policy.Backups.Keep, zone, "", err
}

// goingDrills are the drills that a rule does not keep. The last one always stays.
func goingDrills(list []fleet.Drill, keep fleet.Keep, zone string, now time.Time) []string {
	place, err := schedule.Zone(zone)
	if err != nil {
		place = time.UTC
	}
	items := make([]retention.Item, len(list))
	for i, d := range list {
		items[i] = retention.Item{ID: d.ID, At: d.At}
	}
	going := retention.Dropped(retention.Apply(items, keep, now, place))
	if len(list) > 0 {
		going = slices.DeleteFunc(going, func(id string) bool { return id == list[0].ID })
	}
	return going
}
