package realm

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// The methods here are those of lxdapi.Client, of the cluster that has the instance.

// Instance gives one instance.
func (r *Realm) Instance(ctx context.Context, name string) (fleet.Instance, error) {
	return read(ctx, r, name, func(ctx context.Context, s site) (fleet.Instance, error) {
		inst, err := s.Instance(ctx, name)
		return seen(s.cluster, inst), err
	})
}

// Addresses gives an instance's addresses.
func (r *Realm) Addresses(ctx context.Context, name string) ([]string, error) {
	return read(ctx, r, name, func(ctx context.Context, s site) ([]string, error) { return s.Addresses(ctx, name) })
}

// Backends gives where its application is reached.
func (r *Realm) Backends(ctx context.Context, name string, port int) ([]fleet.Backend, error) {
	return read(ctx, r, name, func(ctx context.Context, s site) ([]fleet.Backend, error) { return s.Backends(ctx, name, port) })
}

// Use tells what it uses.
func (r *Realm) Use(ctx context.Context, name string) (fleet.InstanceUse, error) {
	return read(ctx, r, name, func(ctx context.Context, s site) (fleet.InstanceUse, error) { return s.Use(ctx, name) })
}

// DiskUsed tells what it alone holds.
func (r *Realm) DiskUsed(ctx context.Context, name string) (fleet.Size, error) {
	return read(ctx, r, name, func(ctx context.Context, s site) (fleet.Size, error) { return s.DiskUsed(ctx, name) })
}

// EnsureDevice gives it a device, or takes it away.
func (r *Realm) EnsureDevice(ctx context.Context, name, device string, config map[string]string) error {
	return with(ctx, r, name, func(lxd LXD) error { return lxd.EnsureDevice(ctx, name, device, config) })
}

// SetConfig sets configuration keys.
func (r *Realm) SetConfig(ctx context.Context, name string, set map[string]string) error {
	return with(ctx, r, name, func(lxd LXD) error { return lxd.SetConfig(ctx, name, set) })
}

// SetProfiles sets its profiles; those that its cluster has not are made there.
func (r *Realm) SetProfiles(ctx context.Context, name string, profiles []string) error {
	return with(ctx, r, name, func(lxd LXD) error {
		if err := r.lend(ctx, lxd, profiles); err != nil {
			return err
		}
		return lxd.SetProfiles(ctx, name, profiles)
	})
}

// EnsureStarted starts it.
func (r *Realm) EnsureStarted(ctx context.Context, name string) error {
	return with(ctx, r, name, func(lxd LXD) error { return lxd.EnsureStarted(ctx, name) })
}

// EnsureStopped stops it.
func (r *Realm) EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error) {
	return at(ctx, r, name, func(s site) (bool, error) { return s.EnsureStopped(ctx, name, timeout) })
}

// EnsureDeleted deletes it, wherever it is now.
func (r *Realm) EnsureDeleted(ctx context.Context, name string) error {
	r.doubt(name) // a cluster that has it no more would call that success
	err := with(ctx, r, name, func(lxd LXD) error { return lxd.EnsureDeleted(ctx, name) })
	if err == nil {
		r.forget(name)
	}
	return err
}

// EnsureRenamed gives it another name, which no cluster may have.
func (r *Realm) EnsureRenamed(ctx context.Context, from, to string) error {
	if r.alone() {
		return r.LXD.EnsureRenamed(ctx, from, to)
	}
	r.doubt(from)
	place, err := r.find(ctx, from)
	if err == nil && !place.found { // renamed before, perhaps
		place, err = r.find(ctx, to)
	} else if err == nil {
		err = r.free(ctx, to, place.cluster)
	}
	if err != nil {
		return err
	}
	lxd, err := r.reach(ctx, place.cluster)
	if err != nil {
		return err
	}
	r.forget(from)
	r.forget(to)
	if err = lxd.EnsureRenamed(ctx, from, to); err == nil {
		r.found(to, place.cluster)
	}
	r.suspect(ctx, place.cluster, err)
	return err
}

// Snapshots lists its snapshots. fleet.Unavailable, and not NotFound, where a cluster that is away may
// have it.
func (r *Realm) Snapshots(ctx context.Context, name string) ([]fleet.InstanceSnapshot, error) {
	list, err := read(ctx, r, name, func(ctx context.Context, s site) ([]fleet.InstanceSnapshot, error) { return s.Snapshots(ctx, name) })
	if fleet.CodeOf(err) == fleet.NotFound && !r.alone() {
		if at := r.ask(ctx, name); at.unsure {
			return nil, fleet.Errorf(fleet.Unavailable, "the instance %s may be in a cluster that is away", name).
				WithHint("lxdfleet cluster list shows which")
		}
	}
	return list, err
}

// EnsureSnapshot takes a snapshot.
func (r *Realm) EnsureSnapshot(ctx context.Context, name, snapshot string) error {
	return with(ctx, r, name, func(lxd LXD) error { return lxd.EnsureSnapshot(ctx, name, snapshot) })
}

// EnsureSnapshotDeleted deletes one.
func (r *Realm) EnsureSnapshotDeleted(ctx context.Context, name, snapshot string) error {
	return with(ctx, r, name, func(lxd LXD) error { return lxd.EnsureSnapshotDeleted(ctx, name, snapshot) })
}

// EnsureRestored restores one in place.
func (r *Realm) EnsureRestored(ctx context.Context, name, snapshot string) error {
	return with(ctx, r, name, func(lxd LXD) error { return lxd.EnsureRestored(ctx, name, snapshot) })
}

// Exec runs a command in it.
func (r *Realm) Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error) {
	return at(ctx, r, name, func(s site) (int, error) { return s.Exec(ctx, name, spec) })
}

// ConsoleLog gives what it wrote to its console.
func (r *Realm) ConsoleLog(ctx context.Context, name string) ([]byte, error) {
	return read(ctx, r, name, func(ctx context.Context, s site) ([]byte, error) { return s.ConsoleLog(ctx, name) })
}

// PushFile puts a file into it.
func (r *Realm) PushFile(ctx context.Context, name string, file fleet.File) error {
	return with(ctx, r, name, func(lxd LXD) error { return lxd.PushFile(ctx, name, file) })
}

// Files lists a folder of it.
func (r *Realm) Files(ctx context.Context, name, folder string) ([]fleet.FileInfo, error) {
	return at(ctx, r, name, func(s site) ([]fleet.FileInfo, error) { return s.Files(ctx, name, folder) })
}

// ReadFile reads a file of it.
func (r *Realm) ReadFile(ctx context.Context, name, path string) (io.ReadCloser, error) {
	return at(ctx, r, name, func(s site) (io.ReadCloser, error) { return s.ReadFile(ctx, name, path) })
}
