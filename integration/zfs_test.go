//go:build integration && zfs

package integration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/tiny"
)

const (
	mib = int64(1) << 20
	// ballast is what the golden image weighs: much beside what a clone of it may.
	ballast = 16 * mib
)

// TestZFS shows on a real ZFS pool what differs from one driver to the next. Its parts share a
// daemon, for the machine they run in is slow: scripts/test-zfs.
func TestZFS(t *testing.T) {
	w := newWorld(t)
	w.settings["proxy"] = "  hold_timeout: 110s\n" // a restore takes an emulated processor most of a minute
	w.writeConfig()
	w.must("init")
	w.start()
	w.must("image", "import", w.image("large", func(file io.Writer) error {
		return tiny.WriteLarge(file, w.project, int(ballast))
	}), "tiny/1")
	for _, part := range []struct {
		name string
		run  func(*world)
	}{
		{"Driver", (*world).zfsDriver},
		{"Clone", (*world).zfsClone},
		{"Quota", (*world).zfsQuota},
		{"Restore", (*world).zfsRestore},
		{"Follows", (*world).zfsFollows},
		{"Clones", (*world).zfsClones},
		{"Rows", (*world).zfsRows},
		{"Refresh", (*world).zfsRefresh},
		{"PoolFull", (*world).zfsPoolFull},
	} {
		t.Run(part.name, func(t *testing.T) {
			sub := *w
			sub.t = t
			part.run(&sub)
		})
	}
}

// zfsDriver: these tests would pass elsewhere, and prove nothing.
func (w *world) zfsDriver() {
	if out := w.lxc("storage", "show", "default"); !strings.Contains(out, "driver: zfs") {
		w.t.Fatalf("the pool is not on ZFS:\n%s", out)
	}
	if out := w.lxc("storage", "get", "default", "volume.zfs.use_refquota"); strings.TrimSpace(out) != "true" {
		w.t.Errorf("init has not set volume.zfs.use_refquota: %q", out)
	}
	// A machine that went on from where it was saved may take minutes to hear of its other member.
	out := ""
	eventually(w.t, time.Minute, "doctor is content", func() bool {
		printed, errs, code := w.cli("doctor")
		out = printed + errs
		return code == 0 || !strings.Contains(out, "No heartbeat")
	})
	if strings.Contains(out, "refquota") {
		w.t.Errorf("doctor complains:\n%s", out)
	}
}

// zfsClone: a tenant takes next to nothing of its own.
func (w *world) zfsClone() {
	start := time.Now()
	w.must("tenant", "create", "small", "--image", "tiny", "--domain", "small.localhost", "--member", "n1")
	took := time.Since(start)
	w.wantPage("small.localhost", "tenant=small")
	used := w.zfsValue(w.dataset("small"), "used")
	w.t.Logf("a clone of an image of %d MiB uses %d KiB, made in %s", ballast/mib, used/1024, took.Round(time.Millisecond))
	if referenced := w.zfsValue(w.dataset("small"), "referenced"); used > 4*mib || referenced < ballast {
		w.t.Errorf("the clone uses %d bytes of its own, and sees %d", used, referenced)
	}
	w.must("tenant", "delete", "small", "--now")
}

