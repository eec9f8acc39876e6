package listing

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// Changes tells how two lists, both by path, differ. Of a folder its time and size do not count.
// Sums count where both files have one: they have to be made in the same way in both lists.
func Changes(before, after []fleet.FileInfo) []fleet.FileChange {
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
