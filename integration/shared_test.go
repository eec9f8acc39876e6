//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// noise is how many MiB of a tenant no compression makes smaller: at the settings' upload limit a
// backup of it takes some ten seconds.
const noise = 16

// TestSharedRepository has two daemons on one cluster keep their backups in one repository, while
// its server fails in the middle of their jobs, one of them is killed, and the other frees room.
func TestSharedRepository(t *testing.T) {
	t.Parallel()
	server := s3server.Start(t)
	settings := s3Settings(t, server)
	settings["backups"] += "  upload_limit: 2MiB\n  control_every: 1m\n"
	one, two := newWorld(t), newWorld(t)
	one.settings, two.settings = settings, settings
	one.up()
	one.must("backup", "init")
	key, err := os.ReadFile(filepath.Join(one.dir, "data", "backups.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(two.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(two.dir, "data", "backups.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	two.up()
	fleet := map[*world]string{one: "acme", two: "globex"}
	sums, began := map[*world]string{}, map[*world]client.Job{}
	for w, name := range fleet {
		w.create(name)
		w.must("tenant", "exec", name, "--", "sh", "-c", fmt.Sprintf("dd if=/dev/urandom of=/www/noise bs=1M count=%d 2>/dev/null; sync", noise))
		sums[w] = w.sum(name)
		began[w] = w.submit(http.MethodPost, "/v1/backups", map[string]any{"tenant": name})
	}
	for w := range fleet {
		w.moves(began[w].Id)
	}
	// Both are sending now.
	server.Kill()
	time.Sleep(5 * time.Second) // as long as the server is away
	for w, name := range fleet {
		if detail := w.job(began[w].Id); detail.Job.Finished {
			t.Errorf("%s: the backup ended %s without its server: %s", name, detail.Job.State, detail.Job.Error)
		}
	}
	server.Start()
	server.Ready()
	for w := range fleet {
		w.done(began[w])
	}
	// Once more: one daemon is killed while it sends, and the other frees room meanwhile.
	one.must("tenant", "exec", "acme", "--", "sh", "-c", fmt.Sprintf("dd if=/dev/urandom of=/www/noise bs=1M count=%d 2>/dev/null; sync", noise))
	sums[one] = one.sum("acme")
	again := one.submit(http.MethodPost, "/v1/backups", map[string]any{"tenant": "acme"})
	one.moves(again.Id)
	one.daemon.kill()
	two.done(two.submit(http.MethodPost, "/v1/backups/prune", nil))
	one.start()
	one.done(again)
	for w, name := range fleet {
		w.done(w.submit(http.MethodPost, "/v1/backups/verify", map[string]any{"deep": true}))
		list := w.backups(name)
		if out := w.must("backup", "list", "--damaged"); strings.Contains(out, name) {
			t.Errorf("damaged backups of %s:\n%s", name, out)
		}
		w.must("backup", "restore", list[0].ID, "--into", "copy", "--domain", "copy-of-"+name+".localhost")
		if got := w.sum("copy"); got != sums[w] {
			t.Errorf("the copy of %s is another: %s, want %s", name, got, sums[w])
		}
		noSnapshot(w, name, "copy")
		if got := w.instances(); len(got) != 2 {
			t.Errorf("instances: %v", got)
		}
	}
	if a, b := len(one.backups("acme")), len(two.backups("globex")); a != 2 || b != 1 {
		t.Errorf("%d and %d backups, want 2 and 1", a, b)
	}
}

// sum is that of a tenant's noise.
func (w *world) sum(tenant string) string {
	w.t.Helper()
	return strings.Fields(w.must("tenant", "exec", tenant, "--", "sha256sum", "/www/noise"))[0]
}

// moves waits until a job sends.
func (w *world) moves(id string) {
	w.t.Helper()
	eventually(w.t, time.Minute, "the backup is being sent", func() bool {
		detail := w.job(id)
		if detail.Job.Finished {
			w.t.Fatalf("the backup has ended already: %s\n%s", detail.Job.Error, eventLines(detail))
		}
		return slices.ContainsFunc(detail.Events, func(e client.JobEvent) bool { return e.Step == "upload" && e.Bytes > 2*mebi })
	})
}

const mebi = 1 << 20

// job reads a job.
func (w *world) job(id string) client.JobDetail {
	w.t.Helper()
	var detail client.JobDetail
	if status, raw := w.call(http.MethodGet, "/v1/jobs/"+id, nil, &detail); status != http.StatusOK {
		w.t.Fatalf("job %s: %d %s", id, status, raw)
	}
	return detail
}