// zfsQuota: a tenant may write as much as its plan says, whatever its snapshots hold on to; when
// that is full it is told, and everything but writing goes on.
func (w *world) zfsQuota() {
	const quota = 40 * mib
	w.lxc("profile", "create", "tight")
	w.lxc("profile", "device", "add", "tight", "root", "disk", "path=/", "pool=default", fmt.Sprintf("size=%d", quota))
	w.must("tenant", "create", "acme", "--image", "tiny", "--domain", "acme.localhost", "--plan", "tight", "--member", "n1")
	dataset := w.dataset("acme")
	if got := w.zfsValue(dataset, "refquota"); got != quota {
		w.t.Errorf("refquota is %d, want %d", got, quota)
	}
	if got := w.zfsValue(dataset, "quota"); got != 0 {
		w.t.Errorf("quota is %d: snapshots would count", got)
	}
	// Three times what there is room for once, with the old contents kept by snapshots.
	for i := range 3 {
		if out, err := w.fillTenant("acme", 12); err != nil {
			w.t.Fatalf("write %d: %v\n%s", i, err, out)
		}
		w.lxc("snapshot", "acme", fmt.Sprintf("kept%d", i))
	}
	if used := w.zfsValue(dataset, "used"); used < 36*mib {
		w.t.Errorf("three snapshots of 12 MiB use %d bytes together", used)
	}
	out, err := w.fillTenant("acme", 60)
	if err == nil || !strings.Contains(out, "quota") && !strings.Contains(out, "No space") {
		w.t.Errorf("the tenant writes more than its plan: %v\n%s", err, out)
	}
	w.wantPage("acme.localhost", "tenant=acme")
	// LXD keeps a file of its own on that disk, and can do little with an instance that is full.
	out, errs, code := w.cli("snapshot", "create", "acme", "full")
	if code == 0 || !strings.Contains(errs, "the disk of the instance is full") || !strings.Contains(errs, "tenant resize") {
		w.t.Errorf("a snapshot of a full tenant: exit %d\n%s%s", code, out, errs)
	}
	w.lxc("profile", "create", "wide")
	w.lxc("profile", "device", "add", "wide", "root", "disk", "path=/", "pool=default", fmt.Sprintf("size=%d", 2*quota))
	w.must("tenant", "resize", "acme", "wide")
	w.must("snapshot", "create", "acme", "wide")
	w.must("tenant", "restart", "acme")
	w.wantPage("acme.localhost", "tenant=acme")
	w.must("tenant", "delete", "acme", "--now")
	for _, plan := range []string{"tight", "wide"} {
		w.lxc("profile", "delete", plan)
	}
}

// fillTenant writes a file of so many MiB of noise inside a tenant, and gives what was printed.
func (w *world) fillTenant(name string, size int) (string, error) {
	out, errs, code := w.cli("tenant", "exec", name, "--", "sh", "-c",
		fmt.Sprintf("dd if=/dev/urandom of=/data bs=1M count=%d && sync", size))
	if code != 0 {
		return out + errs, fmt.Errorf("exit %d", code)
	}
	return out + errs, nil
}

// zfsRefresh: a copy on another member is brought up to date by what has changed, not by all. It
// is what a move without downtime stands on.
func (w *world) zfsRefresh() {
	const delta = 4 * mib
	w.alone()
	w.lxc("init", "tiny", "wanderer", "--target", "n1")
	w.lxc("start", "wanderer")
	copyOver := func(snapshot string, more ...string) (bytes int64, took time.Duration) {
		w.lxc("snapshot", "wanderer", snapshot)
		before, start := received(w.t, "n2"), time.Now()
		w.lxc(append([]string{"copy", "wanderer", "wanderer-copy", "--target", "n2", "--stateless"}, more...)...)
		return received(w.t, "n2") - before, time.Since(start)
	}
	first, firstTook := copyOver("one")
	w.lxc("exec", "wanderer", "--", "sh", "-c", fmt.Sprintf("dd if=/dev/urandom of=/delta bs=%d count=1; sync", delta))
	second, secondTook := copyOver("two", "--refresh")
	third, thirdTook := copyOver("three", "--refresh")
	w.t.Logf("first copy %.1f MiB in %s; refresh after %d MiB changed %.1f MiB in %s; nothing changed %.1f MiB in %s",
		float64(first)/float64(mib), firstTook.Round(time.Millisecond), delta/mib,
		float64(second)/float64(mib), secondTook.Round(time.Millisecond),
		float64(third)/float64(mib), thirdTook.Round(time.Millisecond))
	// Members talk to each other all the time, some 25 KiB a second.
	if first < ballast || second < delta || second > 2*delta || third > delta/2 {
		w.t.Errorf("sent %d bytes, then %d for a change of %d, then %d for none", first, second, delta, third)
	}
	for _, name := range []string{"wanderer", "wanderer-copy"} {
		w.lxc("delete", "--force", name)
	}
}

