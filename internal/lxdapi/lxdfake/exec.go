package lxdfake

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Exec runs a command by the function of Options or SetExec. The instance must run, or it is
// fleet.Conflict. When ctx ends Exec returns its error at once; when LXD goes down, or the
// instance stops, the function's context ends and Exec fails with fleet.Unavailable.
func (l *LXD) Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error) {
	end, err := l.begin(ctx, "Exec", name)
	if err != nil {
		return -1, err
	}
	i, err := l.find(name)
	if err == nil && i.status != fleet.InstanceRunning {
		err = fleet.Errorf(fleet.Conflict, "the instance %s is not running", name).WithHint("start it")
	}
	fn := l.execFn
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err == nil {
		defer l.track(name, cancel)()
	}
	end(&err)
	if err != nil {
		return -1, err
	}
	if fn == nil {
		return 0, nil
	}
	if spec.Stdin == nil {
		spec.Stdin = bytes.NewReader(nil)
	}
	if spec.Stdout == nil {
		spec.Stdout = io.Discard
	}
	if spec.Stderr == nil {
		spec.Stderr = io.Discard
	}
	exit, err = fn(inner, name, spec)
	if inner.Err() != nil {
		return -1, context.Cause(inner)
	}
	return exit, err
}

// track keeps a running command's cancel until the function it gives is called. The fake is
// locked at the first call, not at the second.
func (l *LXD) track(name string, cancel context.CancelCauseFunc) (forget func()) {
	l.made++
	id := l.made
	l.commands[id] = command{name, cancel}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.commands, id)
	}
}

// endCommands ends the commands of an instance, or all where name is empty.
func (l *LXD) endCommands(name string, cause error) {
	for _, c := range l.commands {
		if name == "" || c.name == name {
			c.cancel(cause)
		}
	}
}

// command is one that runs.
type command struct {
	name   string
	cancel context.CancelCauseFunc
}

// ConsoleLog gives what SetConsoleLog set.
func (l *LXD) ConsoleLog(ctx context.Context, name string) (_ []byte, err error) {
	end, err := l.begin(ctx, "ConsoleLog", name)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(i.console), nil
}

// SetConsoleLog sets the console log of an instance.
func (l *LXD) SetConsoleLog(name string, log []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.instances[name]; i != nil {
		i.console = log
	}
}

// wholeSeconds gives a time as LXD stores that of images.
func wholeSeconds(t time.Time) time.Time { return t.Truncate(time.Second) }
