package lxdfake

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// snapshot is what an instance was like. Nothing in it is ever changed.
type snapshot struct {
	name     string
	created  time.Time
	config   map[string]string
	profiles []string
	devices  map[string]map[string]string
	files    map[string]file
}

func (i *instance) snapshotAt(name string) int {
	return slices.IndexFunc(i.snapshots, func(s snapshot) bool { return s.name == name })
}

func noSnapshot(instance, name string) error {
	return fleet.Errorf(fleet.NotFound, "the instance %s has no snapshot %s", instance, name).WithField("snapshot")
}

// Snapshots lists the snapshots of an instance, the oldest first.
func (l *LXD) Snapshots(ctx context.Context, name string) (_ []fleet.InstanceSnapshot, err error) {
	end, err := l.begin(ctx, "Snapshots", name)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return nil, err
	}
	list := make([]fleet.InstanceSnapshot, len(i.snapshots))
	for n, s := range i.snapshots {
		list[n] = fleet.InstanceSnapshot{Name: s.name, CreatedAt: s.created, Config: maps.Clone(s.config)}
	}
	return list, nil
}

// AllSnapshots lists the names of all snapshots by instance, and nothing else of them, as LXD
// 5.0 does.
func (l *LXD) AllSnapshots(ctx context.Context) (_ map[string][]fleet.InstanceSnapshot, err error) {
	end, err := l.begin(ctx, "AllSnapshots", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	all := map[string][]fleet.InstanceSnapshot{}
	for _, i := range l.instances {
		for _, s := range i.snapshots {
			all[i.name] = append(all[i.name], fleet.InstanceSnapshot{Name: s.name})
		}
		slices.SortFunc(all[i.name], func(a, b fleet.InstanceSnapshot) int { return strings.Compare(a.Name, b.Name) })
	}
	return all, nil
}

// EnsureSnapshot takes a snapshot of an instance; one of that name that is there already is
// success.
func (l *LXD) EnsureSnapshot(ctx context.Context, name, snapshot string) (err error) {
	end, err := l.begin(ctx, "EnsureSnapshot", name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return err
	}
	return l.snapshot(i, snapshot)
}

func (l *LXD) snapshot(i *instance, name string) error {
	switch {
	case name == "" || strings.Contains(name, "/"):
		return fleet.Errorf(fleet.Invalid, "%q is no name for a snapshot", name)
	case i.snapshotAt(name) >= 0:
		return nil
	case l.member(i.location).full:
		return poolFull(i.location)
	}
	i.snapshots = append(i.snapshots, snapshot{
		name: name, created: time.Now(), config: i.config, profiles: i.profiles, devices: i.devices, files: maps.Clone(i.files),
	})
	l.emit("instance-snapshot-created", i.name, i.location)
	return nil
}

func poolFull(member string) error {
	return fleet.Errorf(fleet.Exhausted, "the storage pool on %s is full", member).
		WithHint("free space, grow the pool, or choose another member")
}

// EnsureSnapshotDeleted removes a snapshot; a missing one is success.
func (l *LXD) EnsureSnapshotDeleted(ctx context.Context, name, snapshot string) (err error) {
	end, err := l.begin(ctx, "EnsureSnapshotDeleted", name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(name)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	l.removeSnapshot(i, snapshot)
	return nil
}

func (l *LXD) removeSnapshot(i *instance, name string) {
	if at := i.snapshotAt(name); at >= 0 {
		i.snapshots = slices.Delete(slices.Clone(i.snapshots), at, at+1)
		l.emit("instance-snapshot-deleted", i.name, i.location)
	}
}

// EnsureRestored puts a stopped instance back to a snapshot, with the configuration and profiles
// it had. With the driver zfs only the newest can be restored.
func (l *LXD) EnsureRestored(ctx context.Context, name, snapshot string) (err error) {
	end, err := l.begin(ctx, "EnsureRestored", name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return err
	}
	at := i.snapshotAt(snapshot)
	switch {
	case at < 0:
		return noSnapshot(name, snapshot)
	case i.status != fleet.InstanceStopped:
		return fleet.Errorf(fleet.Conflict, "the instance %s is running", name).WithHint("stop it first")
	case l.opts.Driver == "zfs" && at != len(i.snapshots)-1:
		return fleet.Errorf(fleet.Unsupported, "the snapshot %s is not the newest, and ZFS restores only that in place", snapshot).
			WithHint("make a copy of the snapshot and let it take the instance's place")
	}
	s := i.snapshots[at]
	i.config, i.profiles, i.devices, i.files = s.config, s.profiles, s.devices, maps.Clone(s.files)
	l.emit("instance-restored", name, i.location)
	return nil
}

// PoolDriver tells the driver of Options.
func (l *LXD) PoolDriver(ctx context.Context) (_ string, err error) {
	end, err := l.begin(ctx, "PoolDriver", "")
	if err != nil {
		return "", err
	}
	defer end(&err)
	return l.opts.Driver, nil
}

// DiskUsed tells InstanceSize of Options.
func (l *LXD) DiskUsed(ctx context.Context, name string) (_ fleet.Size, err error) {
	end, err := l.begin(ctx, "DiskUsed", name)
	if err != nil {
		return 0, err
	}
	defer end(&err)
	if _, err := l.find(name); err != nil {
		return 0, err
	}
	return l.opts.InstanceSize, nil
}