// alone waits until no other test works on the cluster: what is measured would be theirs, too, and
// a full pool would be in their way.
func (w *world) alone() {
	w.t.Helper()
	eventually(w.t, 10*time.Minute, "the cluster is this test's alone", func() bool {
		out := strings.Fields(w.lxc("project", "list", "-f", "csv"))
		return !slices.ContainsFunc(out, func(line string) bool { return strings.HasPrefix(line, "lxdfleet-test-") })
	})
}

// received tells how many bytes a member has been sent over the cluster's network.
func received(t *testing.T, member string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/sys/class/net", os.Getenv("DEVCLUSTER_PREFIX")+member, "statistics/tx_bytes"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// zfsPoolFull: with no room left a snapshot fails with the reason and leaves nothing, the tenant's
// pages are there, and it works again when there is room.
func (w *world) zfsPoolFull() {
	w.must("tenant", "create", "beta", "--image", "tiny", "--domain", "beta.localhost", "--member", "n1")
	w.alone()
	release := w.fillPool("n1")
	out, errs, code := w.cli("snapshot", "create", "beta", "cut")
	if code == 0 || !strings.Contains(errs, "the storage pool is full") {
		w.t.Errorf("a snapshot on a full pool: exit %d\n%s%s", code, out, errs)
	}
	if list := w.must("snapshot", "list", "beta"); strings.Contains(list, "cut") {
		w.t.Errorf("the snapshot that failed is listed:\n%s", list)
	}
	w.wantPage("beta.localhost", "tenant=beta")
	release()
	w.must("snapshot", "create", "beta", "cut")
	w.must("tenant", "delete", "beta", "--now")
}

// fillPool leaves no room in a member's pool, until release is called. What takes the room is a
// reservation beside LXD's datasets: those are LXD's alone.
func (w *world) fillPool(member string) (release func()) {
	w.t.Helper()
	pool := os.Getenv("DEVCLUSTER_PREFIX") + "-" + member
	filler := pool + "/filler"
	w.zfs("create", "-o", "mountpoint=none", filler)
	released := false
	release = func() {
		if !released {
			released = true
			w.zfs("destroy", filler)
		}
	}
	w.t.Cleanup(release)
	// Ever smaller pieces: ZFS refuses what does not fit.
	reserved := int64(0)
	for piece := int64(1) << 32; piece >= 1<<12; piece /= 2 {
		for {
			_, err := zfs("set", fmt.Sprintf("reservation=%d", reserved+piece), filler)
			if err != nil {
				break
			}
			reserved += piece
		}
	}
	return release
}

// dataset is the ZFS dataset of an instance in the world's project.
func (w *world) dataset(instance string) string {
	w.t.Helper()
	for line := range strings.Lines(w.zfs("list", "-H", "-o", "name", "-t", "filesystem")) {
		if name := strings.TrimSpace(line); strings.HasSuffix(name, "/containers/"+w.project+"_"+instance) {
			return name
		}
	}
	w.t.Fatalf("%s has no dataset", instance)
	return ""
}

// zfsValue reads a property that is a number of bytes; none is 0. What was written counts only
// when it is on the disk.
func (w *world) zfsValue(dataset, property string) int64 {
	w.t.Helper()
	if out, err := exec.Command("zpool", "sync").CombinedOutput(); err != nil {
		w.t.Fatalf("zpool sync: %v: %s", err, out)
	}
	text := strings.TrimSpace(w.zfs("get", "-H", "-p", "-o", "value", property, dataset))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && text != "none" && text != "-" {
		w.t.Fatalf("%s of %s: %v", property, dataset, err)
	}
	return n
}

func (w *world) zfs(args ...string) string {
	w.t.Helper()
	out, err := zfs(args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func zfs(args ...string) (string, error) {
	out, err := exec.Command("zfs", args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("zfs %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}
