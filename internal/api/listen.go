package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Listen opens the unix socket at path with mode 0660 for the group (empty: the process's
// own). A file that an earlier process left there is removed, but only after nobody answered
// on it; where somebody does, the error is of code Conflict.
func Listen(ctx context.Context, path, group string) (net.Listener, error) {
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the socket: %w", err)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	// Until its mode is set nobody but this user may connect; the mask is the process's, and
	// nothing else makes files while the daemon starts.
	old := syscall.Umask(0o177)
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := errors.Join(os.Chown(path, -1, gid), os.Chmod(path, 0o660)); err != nil {
		return nil, errors.Join(fmt.Errorf("set who may use %s: %w", path, err), ln.Close())
	}
	return ln, nil
}

func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fleet.Errorf(fleet.Invalid, "there is no group %q", name).WithField("socket.group").
			WithHint("make it with: groupadd --system %s", name)
	}
	return strconv.Atoi(g.Gid)
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fleet.Errorf(fleet.Conflict, "%s is there and is not a socket", path).WithField("socket.path").
			WithHint("move it away, or set another socket.path")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
	}
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
		return fleet.Errorf(fleet.Conflict, "another process answers on %s", path).WithField("socket.path").
			WithHint("lxdfleet is running already; stop it first, or set another socket.path")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the stale socket: %w", err)
	}
	return nil
}
