package lxdfake

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// The Lxc methods do what an operator does with the lxc command: no faults apply to them, and
// events follow as from LXD. They fail as LXD does.

// LxcStop is `lxc stop NAME`.
func (l *LXD) LxcStop(name string) error {
	return l.operate(name, func(i *instance) error {
		if i.status == fleet.InstanceStopped {
			return fleet.Errorf(fleet.Conflict, "the instance is already stopped")
		}
		l.stop(i)
		l.emit("instance-shutdown", name, i.location)
		return nil
	})
}

// LxcStart is `lxc start NAME`.
func (l *LXD) LxcStart(name string) error {
	return l.operate(name, func(i *instance) error {
		if i.status == fleet.InstanceRunning {
			return fleet.Errorf(fleet.Conflict, "the instance is already running")
		}
		if err := l.listens(i, i.devices); err != nil {
			return err
		}
		l.start(i)
		return nil
	})
}

// LxcRestart is `lxc restart NAME`.
func (l *LXD) LxcRestart(name string) error {
	return l.operate(name, func(i *instance) error {
		if i.status != fleet.InstanceRunning {
			return fleet.Errorf(fleet.Conflict, "the instance is not running")
		}
		l.stop(i)
		l.start(i)
		l.emit("instance-restarted", name, i.location)
		return nil
	})
}

// LxcRename is `lxc rename FROM TO`.
func (l *LXD) LxcRename(from, to string) error {
	return l.operate(from, func(*instance) error { return l.rename(from, to) })
}

// LxcDelete is `lxc delete --force NAME`.
func (l *LXD) LxcDelete(name string) error {
	return l.operate(name, func(i *instance) error { l.remove(i); return nil })
}

// LxcSnapshot is `lxc snapshot NAME SNAPSHOT`.
func (l *LXD) LxcSnapshot(name, snapshot string) error {
	return l.operate(name, func(i *instance) error {
		if i.snapshotAt(snapshot) >= 0 {
			return fleet.Errorf(fleet.Failed, "the snapshot %s exists already", snapshot)
		}
		return l.snapshot(i, snapshot)
	})
}

// LxcDeleteSnapshot is `lxc delete NAME/SNAPSHOT`.
func (l *LXD) LxcDeleteSnapshot(name, snapshot string) error {
	return l.operate(name, func(i *instance) error {
		if i.snapshotAt(snapshot) < 0 {
			return noSnapshot(name, snapshot)
		}
		l.removeSnapshot(i, snapshot)
		return nil
	})
}

// LxcMove is `lxc move NAME --target MEMBER` of a stopped instance.
func (l *LXD) LxcMove(name, memberName string) error {
	return l.operate(name, func(i *instance) error {
		m := l.member(memberName)
		switch {
		case m == nil:
			return fleet.Errorf(fleet.NotFound, "the member %s does not exist", memberName)
		case m.offline:
			return offline(memberName)
		case i.status != fleet.InstanceStopped:
			return fleet.Errorf(fleet.Conflict, "the instance %s is running", name)
		}
		i.location = memberName
		l.emit("instance-updated", name, memberName)
		return nil
	})
}

// LxcEvacuate is `lxc cluster evacuate MEMBER`: its instances are moved to the others, and run
// there if they ran.
func (l *LXD) LxcEvacuate(memberName string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.member(memberName)
	if m == nil || m.offline {
		return fleet.Errorf(fleet.Unavailable, "no such member online")
	}
	m.evacuated = true
	for _, i := range l.instances {
		to := l.fewest()
		if i.location != memberName || to == nil {
			continue
		}
		ran := i.status != fleet.InstanceStopped
		if ran {
			l.stop(i)
			l.emit("instance-stopped", i.name, i.location)
		}
		i.location = to.name
		l.emit("instance-updated", i.name, i.location)
		if ran {
			l.start(i)
		}
	}
	return nil
}

// LxcRestoreMember is `lxc cluster restore MEMBER`; its instances stay where they are.
func (l *LXD) LxcRestoreMember(memberName string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.member(memberName); m != nil {
		m.evacuated = false
	}
}

// LxcSetAddress gives a running instance other addresses, IPv4 first, until its next start.
// LXD sends no event for that.
func (l *LXD) LxcSetAddress(name string, addresses ...string) error {
	return l.operate(name, func(i *instance) error { i.addresses, i.set = addresses, true; return nil })
}

// LxcCreate is `lxc init` with the profiles and configuration of spec; the image need not
// exist, and KeyJob may be missing.
func (l *LXD) LxcCreate(spec fleet.CloneSpec) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.instances[spec.Name] != nil {
		return taken(spec.Name)
	}
	m := l.fewest()
	if spec.Member != "" {
		m = l.member(spec.Member)
	}
	if m == nil || m.offline {
		return fleet.Errorf(fleet.Unavailable, "no such member online")
	}
	l.create(spec, m.name)
	return nil
}

// LxcConfig is `lxc config set NAME KEY VALUE`; an empty value unsets the key.
func (l *LXD) LxcConfig(name, key, value string) error {
	return l.operate(name, func(i *instance) error {
		config := make(map[string]string, len(i.config)+1)
		for k, v := range i.config {
			if k != key {
				config[k] = v
			}
		}
		if value != "" {
			config[key] = value
		}
		i.config = config
		l.emit("instance-updated", name, i.location)
		return nil
	})
}

func (l *LXD) operate(name string, do func(*instance) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, err := l.find(name)
	if err != nil {
		return err
	}
	return do(i)
}

// Seen gives an instance with its addresses as it is, whatever faults there are; ok is false
// where there is none.
func (l *LXD) Seen(name string) (_ fleet.Instance, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.instances[name]
	if !ok {
		return fleet.Instance{}, false
	}
	v := l.view(i, true)
	return v, true
}

// StartedAt tells when an instance was last started.
func (l *LXD) StartedAt(name string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.instances[name]; i != nil {
		return i.started
	}
	return time.Time{}
}
