//go:build integration

package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/mariadb"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// devcluster runs scripts/devcluster on the cluster of these tests.
func devcluster(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("../scripts/devcluster", args...).CombinedOutput(); err != nil {
		t.Fatalf("devcluster %v: %v\n%s", args, err, out)
	}
}

// TestLXDRestarts restarts the LXD the daemon talks to while a tenant is made. It runs alone.
func TestLXDRestarts(t *testing.T) {
	w := newWorld(t)
	w.up()
	w.create("calm")
	job := w.submit(http.MethodPost, "/v1/tenants", map[string]any{"name": "acme", "image": "tiny", "domains": []string{"acme.localhost"}})
	devcluster(t, "restart-member", "n1")
	w.done(job)
	w.wantPage("acme.localhost", "tenant=acme")
	w.wantPage("calm.localhost", "tenant=calm")
	w.lxc("stop", "calm")
	eventually(t, 30*time.Second, "events arrive again", func() bool { return w.tenant("calm").Status == "stopped-by-operator" })
}

// TestMemberOffline kills a member. It runs alone.
func TestMemberOffline(t *testing.T) {
	w := newWorld(t)
	w.up()
	w.done(w.submit(http.MethodPost, "/v1/tenants", map[string]any{"name": "far", "image": "tiny", "member": "n3", "domains": []string{"far.localhost"}}))
	devcluster(t, "kill-member", "n3")
	t.Cleanup(func() { devcluster(t, "start-member", "n3") })
	eventually(t, time.Minute, "n3 shows as offline", func() bool {
		var list client.MemberList
		w.call(http.MethodGet, "/v1/members", nil, &list)
		for _, m := range list.Items {
			if m.Name == "n3" {
				return !m.Online
			}
		}
		return false
	})
	_, errs, code := w.cli("tenant", "create", "acme", "--image", "tiny", "--domain", "acme.localhost", "--member", "n3")
	if code != 1 || !strings.Contains(errs, "n3") || !strings.Contains(errs, "offline") {
		t.Errorf("create on an offline member: exit %d\n%s", code, errs)
	}
	w.create("acme")
	if got := w.tenant("acme").Location; got == "n3" || got == "" {
		t.Errorf("acme is on %q", got)
	}
	eventually(t, time.Minute, "a tenant on it is unknown", func() bool { return w.tenant("far").Status == "unknown" })
	// Its instance runs on: only LXD is dead. The page must not go with it.
	w.wantPage("far.localhost", "tenant=far")
	_, errs, code = w.cli("tenant", "stop", "far")
	if code != 1 || !strings.Contains(errs, "n3") {
		t.Errorf("stop on an offline member: exit %d\n%s", code, errs)
	}
	if out, _, code := w.cli("doctor"); code != 1 || !strings.Contains(out, "n3") {
		t.Errorf("doctor: exit %d, and n3 is to be named:\n%s", code, out)
	}
	devcluster(t, "start-member", "n3")
	eventually(t, time.Minute, "the tenant is back", func() bool { return w.tenant("far").Status == "running" })
}

// TestPoolFull fills the pool of one member.
func TestPoolFull(t *testing.T) {
	w := newWorld(t)
	w.up()
	w.lxc("launch", "tiny", "filler", "--target", "n2")
	if out, err := lxc("--project", w.project, "exec", "filler", "--", "busybox", "fallocate", "-l", "40G", "/fill"); err == nil {
		t.Fatalf("40 GB fit into the pool: %s", out)
	}
	for size := 4096; size >= 16; size /= 2 { // the largest pieces first
		for i := 0; ; i++ {
			file := "/fill-" + strings.Repeat("x", i%200+1) + "-" + strconv.Itoa(size)
			if _, err := lxc("--project", w.project, "exec", "filler", "--", "busybox", "fallocate", "-l", strconv.Itoa(size)+"M", file); err != nil {
				break
			}
		}
	}
	before := len(w.instances())
	// The members' use is read every 15 seconds; until then the tiny clone still fits.
	var errs string
	eventually(t, 40*time.Second, "a create on the full member is refused", func() bool {
		var code int
		if _, errs, code = w.cli("tenant", "create", "acme", "--image", "tiny", "--domain", "acme.localhost", "--member", "n2"); code == 0 {
			w.must("tenant", "delete", "acme", "--now")
		}
		return code == 1
	})
	if !strings.Contains(errs, "pool") || !strings.Contains(errs, "n2") {
		t.Errorf("create on a full pool says:\n%s", errs)
	}
	if after := len(w.instances()); after != before {
		t.Errorf("instances: %d before, %d after", before, after)
	}
	w.create("acme") // elsewhere
	if got := w.tenant("acme").Location; got == "n2" {
		t.Error("acme is on the full member")
	}
}

