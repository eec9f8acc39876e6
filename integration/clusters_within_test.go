//go:build integration

package integration

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// TestWithinAnotherCluster has tenants live in another cluster, of two members: they are moved there,
// moved and drained within, backed up and restored there, and brought home while visitors come. The
// link to it is cut in the middle of a move.
func TestWithinAnotherCluster(t *testing.T) {
	t.Parallel()
	e := startForeign(t, "east", 2, "--members", "2")
	w := newWorld(t)
	w.settings = s3Settings(t, s3server.Start(t))
	w.settings["tenants"] += "  stop_timeout: 2s\n"
	w.up()
	w.must("backup", "init")
	names := []string{"acme", "globex", "initech"}
	for _, name := range names {
		w.create(name)
	}
	w.says("acme", "tenant=acme says now")
	w.wantPage("acme.localhost", "says now")
	w.must("cluster", "add", "east", "--token", e.token(), "--project", w.project, "--network", "br0")
	stop := w.visitors(2)
	for _, name := range names {
		w.must("move", name, "--to", "east:n1")
	}
	w.must("move", "acme", "--to", "east:n2") // within
	w.must("move", "acme", "--to", "east:n1")
	t.Run("drain", func(t *testing.T) { w.drainedElsewhere(t, names) })
	stop()
	t.Run("backup", func(t *testing.T) { w.backedUpElsewhere(t, e) })
	t.Run("cut", func(t *testing.T) { w.linkCut(t, e) })
	stop = w.visitors(2)
	for _, name := range names {
		if !strings.HasPrefix(w.tenant(name).Location, "east:") {
			continue // the move that was cut has brought it home
		}
		w.must("move", name, "--to", "n2")
	}
	stop()
	w.wantPage("acme.localhost", "says now")
	home := slices.DeleteFunc(w.instances(), isHistory) // which has followed acme
	slices.Sort(home)
	if got := e.instances(w.project); len(got) > 0 || !slices.Equal(home, names) {
		t.Errorf("instances there %v, here %v", got, home)
	}
	w.must("cluster", "remove", "east")
}

// isHistory tells what a restore has put aside.
func isHistory(instance string) bool { return strings.HasPrefix(instance, "lxdfleet-history-") }

// drainedElsewhere empties a member of the other cluster, and fills it again.
func (w *world) drainedElsewhere(t *testing.T, names []string) {
	defer func(whole *testing.T) { w.t = whole }(w.t)
	w.t = t
	wantAll := func(where string) {
		t.Helper()
		for _, name := range names {
			if got := w.tenant(name).Location; got != where {
				t.Errorf("%s is on %s, want %s", name, got, where)
			}
		}
	}
	w.must("member", "drain", "east:n1")
	wantAll("east:n2")
	var now client.Member
	w.decode(&now, "member", "show", "east:n1")
	if !now.Cordoned || now.Tenants != 0 {
		t.Errorf("%+v", now)
	}
	w.must("member", "restore", "east:n1")
	wantAll("east:n1")
}

// backedUpElsewhere backs a tenant up where it is, and makes another of the backup there.
func (w *world) backedUpElsewhere(t *testing.T, e *foreign) {
	defer func(whole *testing.T) { w.t = whole }(w.t)
	w.t = t
	w.keeps("acme", "then")
	w.must("backup", "create", "acme")
	list := w.backups("acme")
	if len(list) != 1 {
		t.Fatalf("backups %v", list)
	}
	w.keeps("acme", "later")
	w.must("backup", "restore", list[0].ID, "--into", "phoenix", "--domain", "phoenix.localhost", "--member", "east:n2")
	w.wantPage("phoenix.localhost", "tenant=phoenix")
	w.wantKept("phoenix", "then")
	if got := e.instances(w.project); !slices.Contains(got, "phoenix") {
		t.Errorf("instances there %v", got)
	}
	w.must("tenant", "delete", "phoenix", "--now")
	w.must("backup", "restore", list[0].ID)
	w.wantPage("acme.localhost", "says now")
	w.wantKept("acme", "then")
}

// keeps writes words into a file of the tenant's.
func (w *world) keeps(tenant, words string) {
	w.t.Helper()
	w.must("tenant", "exec", tenant, "--", "sh", "-c", "echo "+words+" >/www/kept; sync")
}

func (w *world) wantKept(tenant, words string) {
	w.t.Helper()
	if got := strings.TrimSpace(w.must("tenant", "exec", tenant, "--", "cat", "/www/kept")); got != words {
		w.t.Errorf("%s keeps %q, want %q", tenant, got, words)
	}
}

// linkCut cuts the source off while it is copied home. Wherever the tenant is then, it serves.
func (w *world) linkCut(t *testing.T, e *foreign) {
	defer func(whole *testing.T) { w.t = whole }(w.t)
	w.t = t
	job := w.submit(http.MethodPost, "/v1/tenants/globex/move", map[string]any{"to": "n3", "limit": "1MiB"})
	eventually(t, time.Minute, "it is being copied", func() bool {
		return slices.ContainsFunc(w.job(job.Id).Events, func(e client.JobEvent) bool { return e.Step == "copy" && e.Bytes > 0 })
	})
	link := func(state string) {
		t.Helper()
		if out, err := exec.Command("ip", "link", "set", e.prefix+"n1", state).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	link("down")
	time.Sleep(5 * time.Second) // as long as it is cut
	link("up")
	ended := w.wait(job.Id)
	t.Logf("the move was %s: %s", ended.Job.State, ended.Job.Error)
	want := map[client.JobState]string{client.JobStateDone: "n3", client.JobStateUndone: "east:n1"}[ended.Job.State]
	eventually(t, time.Minute, "globex serves from "+want, func() bool {
		now := w.tenant("globex")
		status, _ := w.page("globex.localhost")
		return now.Location == want && string(now.Status) == "running" && status == http.StatusOK
	})
	eventually(t, 3*time.Minute, "nothing is left behind", func() bool {
		all := append(w.instances(), e.instances(w.project)...)
		return len(slices.DeleteFunc(all, isHistory)) == 3
	})
}
