package lxdfake

import (
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Fault makes calls fail or take time.
type Fault struct {
	Method string // "EnsureClone"; empty: every method
	Name   string // of the instance (or image, alias, profile) the call is about; empty: any
	Times  int    // so many calls only; 0: all until removed
	Delay  time.Duration
	Err    error // what the call returns; nil: it only takes Delay
	// After: the call does its work first and then fails, as when the answer is lost.
	After bool
}

type fault struct {
	Fault
	left int
}

// Inject adds a fault. The function it returns removes it.
func (l *LXD) Inject(f Fault) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	added := &fault{Fault: f, left: f.Times}
	l.faults = append(l.faults, added)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.faults = slices.DeleteFunc(l.faults, func(f *fault) bool { return f == added })
	}
}

// applyFaults adds up the delays of the faults that match and gives the first that fails.
func (l *LXD) applyFaults(method, name string) (delay time.Duration, fail *fault) {
	matched := false
	for _, f := range l.faults {
		if f.Method != "" && f.Method != method || f.Name != "" && f.Name != name || f.Times > 0 && f.left == 0 {
			continue
		}
		if f.Err != nil && fail != nil {
			continue
		}
		matched = true
		f.left--
		delay += f.Delay
		if f.Err != nil {
			fail = f
		}
	}
	if matched {
		l.faults = slices.DeleteFunc(l.faults, func(f *fault) bool { return f.Times > 0 && f.left == 0 })
	}
	return delay, fail
}

// Calls tells how often a method was called.
func (l *LXD) Calls(method string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[method]
}

// SetDown stops or starts LXD itself: while down every call fails with fleet.Unavailable and
// no events come; instances keep their state. When it is up again watchers get
// fleet.EventsResumed.
func (l *LXD) SetDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down && !down {
		l.publish(fleet.LXDEvent{Action: fleet.EventsResumed, At: time.Now()})
	}
	if down {
		l.endCommands("", errDown())
	}
	l.down = down
}

// SetOnline takes a member away or brings it back. Its instances show the status Error
// meanwhile, and calls about them fail with fleet.Unavailable.
func (l *LXD) SetOnline(memberName string, online bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.member(memberName); m != nil {
		m.offline = !online
	}
}

// SetPoolFull fills the pool of a member or empties it: clones, copies and snapshots there fail
// with fleet.Exhausted.
func (l *LXD) SetPoolFull(memberName string, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.member(memberName); m != nil {
		m.full = full
	}
}

// SetExec changes what runs commands; nil: every command ends at once with exit 0.
func (l *LXD) SetExec(fn ExecFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.execFn = fn
}

// SetMember has edit change what is told of a member each time the members are listed, after all
// else; nil ends that.
func (l *LXD) SetMember(name string, edit func(m *fleet.Member)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		if m.name == name {
			m.told = edit
		}
	}
}
