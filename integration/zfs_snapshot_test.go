//go:build integration && zfs

package integration

import (
	"fmt"
	"strings"
	"time"
)

// zfsRestore: a tenant goes back to its newest snapshot, and to an older one, and keeps all of them.
// LXD alone restores none but the newest, or deletes what is newer.
func (w *world) zfsRestore() {
	w.must("tenant", "create", "gamma", "--image", "tiny", "--domain", "gamma.localhost", "--member", "n1")
	for _, note := range []string{"one", "two"} {
		w.note("gamma", note)
		w.must("snapshot", "create", "gamma", note)
	}
	w.note("gamma", "now")
	for _, back := range []string{"two", "one"} {
		start := time.Now()
		w.must("snapshot", "restore", "gamma", back)
		w.t.Logf("back to %s after %s", back, time.Since(start).Round(time.Millisecond))
		w.wantNote("gamma", back)
		w.wantPage("gamma.localhost", "tenant=gamma")
		w.wantSnapshots("gamma", "one", "two")
	}
	if list := w.must("snapshot", "list", "gamma"); strings.Count(list, "safety") != 2 {
		w.t.Errorf("two restores have not left two safety snapshots:\n%s", list)
	}
}

// zfsFollows: all snapshots of a tenant that is moved go with it, also those that restores have put
// aside with the instance they were taken of.
func (w *world) zfsFollows() {
	start := time.Now()
	w.must("move", "gamma", "--to", "n2")
	w.t.Logf("moved with its histories after %s", time.Since(start).Round(time.Millisecond))
	w.wantNote("gamma", "one")
	w.wantPage("gamma.localhost", "tenant=gamma")
	w.wantSnapshots("gamma", "one", "two")
	if on := w.lxc("list", "-f", "csv", "-c", "nL", "^lxdfleet-history-"); strings.Count(on, ",n2") != 2 || strings.Contains(on, ",n1") {
		w.t.Errorf("the histories are not where the tenant is:\n%s", on)
	}
}

// zfsClones: a snapshot becomes a tenant of its own that shares what has not changed, also one
// that a restore has gone back behind; the original may be deleted first.
func (w *world) zfsClones() {
	w.must("snapshot", "clone", "gamma", "two", "delta", "--domain", "delta.localhost")
	w.wantNote("delta", "two")
	w.wantPage("delta.localhost", "tenant=delta")
	w.wantNote("gamma", "one")
	if used := w.zfsValue(w.dataset("delta"), "used"); used > 4*mib {
		w.t.Errorf("the clone of a snapshot uses %d bytes of its own", used)
	}
	w.must("snapshot", "delete", "gamma", "two")
	w.must("tenant", "delete", "gamma", "--now")
	w.wantNote("delta", "two")
	w.must("tenant", "delete", "delta", "--now")
	for _, left := range w.instances() {
		if !strings.HasPrefix(left, "lxdfleet-history-") { // those are swept an hour later
			w.t.Errorf("the instance %s is left", left)
		}
	}
}

// note writes something into a tenant.
func (w *world) note(tenant, text string) {
	w.t.Helper()
	w.must("tenant", "exec", tenant, "--", "sh", "-c", fmt.Sprintf("echo %s >/root/note && sync", text))
}

func (w *world) wantNote(tenant, want string) {
	w.t.Helper()
	if got := strings.TrimSpace(w.must("tenant", "exec", tenant, "--", "cat", "/root/note")); got != want {
		w.t.Errorf("the note of %s is %q, want %q", tenant, got, want)
	}
}

// wantSnapshots fails the test unless the tenant's snapshots are among the listed ones.
func (w *world) wantSnapshots(tenant string, names ...string) {
	w.t.Helper()
	list := w.must("snapshot", "list", tenant)
	for _, name := range names {
		if !strings.Contains(list, "| "+name+" ") {
			w.t.Errorf("the snapshot %s is not listed:\n%s", name, list)
		}
	}
}
