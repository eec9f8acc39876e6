package hooks

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LXD is what is needed of LXD: see lxdapi.Client.
type LXD interface {
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	ConsoleLog(ctx context.Context, name string) ([]byte, error)
}

const (
	// firstTime is how long a command may take, and lastTime how long once more: one that came
	// before what it waits for finds it then.
	firstTime, lastTime = 2 * time.Minute, 10 * time.Minute
	// afterEnd is how long LXD may take to say that a command has ended that said so itself.
	afterEnd = 3 * time.Second
)

// endMark starts the line by which a command's end is told.
const endMark = "lxdfleet-end: "

const endScript = `"$@"; code=$?; printf '` + endMark + `%s\n' "$code"; exit "$code"`

// Command is a command that may be run twice, in an instance with a shell.
type Command struct {
	Args []string
	Env  map[string]string
	// Output takes both of its streams.
	Output io.Writer
}

// Run runs a command in the instance and gives its exit code. The error is fleet.Failed where
// it ended neither within 2 minutes nor, run once more, within 10; others are those of Exec.
func Run(ctx context.Context, lxd LXD, instance string, cmd Command) (exit int, err error) {
	for _, limit := range []time.Duration{firstTime, lastTime} {
		var late bool
		exit, late, err = once(ctx, lxd, instance, cmd, limit)
		if !late {
			return exit, err
		}
		err = fleet.Errorf(fleet.Failed, "it did not end within %s", limit).
			WithHint("see what it waits for, with lxc exec %s -- ps ax, while it runs", instance)
	}
	return exit, err
}

func once(ctx context.Context, lxd LXD, instance string, cmd Command, limit time.Duration) (exit int, late bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out := &listener{to: cmd.Output, told: func() { time.AfterFunc(afterEnd, cancel) }}
	exit, err = lxd.Exec(bounded, instance, fleet.ExecSpec{
		Command: append([]string{"sh", "-c", endScript, "sh"}, cmd.Args...), Env: cmd.Env, Stdout: out, Stderr: out,
	})
	out.flush()
	if err == nil || bounded.Err() == nil || ctx.Err() != nil {
		return exit, false, err
	}
	if code, ended := out.exit(); ended {
		return code, false, nil
	}
	return exit, true, err
}
