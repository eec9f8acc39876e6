package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// lock is held on the data folder for as long as the daemon lives; the kernel releases it
// however the daemon ends. So whoever holds it knows that no other process works under this
// folder's name.
type lock struct {
	file  *os.File
	owner string // this folder's name in job leases, the same after every restart
}

// lockData takes the lock. fleet.Taken when another daemon has it.
func lockData(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, dataDirError("make the data folder", err)
	}
	path := filepath.Join(dir, "daemon.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dataDirError("open the lock of the data folder", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fleet.Errorf(fleet.Taken, "another lxdfleet daemon uses %s", dir).WithField("data_dir").
				WithHint("stop it first, or give this one a data_dir, socket and ports of its own")
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	owner, err := ownerIn(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &lock{file: f, owner: owner}, nil
}

func dataDirError(doing string, err error) error {
	return fleet.Errorf(fleet.Forbidden, "%s: %w", doing, err).WithField("data_dir").
		WithHint("run as root, or set data_dir to a folder this user may write to")
}

// ownerIn reads the name from the lock file, or writes a new one.
func ownerIn(f *os.File) (string, error) {
	raw := make([]byte, 64)
	n, _ := f.ReadAt(raw, 0) // short on purpose: io.EOF is the usual end
	if owner := strings.TrimSpace(string(raw[:n])); owner != "" {
		return owner, nil
	}
	owner := fleet.NewID(time.Now())
	if _, err := f.WriteAt([]byte(owner+"\n"), 0); err != nil {
		return "", err
	}
	return owner, f.Sync()
}

func (l *lock) release() { l.file.Close() }
