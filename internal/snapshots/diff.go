package snapshots

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Lister lists every file of a snapshot, or of an instance as it is where snapshot is empty, by
// path. name is of an instance that it may make for that, and has deleted when it returns.
type Lister func(ctx context.Context, instance, snapshot, name string) ([]fleet.FileInfo, error)

// Diff tells which files differ between two snapshots or, where to is empty, between one and
// now, by path. Of a folder its time and size do not count.
func (s *Service) Diff(ctx context.Context, name fleet.Name, from, to string) ([]fleet.FileChange, error) {
	t, older, err := s.find(ctx, name, from)
	if err != nil {
		return nil, err
	}
	newer := fleet.Snapshot{}
	if to != "" {
		if _, newer, err = s.find(ctx, name, to); err != nil {
			return nil, err
		}
	}
	id := fleet.NewID(s.Now())
	var before, after []fleet.FileInfo
	both, limited := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		before, err = s.Lister(limited, holder(t, older), from, readerRule+id+"-a")
		return err
	})
	both.Go(func() (err error) {
		after, err = s.Lister(limited, holder(t, newer), to, readerRule+id+"-b")
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, fmt.Errorf("compare the files of %s: %w", name, err)
	}
	return compare(before, after), nil
}

// compare tells how two lists, both by path, differ.
func compare(before, after []fleet.FileInfo) []fleet.FileChange {
	changes := []fleet.FileChange{}
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].Path < after[0].Path:
			changes = append(changes, fleet.FileChange{Path: before[0].Path, Change: fleet.FileRemoved, Before: &before[0]})
			before = before[1:]
		case len(before) == 0 || after[0].Path < before[0].Path:
			changes = append(changes, fleet.FileChange{Path: after[0].Path, Change: fleet.FileAdded, After: &after[0]})
			after = after[1:]
		default:
			if differ(before[0], after[0]) {
				changes = append(changes, fleet.FileChange{Path: after[0].Path, Change: fleet.FileChanged, Before: &before[0], After: &after[0]})
			}
			before, after = before[1:], after[1:]
		}
	}
	return changes
}

func differ(a, b fleet.FileInfo) bool {
	if a.Type != b.Type || a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID || a.Target != b.Target {
		return true
	}
	// Two changes within a second have one time where that is to the second.
	return a.Type == fleet.FileRegular && (a.Size != b.Size || !a.ModTime.Equal(b.ModTime) || a.Sum != b.Sum && a.Sum != 0 && b.Sum != 0)
}
