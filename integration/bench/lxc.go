package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// LXC is the lxc command in one project: what a person would type.
type LXC struct{ Project string }

// Run runs lxc and gives what it printed.
func (l LXC) Run(ctx context.Context, args ...string) (string, error) {
	return l.Feed(ctx, "", args...)
}

// Feed is Run with something on standard input.
func (l LXC) Feed(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "lxc", append([]string{"--project", l.Project}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("lxc %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// Exec runs a command in an instance that may be run twice. `lxc exec` was seen hanging for ever
// once in some hundred times while many instances boot; it is ended after a minute and run once
// more, as lxdfleet does.
func (l LXC) Exec(ctx context.Context, name string, args ...string) (string, error) {
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := l.Run(bounded, append([]string{"exec", name}, args...)...)
	if bounded.Err() == nil || ctx.Err() != nil {
		return out, err
	}
	return l.Run(ctx, append([]string{"exec", name}, args...)...)
}
