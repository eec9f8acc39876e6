package images

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// buildDir is the folder in the builder for what belongs to the build alone.
const buildDir = "/var/lib/lxdfleet-build"

const (
	packagesTime = time.Hour
	cleanTime    = 10 * time.Minute
	stopTime     = 2 * time.Minute
)

var (
	//go:embed scripts/packages.sh
	packagesScript string
	//go:embed scripts/step.sh
	stepScript string
	//go:embed scripts/clean.sh
	cleanScript string
)

func (c *crew) installPackages(ctx context.Context, run *jobs.Run, e *edition) error {
	b, err := c.bundle(ctx, e)
	if err != nil || len(b.Recipe.Packages) == 0 {
		return err
	}
	if err := c.wake(ctx, run); err != nil {
		return err
	}
	return c.exec(ctx, run, builderName(run.JobID), command{
		what: "installing the packages", args: append([]string{"sh", "-c", packagesScript, "sh"}, b.Recipe.Packages...),
		timeout: packagesTime,
	})
}

func (c *crew) putFiles(ctx context.Context, run *jobs.Run, e *edition) error {
	b, err := c.bundle(ctx, e)
	if err != nil || len(b.Recipe.Files) == 0 {
		return err
	}
	if err := c.wake(ctx, run); err != nil {
		return err
	}
	for _, f := range b.Recipe.Files {
		mode, err := parseMode(f.Mode)
		if err != nil {
			return err
		}
		content := b.script(Script{Run: f.Content, Source: f.Source})
		if err := c.push(ctx, run, f.Path, content, mode); err != nil {
			return err
		}
		if f.Owner == "" {
			continue
		}
		// chown takes away set-user-id bits: the mode is set after it. Names are known inside only.
		err = c.exec(ctx, run, builderName(run.JobID), command{
			what:    fmt.Sprintf("giving %s to %s", f.Path, f.Owner),
			args:    []string{"sh", "-c", `chown "$1" "$3" && chmod "$2" "$3"`, "sh", f.Owner, fmt.Sprintf("%04o", mode), f.Path},
			timeout: cleanTime,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) push(ctx context.Context, run *jobs.Run, name string, content []byte, mode uint32) error {
	err := c.LXD.PushFile(ctx, builderName(run.JobID), fleet.File{Path: name, Content: bytes.NewReader(content), Mode: mode})
	if err != nil {
		return fmt.Errorf("put %s into the builder: %w", name, err)
	}
	return nil
}

// runSteps runs the recipe's steps. A step that ended well leaves a mark in the builder, and
// is not run again when a restarted daemon takes the job up.
func (c *crew) runSteps(ctx context.Context, run *jobs.Run, e *edition) error {
	b, err := c.bundle(ctx, e)
	if err != nil || len(b.Recipe.Steps) == 0 {
		return err
	}
	if err := c.wake(ctx, run); err != nil {
		return err
	}
	for i, step := range b.Recipe.Steps {
		say(run, "step %d of %d: %s", i+1, len(b.Recipe.Steps), step.Name)
		file := fmt.Sprintf("%s/step-%d", buildDir, i+1)
		if err := c.push(ctx, run, file, b.script(Script{Run: step.Run, Source: step.Source}), 0o600); err != nil {
			return err
		}
		timeout := step.Timeout
		if timeout == 0 {
			timeout = DefaultStepTimeout
		}
		err := c.exec(ctx, run, builderName(run.JobID), command{
			what: fmt.Sprintf("step %q", step.Name), args: []string{"sh", "-c", stepScript, "sh", file},
			env: b.Recipe.Env, timeout: timeout,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) putHooks(ctx context.Context, run *jobs.Run, e *edition) error {
	b, err := c.bundle(ctx, e)
	if err != nil {
		return err
	}
	for _, name := range b.Recipe.HookList() {
		content := b.script(b.Recipe.Hooks[name])
		if !bytes.HasPrefix(content, []byte("#!")) {
			content = append([]byte("#!/bin/sh\nset -eu\n"), content...)
		}
		if err := c.push(ctx, run, path.Join(fleet.HookDir, name), content, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) cleanBuilder(ctx context.Context, run *jobs.Run, _ *edition) error {
	if err := c.wake(ctx, run); err != nil {
		return err
	}
	return c.exec(ctx, run, builderName(run.JobID), command{
		what: "cleaning the builder", args: []string{"sh", "-c", cleanScript, "sh", buildDir}, timeout: cleanTime,
	})
}

// stopBuilder stops the builder cleanly. One that has to be killed is no good: its databases
// would have to be mended in every clone.
func (c *crew) stopBuilder(ctx context.Context, run *jobs.Run, e *edition) error {
	forced, err := c.LXD.EnsureStopped(ctx, builderName(run.JobID), stopTime)
	if err != nil {
		return fmt.Errorf("stop the builder: %w", err)
	}
	if forced {
		return fleet.Errorf(fleet.Failed, "the builder of %s did not stop within %s and had to be killed", e.ref(), stopTime).
			WithHint("see which of the recipe's services does not stop when asked to")
	}
	return nil
}

// command is a command to run in an instance.
type command struct {
	what    string // for messages
	args    []string
	env     map[string]string
	timeout time.Duration
}

// environment is that of a login of root, and the command's own.
func (cmd command) environment() map[string]string {
	env := map[string]string{
		"HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	maps.Copy(env, cmd.env)
	return env
}

// exec runs a command with its output streamed. Where it fails the error, of code
// fleet.Failed, tells the exit code and the end of the output.
func (c *crew) exec(ctx context.Context, run *jobs.Run, instance string, cmd command) error {
	bounded, cancel := context.WithTimeout(ctx, cmd.timeout)
	defer cancel()
	out := &transcript{to: run.Output()}
	exit, err := c.LXD.Exec(bounded, instance, fleet.ExecSpec{Command: cmd.args, Env: cmd.environment(), Stdout: out, Stderr: out})
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = fleet.Errorf(fleet.Failed, "it did not end within %s", cmd.timeout)
	}
	return cmd.verdict(run, exit, err, out)
}

// verdict says how a command ended, with its last words where it failed.
func (cmd command) verdict(run *jobs.Run, exit int, err error, out *transcript) error {
	hint := "its output is kept: lxdfleet job show " + run.JobID
	switch {
	case fleet.CodeOf(err) == fleet.Failed:
		return fleet.Errorf(fleet.Failed, "%s: %w%s", cmd.what, err, lastWords(out)).WithHint("%s", hint)
	case err != nil:
		return fmt.Errorf("%s: %w", cmd.what, err)
	case exit != 0:
		return fleet.Errorf(fleet.Failed, "%s ended with exit code %d%s", cmd.what, exit, lastWords(out)).WithHint("%s", hint)
	}
	return nil
}

func lastWords(out *transcript) string {
	if last := out.last(3); last != "" {
		return ": " + strings.TrimSpace(last)
	}
	return ""
}
