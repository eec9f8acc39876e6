//go:build integration

package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDiskFull fills the disk that has the daemon's data. Visitors notice nothing, changes are
// refused with the reason, and all goes on when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "64m")
	w := newWorld(t)
	if err := os.Symlink(disk, filepath.Join(w.dir, "data")); err != nil {
		t.Fatal(err)
	}
	w.up()
	w.create("acme")
	filler := fill(t, disk)
	before := len(w.instances())
	_, errs, code := w.cli("tenant", "create", "globex", "--image", "tiny", "--domain", "globex.localhost")
	if code != 1 || !strings.Contains(errs, "disk") || !strings.Contains(errs, "full") {
		t.Errorf("create on a full disk: exit %d\n%s", code, errs)
	}
	if after := len(w.instances()); after != before {
		t.Errorf("instances: %d before, %d after", before, after)
	}
	for range 3 {
		w.wantPage("acme.localhost", "tenant=acme")
	}
	// What `lxc` does is followed all the same: nothing has to be written for it.
	w.lxc("stop", "acme")
	eventually(t, 30*time.Second, "the stop is seen", func() bool { return w.tenant("acme").Status == "stopped-by-operator" })
	w.lxc("start", "acme")
	eventually(t, 30*time.Second, "the start is seen", func() bool { return w.tenant("acme").Status == "running" })
	w.wantPage("acme.localhost", "tenant=acme")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.create("globex")
	w.wantPage("globex.localhost", "tenant=globex")
}

// smallDisk mounts a file system of the size, until the end of the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("lxdfleet-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return dir
}

// fill writes a file until nothing more fits, and gives its path.
func fill(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, piece := range [][]byte{make([]byte, 1<<20), make([]byte, 4096), make([]byte, 1)} {
		for err == nil {
			_, err = f.Write(piece)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: %v", err)
		}
		err = nil
	}
	return f.Name()
}
