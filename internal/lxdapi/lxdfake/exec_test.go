package lxdfake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// runHere runs commands on this machine instead of in an instance.
func runHere(ctx context.Context, _ string, spec fleet.ExecSpec) (int, error) {
	cmd := exec.CommandContext(ctx, spec.Command[0], spec.Command[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Env = os.Environ()
	for key, value := range spec.Env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	var refused error
	run := runPiped
	if spec.TTY {
		run = runOnTerminal
	}
	spec.Stdout = dropper{spec.Stdout, &refused}
	err := run(cmd, spec)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return 127, nil
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), refused
		}
		return e.ExitCode(), refused
	}
	return 0, errors.Join(err, refused)
}

// dropper takes everything and keeps the first error, so that the command is not ended by a
// writer that refuses.
type dropper struct {
	io.Writer
	refused *error
}

func (d dropper) Write(p []byte) (int, error) {
	if *d.refused == nil {
		_, *d.refused = d.Writer.Write(p)
	}
	return len(p), nil
}

func runPiped(cmd *exec.Cmd, spec fleet.ExecSpec) error {
	cmd.Stdout, cmd.Stderr = spec.Stdout, spec.Stderr
	in, err := cmd.StdinPipe() // not cmd.Stdin: Wait would wait for a reader that blocks
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(in, spec.Stdin)
		_ = in.Close()
	}()
	return cmd.Run()
}

func runOnTerminal(cmd *exec.Cmd, spec fleet.ExecSpec) error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = master.Close() }()
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	setSize(fd, spec.Width, spec.Height)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = slave.Close()
	go func() { _, _ = io.Copy(master, spec.Stdin) }()
	go func() {
		for size := range spec.Resize {
			setSize(fd, size[0], size[1])
		}
	}()
	_, _ = io.Copy(spec.Stdout, master) // ends with the last process on the terminal
	return cmd.Wait()
}

func setSize(fd, width, height int) {
	_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)})
}
