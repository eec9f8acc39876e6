package lxdfake

import (
	"context"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureStarted starts an instance that does not run.
func (l *LXD) EnsureStarted(ctx context.Context, name string) (err error) {
	end, err := l.begin(ctx, "EnsureStarted", name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return err
	}
	if other := l.twin(i); other != "" {
		return fleet.Errorf(fleet.Failed, "start %s: its hardware address is also that of %s", name, other)
	}
	if i.status != fleet.InstanceRunning {
		if err := l.listens(i, i.devices); err != nil {
			return err
		}
	}
	l.start(i)
	return nil
}

// twin names an instance on the same member that has the same hardware address, running or not:
// LXD starts neither while there are both.
func (l *LXD) twin(i *instance) string {
	for key, address := range i.config {
		if !strings.HasSuffix(key, ".hwaddr") {
			continue
		}
		for name, other := range l.instances {
			if other != i && other.location == i.location && other.config[key] == address {
				return name
			}
		}
	}
	return ""
}

func (l *LXD) start(i *instance) {
	if i.status == fleet.InstanceRunning {
		return
	}
	i.status, i.started, i.set = fleet.InstanceRunning, time.Now(), false
	if l.opts.Address != nil {
		if address := l.opts.Address(i.name); address != "" {
			i.addresses = []string{address}
		}
	}
	i.leased = i.addresses
	l.emit("instance-started", i.name, i.location)
}

// EnsureStopped stops a running instance. The fake always stops cleanly.
func (l *LXD) EnsureStopped(ctx context.Context, name string, _ time.Duration) (forced bool, err error) {
	end, err := l.begin(ctx, "EnsureStopped", name)
	if err != nil {
		return false, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return false, err
	}
	if i.status != fleet.InstanceStopped {
		l.stop(i)
		l.emit("instance-shutdown", name, i.location)
	}
	return false, nil
}

func (l *LXD) stop(i *instance) {
	i.status = fleet.InstanceStopped
	l.endCommands(i.name, fleet.Errorf(fleet.Unavailable, "the instance %s was stopped", i.name))
}

// EnsureDeleted removes an instance, running or not; a missing one is success.
func (l *LXD) EnsureDeleted(ctx context.Context, name string) (err error) {
	end, err := l.begin(ctx, "EnsureDeleted", name)
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
	l.remove(i)
	return nil
}

func (l *LXD) remove(i *instance) {
	if i.status != fleet.InstanceStopped {
		l.stop(i)
		l.emit("instance-stopped", i.name, i.location)
	}
	delete(l.instances, i.name)
	l.emit("instance-deleted", i.name, i.location)
}

// EnsureRenamed gives a stopped instance another name. Where only `to` exists it was done
// before; both: fleet.Taken; neither: fleet.NotFound; running: fleet.Conflict.
func (l *LXD) EnsureRenamed(ctx context.Context, from, to string) (err error) {
	end, err := l.begin(ctx, "EnsureRenamed", from)
	if err != nil {
		return err
	}
	defer end(&err)
	return l.rename(from, to)
}

func (l *LXD) rename(from, to string) error {
	i, err := l.find(from)
	if fleet.CodeOf(err) == fleet.NotFound && l.instances[to] != nil {
		return nil
	}
	if err != nil {
		return err
	}
	if from == to {
		return nil
	}
	if l.instances[to] != nil {
		return taken(to)
	}
	if i.status != fleet.InstanceStopped {
		return fleet.Errorf(fleet.Conflict, "the instance %s is running", from).
			WithHint("stop it: LXD renames stopped instances only")
	}
	delete(l.instances, from)
	i.name = to
	l.instances[to] = i
	l.publish(fleet.LXDEvent{
		Action: "instance-renamed", Name: to, OldName: from, Member: i.location, At: time.Now(),
	})
	return nil
}

// Use tells InstanceSize of Options, and of one that runs 64 MiB of memory, 20 processes and a
// tenth of a processor since it was started.
func (l *LXD) Use(ctx context.Context, name string) (_ fleet.InstanceUse, err error) {
	end, err := l.begin(ctx, "Use", name)
	if err != nil {
		return fleet.InstanceUse{}, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return fleet.InstanceUse{}, err
	}
	use := fleet.InstanceUse{Disk: l.opts.InstanceSize}
	if i.status == fleet.InstanceRunning {
		use.Memory, use.Processes, use.CPU = 64*fleet.MiB, 20, time.Since(i.started)/10
	}
	return use, nil
}
