package images

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// HostBases makes bases with debootstrap on this machine. It needs root and Debian's package
// debootstrap, uses the machine's own apt mirror and keyring, and leaves nothing mounted,
// however it ends: it works in mount and process namespaces of its own.
type HostBases struct {
	// Apt is the folder of apt's configuration; empty: /etc/apt.
	Apt string
	// Mirror is for specifications without one; empty: as Debootstrap says.
	Mirror string
}

//go:embed scripts/base.sh
var baseScript string

// Make implements BaseMaker. The errors are of code Unsupported where something is missing
// on this machine, else Failed.
func (h HostBases) Make(ctx context.Context, spec Debootstrap, dir string, output io.Writer) (tarball string, err error) {
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return "", fleet.Errorf(fleet.Unsupported, "debootstrap is not installed on the daemon's host").
			WithHint("run apt-get install debootstrap, or use another kind of base")
	}
	if os.Geteuid() != 0 {
		return "", fleet.Errorf(fleet.Unsupported, "debootstrap needs root, and the daemon does not run as root").
			WithHint("run the daemon as root, or use another kind of base")
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fleet.Errorf(fleet.Failed, "remove what an earlier attempt left: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fleet.Errorf(fleet.Failed, "make a folder for the base: %w", err)
	}
	apt := h.Apt
	if apt == "" {
		apt = "/etc/apt"
	}
	spec.Mirror = cmp.Or(spec.Mirror, h.Mirror)
	from := sourcesFor(spec, readAptSources(os.DirFS(apt)))
	out := &transcript{to: output}
	if err := runBase(ctx, spec, from, dir, out); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		mirror := cmp.Or(from.mirror, "Debian's own mirror")
		return "", fleet.Errorf(fleet.Failed, "debootstrap of %s from %s failed%s", spec.Suite, mirror, lastWords(out)).
			WithHint("see whether the daemon's host can reach %s and whether it has the suite %s", mirror, spec.Suite)
	}
	return filepath.Join(dir, "base.tar"), nil
}

// runBase runs the script as the first process of a process namespace: when it ends, by
// itself or because the daemon died, so do all its children, and the mounts with them.
func runBase(ctx context.Context, spec Debootstrap, from origin, dir string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", baseScript)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"LANG=C.UTF-8", "SUITE="+spec.Suite, "MIRROR="+from.mirror, "KEYRING="+from.keyring,
		"COMPONENTS="+strings.Join(components(spec), ","), "INCLUDE="+strings.Join(spec.Include, ","),
		"SOURCES="+strings.Join(from.lines, "\n"),
	)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	ended := make(chan error, 1)
	go func() {
		// The signal comes when the thread that started the process ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ended <- cmd.Run()
	}()
	err := <-ended
	if _, failed := errors.AsType[*exec.ExitError](err); !failed && err != nil {
		_, _ = io.WriteString(out, err.Error())
	}
	return err
}

func components(spec Debootstrap) []string {
	if len(spec.Components) == 0 {
		return []string{"main"}
	}
	return spec.Components
}
