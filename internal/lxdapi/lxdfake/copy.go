package lxdfake

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureCopy makes a stopped instance of an instance or of one of its snapshots. One of that name
// with the same KeyJob is fine; any other is fleet.Taken.
func (l *LXD) EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) (err error) {
	if spec.Config[fleet.KeyJob] == "" {
		return fleet.Errorf(fleet.Internal, "the copy %s has no %s", spec.Name, fleet.KeyJob)
	}
	end, err := l.begin(ctx, "EnsureCopy", spec.Name)
	if err != nil {
		return err
	}
	defer end(&err)
	if old, ok := l.instances[spec.Name]; ok {
		if old.config[fleet.KeyJob] == spec.Config[fleet.KeyJob] {
			return nil
		}
		return taken(spec.Name)
	}
	source, err := l.find(spec.Source)
	if err != nil {
		return err
	}
	from := snapshot{config: source.config, profiles: source.profiles, devices: source.devices, files: source.files}
	if spec.Snapshot != "" {
		at := source.snapshotAt(spec.Snapshot)
		if at < 0 {
			return noSnapshot(spec.Source, spec.Snapshot)
		}
		from = source.snapshots[at]
	}
	if spec.Bare {
		spec.Profiles, from.devices = []string{}, nil
	}
	if spec.Profiles == nil {
		spec.Profiles = source.profiles
	}
	m, err := l.fitting(spec.Profiles, l.memberOrOf(spec.Member, source))
	if err != nil {
		return err
	}
	clone := l.create(fleet.CloneSpec{
		Name: spec.Name, Fingerprint: source.image, Profiles: spec.Profiles, Config: spec.Config,
	}, m.name)
	clone.files = maps.Clone(from.files)
	clone.devices = cloneDevices(from.devices)
	maps.Copy(clone.devices, spec.Devices)
	if spec.Snapshots {
		clone.snapshots = slices.Clone(source.snapshots)
	}
	if progress != nil {
		progress(fleet.Progress{Message: "copied", Percent: 100})
	}
	return nil
}

func (l *LXD) memberOrOf(name string, source *instance) string {
	if name == "" {
		return source.location
	}
	return name
}

// SetSnapshotTime says when a snapshot was taken, for tests of what is old.
func (l *LXD) SetSnapshotTime(name, snapshotName string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.instances[name]
	if i == nil || i.snapshotAt(snapshotName) < 0 {
		return
	}
	i.snapshots = slices.Clone(i.snapshots)
	i.snapshots[i.snapshotAt(snapshotName)].created = at
	slices.SortStableFunc(i.snapshots, func(a, b snapshot) int { return a.created.Compare(b.created) })
}