// TestDatabaseGone takes the database away for a minute in the middle of a job.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	db := mariadb.Start(t)
	w := newWorld(t)
	w.settings["store"] = "  dsn: " + db.Database() + "\n"
	w.up()
	w.create("calm")
	job := w.submit(http.MethodPost, "/v1/tenants", map[string]any{"name": "acme", "image": "tiny", "domains": []string{"acme.localhost"}})
	db.Kill()
	gone := time.Now()
	status, raw := w.call(http.MethodGet, "/v1/tenants", nil, nil)
	if status != http.StatusServiceUnavailable || !strings.Contains(raw, "unavailable") {
		t.Errorf("list without a database: %d %s", status, raw)
	}
	for time.Since(gone) < time.Minute {
		w.wantPage("calm.localhost", "tenant=calm") // visitors notice nothing
		time.Sleep(2 * time.Second)
	}
	db.Start()
	w.done(job)
	w.wantPage("acme.localhost", "tenant=acme")
}

// TestTwoDaemons runs two daemons on one database: a job is run once, both serve its tenant.
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	db := mariadb.Start(t)
	one := newWorld(t)
	one.settings["store"] = "  dsn: " + db.Database() + "\n"
	two := newWorld(t)
	two.project, two.settings = one.project, one.settings
	one.writeConfig()
	two.writeConfig()
	one.must("init")
	one.launch()
	two.launch() // both migrate the empty database at once
	eventually(t, time.Minute, "both answer", func() bool { return one.answers() && two.answers() })
	one.must("image", "import", one.tinyImage("tiny"), "tiny/1")
	for _, name := range []string{"a1", "a2", "a3", "a4"} {
		one.create(name)
		start := time.Now()
		eventually(t, 3*time.Second, "the other daemon serves "+name, func() bool {
			status, body := two.page(name + ".localhost")
			return status == http.StatusOK && strings.Contains(body, "tenant="+name)
		})
		t.Logf("seen by the other daemon after %s", time.Since(start))
	}
	two.must("tenant", "stop", "a1")
	eventually(t, 3*time.Second, "the first daemon knows", func() bool { return one.tenant("a1").Status == "stopped" })
}

// TestUnhealthy makes a tenant whose health check never turns good.
func TestUnhealthy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	before := len(w.instances())
	job := w.submit(http.MethodPost, "/v1/tenants", map[string]any{
		"name": "acme", "image": "tiny", "domains": []string{"acme.localhost"},
		"health": map[string]any{"port": 80, "path": "/never", "timeout": "3s"},
	})
	detail := w.wait(job.Id)
	if detail.Job.State != client.JobStateUndone || detail.Job.ErrorCode != "unhealthy" || detail.Job.Hint == "" {
		t.Errorf("job: %+v", detail.Job)
	}
	var kept strings.Builder
	for _, e := range detail.Events {
		if e.Type == client.JobEventTypeOutput {
			kept.WriteString(e.Message)
		}
	}
	if kept.Len() == 0 {
		t.Errorf("the instance's log is not kept:\n%s", eventLines(detail))
	}
	if after := len(w.instances()); after != before {
		t.Errorf("instances: %d before, %d after", before, after)
	}
	if got := w.tenant("acme"); got.Name != "" {
		t.Errorf("the tenant is left: %+v", got)
	}
	w.create("acme") // the name is free
}

// TestRecipeFails builds an image whose step fails.
func TestRecipeFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	images := w.lxc("image", "list", "-f", "csv", "-c", "f")
	recipe := filepath.Join(t.TempDir(), "recipe.yaml")
	text := "name: broken\nversion: \"1\"\nbase: {image: tiny/1}\nsteps:\n  - name: say why\n    run: echo out of cheese; exit 7\nhttp: {port: 80}\n"
	if err := os.WriteFile(recipe, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := w.cli("image", "build", recipe)
	if code != 1 || !strings.Contains(out+errs, "out of cheese") || !strings.Contains(errs, "say why") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if left := w.instances(); len(left) != 0 {
		t.Errorf("instances left: %v", left)
	}
	if after := w.lxc("image", "list", "-f", "csv", "-c", "f"); after != images {
		t.Errorf("images before:\n%safter:\n%s", images, after)
	}
}

// TestCancel stops a create in the middle.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	job := w.submit(http.MethodPost, "/v1/tenants", map[string]any{
		"name": "acme", "image": "tiny", "domains": []string{"acme.localhost"},
		"health": map[string]any{"port": 80, "path": "/never", "timeout": "1m"},
	})
	eventually(t, 30*time.Second, "the instance runs", func() bool { return len(w.instances()) == 1 })
	w.must("job", "cancel", job.Id)
	if detail := w.wait(job.Id); detail.Job.State != client.JobStateCancelled {
		t.Errorf("job: %+v", detail.Job)
	}
	if left := w.instances(); len(left) != 0 {
		t.Errorf("instances left: %v", left)
	}
}
