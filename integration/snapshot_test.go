//go:build integration

package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// snapshotView is what the API says of a snapshot.
type snapshotView struct {
	Name, Origin, Policy, Consistency, Why, Held string
	Pinned                                       bool
}

func (w *world) snapshots(name string) []snapshotView {
	w.t.Helper()
	var list struct{ Items []snapshotView }
	if status, raw := w.call(http.MethodGet, "/v1/tenants/"+name+"/snapshots", nil, &list); status != http.StatusOK {
		w.t.Fatalf("list snapshots: %d %s", status, raw)
	}
	return list.Items
}

func (w *world) snapshotNames(name string) []string {
	w.t.Helper()
	var names []string
	for _, n := range w.snapshots(name) {
		names = append(names, n.Name)
	}
	return names
}

// says replaces a tenant's page.
func (w *world) says(name, text string) {
	w.t.Helper()
	w.must("tenant", "exec", name, "--", "sh", "-c", "echo '"+text+"' >/www/index.html")
}

// TestSnapshots takes, reads, restores, clones and deletes snapshots on a real LXD.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings["snapshots"] = "  hold_limit: 30s\n" // the machine may be busy
	w.up()
	w.create("acme")
	for _, text := range []string{"one", "two", "three"} {
		w.says("acme", "tenant=acme says "+text)
		w.must("snapshot", "create", "acme", text)
	}
	for _, n := range w.snapshots("acme") {
		if n.Consistency != "application" || n.Held == "" || n.Origin != "manual" {
			t.Errorf("snapshot %+v", n)
		}
		if held, err := time.ParseDuration(n.Held); err != nil || held > 30*time.Second {
			t.Errorf("held %s: %v", n.Held, err)
		}
	}
	w.lxc("snapshot", "acme", "by-hand")
	if last := w.snapshots("acme")[3]; last.Name != "by-hand" || last.Origin != "lxc" {
		t.Errorf("made with lxc: %+v", last)
	}

	// What an operator has changed since the snapshot stays through a restore of an older one.
	w.must("tenant", "resize", "acme", "medium")
	w.lxc("config", "set", "acme", "user.mine", "kept")
	mac := w.lxc("config", "get", "acme", "volatile.eth0.hwaddr")
	w.must("snapshot", "restore", "acme", "one")
	w.wantPage("acme.localhost", "says one")
	names := w.snapshotNames("acme")
	for _, name := range []string{"one", "two", "three", "by-hand"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is gone after the restore: %v", name, names)
		}
	}
	if len(names) != 5 || !strings.HasPrefix(names[4], "before-restore-") {
		t.Errorf("snapshots after the restore: %v", names)
	}
	if got := w.lxc("config", "get", "acme", "volatile.eth0.hwaddr"); got != mac {
		t.Errorf("hardware address %s, was %s", got, mac)
	}
	if got := strings.TrimSpace(w.lxc("config", "get", "acme", "user.mine")); got != "kept" || w.tenant("acme").Plan != "medium" ||
		!strings.Contains(w.lxc("profile", "show", "medium"), "/acme") {
		t.Errorf("user.mine is %q, the plan %s", got, w.tenant("acme").Plan)
	}
	w.must("snapshot", "restore", "acme", "three")
	w.wantPage("acme.localhost", "says three")

	t.Run("files", func(t *testing.T) {
		if out := w.must("snapshot", "files", "acme", "one", "/www"); !strings.Contains(out, "index.html") {
			t.Errorf("files:\n%s", out)
		}
		target := filepath.Join(w.dir, "page")
		w.must("snapshot", "get", "acme", "two", "/www/index.html", target)
		if page, err := os.ReadFile(target); err != nil || !strings.Contains(string(page), "says two") {
			t.Errorf("the page in the snapshot: %q, %v", page, err)
		}
		if out := w.must("snapshot", "diff", "acme", "one", "two"); !strings.Contains(out, "/www/index.html") || strings.Contains(out, "/bin/busybox") {
			t.Errorf("diff:\n%s", out)
		}
		w.says("acme", "tenant=acme says now")
		if out := w.must("snapshot", "diff", "acme", "three"); !strings.Contains(out, "/www/index.html") {
			t.Errorf("diff to now:\n%s", out)
		}
	})
	t.Run("clone", func(t *testing.T) {
		w.must("snapshot", "clone", "acme", "one", "globex", "--domain", "globex.localhost")
		w.wantPage("globex.localhost", "tenant=globex")
		_, acme := w.page("acme.localhost")
		_, globex := w.page("globex.localhost")
		if machine(globex) == "" || machine(acme) == machine(globex) {
			t.Errorf("machine ids: %q and %q", machine(acme), machine(globex))
		}
		if got := w.lxc("exec", "globex", "--", "cat", "/www/copy.html"); strings.TrimSpace(got) != "copy mail=" {
			t.Errorf("the hook was told %q", got)
		}
		if names := w.snapshotNames("globex"); len(names) != 0 {
			t.Errorf("the clone has snapshots: %v", names)
		}
		w.must("tenant", "delete", "globex", "--now")
	})
	t.Run("delete", func(t *testing.T) {
		w.lxc("delete", "acme/by-hand")
		w.must("snapshot", "delete", "acme", "one", "two")
		if names := w.snapshotNames("acme"); slices.Contains(names, "one") || slices.Contains(names, "by-hand") {
			t.Errorf("left: %v", names)
		}
	})
	w.must("tenant", "delete", "acme", "--now")
	eventually(t, 3*time.Minute, "what was made to read snapshots is gone", func() bool { return len(w.instances()) == 0 })
}

// TestRestoreUnhealthy restores a snapshot in which the application is broken.
func TestRestoreUnhealthy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.done(w.submit(http.MethodPost, "/v1/tenants", map[string]any{
		"name": "acme", "image": "tiny", "domains": []string{"acme.localhost"},
		"health": map[string]any{"port": 80, "path": "/", "body": "tenant=", "timeout": "20s"},
	}))
	w.says("acme", "broken")
	w.must("snapshot", "create", "acme", "broken", "--crash")
	w.says("acme", "tenant=acme is well")
	_, errs, code := w.cli("snapshot", "restore", "acme", "broken")
	if code == 0 || !strings.Contains(errs, "brought back") {
		t.Fatalf("restore: exit %d\n%s", code, errs)
	}
	w.wantPage("acme.localhost", "is well")
	if names := w.snapshotNames("acme"); !slices.Equal(names, []string{"broken"}) {
		t.Errorf("snapshots: %v", names)
	}
}

// TestPolicyByClock has the daemon follow a policy that takes a snapshot each minute.
func TestPolicyByClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	status, raw := w.call(http.MethodPost, "/v1/policies", map[string]any{
		"name": "often", "time_zone": "Europe/Berlin",
		"snapshots": map[string]any{"cron": "* * * * *", "keep": map[string]any{"last": 1}},
	}, nil)
	if status != http.StatusCreated {
		t.Fatalf("make a policy: %d %s", status, raw)
	}
	w.must("tenant", "set", "acme", "policy=often")
	byPolicy := func() (names []string) {
		for _, n := range w.snapshots("acme") {
			if n.Origin == "policy" && n.Policy == "often" {
				names = append(names, n.Name)
			}
		}
		return names
	}
	eventually(t, 2*time.Minute, "the first snapshot by policy", func() bool { return len(byPolicy()) == 1 })
	first := byPolicy()
	eventually(t, 2*time.Minute, "only the newest snapshot is kept", func() bool {
		now := byPolicy()
		return len(now) == 1 && now[0] != first[0]
	})
}
