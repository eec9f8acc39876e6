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
func (l *LXD) EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	return Link{Source: l, Target: l}.EnsureCopy(ctx, spec, progress)
}

// EnsureRefreshed brings a copy of the same KeyJob up to what its source is now.
func (l *LXD) EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	return Link{Source: l, Target: l}.EnsureRefreshed(ctx, spec, progress)
}

// Link copies instances from one fake to another, as lxdapi.Link does. Faults and counts of calls
// are the target's.
type Link struct{ Source, Target *LXD }

// origin is what a copy gets from its source.
type origin struct {
	snapshot
	image     string
	location  string
	snapshots []snapshot
}

// look reads the source of a copy. The target is not locked.
func (l Link) look(spec fleet.CopySpec) (origin, error) {
	l.Source.mu.Lock()
	defer l.Source.mu.Unlock()
	if l.Source.down {
		return origin{}, errDown()
	}
	i, err := l.Source.find(spec.Source)
	if err != nil {
		return origin{}, err
	}
	o := origin{image: i.image, location: i.location, snapshots: i.snapshots}
	o.snapshot = snapshot{profiles: i.profiles, devices: i.devices, files: maps.Clone(i.files)}
	if spec.Snapshot != "" {
		at := i.snapshotAt(spec.Snapshot)
		if at < 0 {
			return origin{}, noSnapshot(spec.Source, spec.Snapshot)
		}
		o.snapshot = i.snapshots[at]
		o.profiles = i.profiles
	}
	return o, nil
}

// EnsureCopy is that of LXD, from one to another.
func (l Link) EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) (err error) {
	if spec.Config[fleet.KeyJob] == "" {
		return fleet.Errorf(fleet.Internal, "the copy %s has no %s", spec.Name, fleet.KeyJob)
	}
	source, lookErr := l.look(spec)
	end, err := l.Target.begin(ctx, "EnsureCopy", spec.Name)
	if err != nil {
		return err
	}
	defer end(&err)
	if old, ok := l.Target.instances[spec.Name]; ok {
		if old.config[fleet.KeyJob] == spec.Config[fleet.KeyJob] {
			return nil
		}
		return taken(spec.Name)
	}
	if lookErr != nil {
		return lookErr
	}
	if spec.Bare {
		spec.Profiles, source.devices = []string{}, nil
	}
	if spec.Profiles == nil {
		spec.Profiles = source.profiles
	}
	m, err := l.memberFor(spec, source)
	if err != nil {
		return err
	}
	clone := l.Target.create(fleet.CloneSpec{
		Name: spec.Name, Fingerprint: source.image, Profiles: spec.Profiles, Config: spec.Config,
	}, m.name)
	clone.files = maps.Clone(source.files)
	clone.devices = cloneDevices(source.devices)
	maps.Copy(clone.devices, spec.Devices)
	if spec.Snapshots {
		clone.snapshots = slices.Clone(source.snapshots)
	}
	tell(progress, "copied", clone)
	return nil
}

func (l Link) memberFor(spec fleet.CopySpec, source origin) (*member, error) {
	switch {
	case spec.Member != "":
	case l.Source == l.Target:
		spec.Member = source.location
	default:
		if best := l.Target.fewest(); best != nil {
			spec.Member = best.name
		}
	}
	return l.Target.fitting(spec.Profiles, spec.Member)
}

func tell(progress func(fleet.Progress), what string, i *instance) {
	if progress == nil {
		return
	}
	var sum int64
	for _, f := range i.files {
		sum += int64(len(f.content))
	}
	progress(fleet.Progress{Message: what, Bytes: sum})
}

// EnsureRefreshed is that of LXD, from one to another.
func (l Link) EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) (err error) {
	if spec.Config[fleet.KeyJob] == "" || spec.Snapshot != "" {
		return fleet.Errorf(fleet.Internal, "the copy %s has no %s, or is of a snapshot", spec.Name, fleet.KeyJob)
	}
	source, lookErr := l.look(spec)
	end, err := l.Target.begin(ctx, "EnsureRefreshed", spec.Name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.Target.find(spec.Name)
	switch {
	case err != nil:
		return err
	case i.config[fleet.KeyJob] != spec.Config[fleet.KeyJob]:
		return taken(spec.Name)
	case i.status != fleet.InstanceStopped:
		return fleet.Errorf(fleet.Conflict, "the instance %s is running", spec.Name).WithHint("stop it first")
	case lookErr != nil:
		return lookErr
	case l.Target.member(i.location).full:
		return poolFull(i.location)
	}
	i.files = source.files
	if spec.Snapshots {
		i.snapshots = slices.Clone(source.snapshots)
	}
	tell(progress, "refreshed", i)
	return nil
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
