package snapshots

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// List gives the tenant's snapshots as LXD has them now, oldest first, with what is written down
// about them. fleet.NotFound where there is no such tenant; none where its instance is missing.
func (s *Service) List(ctx context.Context, name fleet.Name) ([]fleet.Snapshot, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return nil, err
	}
	return list(ctx, s.LXD, s.Store, t)
}

// Snapshot gives one; fleet.NotFound with field "snapshot".
func (s *Service) Snapshot(ctx context.Context, name fleet.Name, snapshot string) (fleet.Snapshot, error) {
	_, found, err := s.find(ctx, name, snapshot)
	return found, err
}

func (s *Service) find(ctx context.Context, name fleet.Name, snapshot string) (fleet.Tenant, fleet.Snapshot, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return fleet.Tenant{}, fleet.Snapshot{}, err
	}
	all, err := list(ctx, s.LXD, s.Store, t)
	if err != nil {
		return fleet.Tenant{}, fleet.Snapshot{}, err
	}
	i := slices.IndexFunc(all, func(n fleet.Snapshot) bool { return n.Name == snapshot })
	if i < 0 {
		return fleet.Tenant{}, fleet.Snapshot{}, none(name, snapshot)
	}
	return t, all[i], nil
}

func none(name fleet.Name, snapshot string) error {
	return fleet.Errorf(fleet.NotFound, "tenant %s has no snapshot %s", name, snapshot).WithField("snapshot").
		WithHint("lxdfleet snapshot list %s shows them", name)
}

// list joins what LXD has with what is written down. Snapshots that a restore left with the
// instance the tenant had before are the tenant's too.
func list(ctx context.Context, lxd LXD, store Store, t fleet.Tenant) ([]fleet.Snapshot, error) {
	records, err := store.Snapshots(ctx, t.ID)
	if err != nil {
		return nil, fmt.Errorf("read what is known of the snapshots of %s: %w", t.Name, err)
	}
	holders := []string{t.Name.String()}
	for _, r := range records {
		if r.Instance != "" && !slices.Contains(holders, r.Instance) {
			holders = append(holders, r.Instance)
		}
	}
	var all []fleet.Snapshot
	seen := map[string]bool{}
	for _, holder := range holders {
		there, err := lxd.Snapshots(ctx, holder)
		if fleet.CodeOf(err) == fleet.NotFound {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the snapshots of %s: %w", holder, err)
		}
		for _, is := range there {
			if seen[is.Name] || strings.HasPrefix(is.Name, fleet.MoveSnapshotPrefix) {
				continue // the tenant's own instance goes first; a move's own are none of its snapshots
			}
			seen[is.Name] = true
			all = append(all, join(t, holder, is, records[is.Name]))
		}
	}
	slices.SortStableFunc(all, func(a, b fleet.Snapshot) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// join is a snapshot that LXD has with its record, which is zero where there is none or where it
// is of another snapshot that had its name.
func join(t fleet.Tenant, holder string, is fleet.InstanceSnapshot, record fleet.Snapshot) fleet.Snapshot {
	if record.Name == "" {
		record = unknown(t, is.Name)
	}
	record.Tenant, record.Size = t.Name, is.Size
	if !is.CreatedAt.IsZero() {
		record.CreatedAt = is.CreatedAt
	}
	if record.Instance = holder; holder == t.Name.String() {
		record.Instance = ""
	}
	return record
}

// unknown is what can be said of a snapshot that was made beside lxdfleet.
func unknown(t fleet.Tenant, name string) fleet.Snapshot {
	return fleet.Snapshot{
		Tenant: t.Name, Name: name, Origin: fleet.OriginLXC,
		Consistency: fleet.ConsistentCrash, Why: "it was not made by lxdfleet",
	}
}

// holder is the instance that has the snapshot.
func holder(t fleet.Tenant, n fleet.Snapshot) string { return cmp.Or(n.Instance, t.Name.String()) }
