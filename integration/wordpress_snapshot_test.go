//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/rows"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// TestWordPress takes a real site, which is written to all the time, through what can become of
// its data, and looks at every row afterwards.
func TestWordPress(t *testing.T) {
	t.Parallel()
	settings := bucketSettings(t)
	// However busy the machine is.
	settings["snapshots"] = "  hold_limit: 30s\n"
	settings["proxy"] = "  hold_timeout: 110s\n"
	w := wordpress(t, settings)
	w.blog(t, "acme")
	s := &story{world: w, load: w.load(t, "acme"), cuts: map[string]rows.Cut{}}
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"Snapshots", s.testSnapshots},
		{"Clone", s.testClone},
		{"Restore", s.testRestore},
		{"RestoreOlder", s.testRestoreOlder},
		{"Move", s.testMove},
		{"LimitPasses", s.testLimitPasses},
		{"Backup", s.testBackup},
		{"BrokenDatabase", s.testBrokenDatabase},
		{"DaemonKilledWhileHeld", s.testDaemonKilled},
	} {
		if !t.Run(part.name, part.test) {
			return // they build on each other
		}
	}
}

// story is the tenant acme and what is known of its snapshots.
type story struct {
	*world
	load  *rows.Load
	cuts  map[string]rows.Cut // by snapshot: between which ticks it was taken
	since int                 // the tick of the last restore's end
}

// snap takes a snapshot while the load goes on.
func (s *story) snap(t *testing.T, name string, args ...string) client.Snapshot {
	t.Helper()
	cut := rows.Cut{Before: s.load.Now()}
	s.must(append([]string{"snapshot", "create", "acme", name}, args...)...)
	cut.After = s.load.Now()
	s.cuts[name] = cut
	return s.snapshot(t, name)
}

func (s *story) snapshot(t *testing.T, name string) client.Snapshot {
	t.Helper()
	var shown client.Snapshot
	if status, raw := s.call(http.MethodGet, "/v1/tenants/acme/snapshots/"+name, nil, &shown); status != http.StatusOK {
		t.Fatalf("snapshot %s: %d %s", name, status, raw)
	}
	return shown
}

func (s *story) testSnapshots(t *testing.T) {
	for _, name := range []string{"one", "two", "three"} {
		from := time.Now()
		shown := s.snap(t, name)
		took := time.Since(from)
		held, err := time.ParseDuration(shown.Held)
		if shown.Consistency != client.ConsistencyApplication || err != nil || held <= 0 || held > took {
			t.Errorf("snapshot %s: %+v, in %s", name, shown, took)
		}
		s.goesOn(t, s.load)
		t.Logf("snapshot %s in %s, held for %s, writers waited %s", name, took.Round(time.Millisecond), shown.Held,
			s.load.Stall(from, from.Add(took)).Round(time.Millisecond))
	}
	wantNoneFailed(t, s.load)
}

// A copy has the rows of its moment, secrets of its own, and writes to nobody.
func (s *story) testClone(t *testing.T) {
	s.must("snapshot", "clone", "acme", "two", "trial", "--domain", "trial.localhost")
	s.wantRows(t, "trial", s.load, s.cuts["two"])
	s.wantPage("trial.localhost", "https://trial.localhost")
	for _, file := range []string{"/etc/wordpress/secrets.php", "/root/lxdfleet-credentials", "/etc/machine-id"} {
		one, two := s.inside(t, "acme", "", "cat", file), s.inside(t, "trial", "", "cat", file)
		if len(one) < 32 || one == two {
			t.Errorf("%s: %d and %d bytes, the same: %t", file, len(one), len(two), one == two)
		}
	}
	outgoing := func(tenant string) string { return s.inside(t, tenant, "", "lxdfleet-outgoing", "status") }
	if got := outgoing("acme"); got != "on\n" {
		t.Errorf("acme's outgoing mail: %q", got)
	}
	if got := outgoing("trial"); !strings.HasPrefix(got, "off") {
		t.Errorf("the copy's outgoing mail: %q", got)
	}
	// By the site's own way of sending, and by any other: PHP itself reaches nobody.
	attempt := fmt.Sprintf(`<?php echo mail("customer@example.com", "a", "b") ? "sent" : "not sent", "\n";
		echo @fsockopen(%q, 53, $code, $text, 3) ? "reached" : "not reached", "\n";`, os.Getenv("DEVCLUSTER_GATEWAY"))
	s.inside(t, "trial", attempt, "sh", "-c", "cat >/var/lib/wordpress/wp-content/attempt.php")
	try := func() string {
		return s.inside(t, "trial", "", "curl", "-sS", "-H", "X-Forwarded-Proto: https", "http://127.0.0.1/wp-content/attempt.php")
	}
	if got := try(); got != "not sent\nnot reached\n" {
		t.Errorf("the copy: %q", got)
	}
	timers := func() string { return s.inside(t, "trial", "", "systemctl", "list-timers", "--no-legend") }
	if got := timers(); got != "" {
		t.Errorf("timers of the copy: %s", got)
	}
	s.inside(t, "trial", "", "lxdfleet-outgoing", "on")
	if got := try(); !strings.HasSuffix(got, "\nreached\n") {
		t.Errorf("the copy, switched on: %q", got)
	}
	if got := timers(); !strings.Contains(got, "lxdfleet-cron") {
		t.Errorf("timers of the copy, switched on: %q", got)
	}
	s.must("tenant", "delete", "trial", "--now")
	wantNoneFailed(t, s.load)
}

func (s *story) testRestore(t *testing.T) { s.restore(t, "three") }

// Newer snapshots stay.
func (s *story) testRestoreOlder(t *testing.T) {
	s.restore(t, "one")
	var list client.SnapshotList
	s.call(http.MethodGet, "/v1/tenants/acme/snapshots", nil, &list)
	var names []string
	safety := 0
	for _, n := range list.Items {
		names = append(names, n.Name)
		if n.Origin == client.SnapshotOriginSafety {
			safety++
			if n.Consistency != client.ConsistencyApplication {
				t.Errorf("safety snapshot %+v", n)
			}
		}
	}
	for _, want := range []string{"one", "two", "three"} {
		if !slices.Contains(names, want) {
			t.Errorf("snapshot %s is gone: %v", want, names)
		}
	}
	if safety != 2 {
		t.Errorf("%d safety snapshots: %v", safety, names)
	}
}

// restore brings acme back while requests come in: they wait, and none fails.
func (s *story) restore(t *testing.T, name string) {
	t.Helper()
	s.goesOn(t, s.load)
	cut := s.cuts[name]
	cut.Left = s.load.Now()
	from := time.Now()
	s.must("snapshot", "restore", "acme", name)
	took := time.Since(from)
	cut.Back = s.load.Now()
	s.since = cut.Back
	s.goesOn(t, s.load)
	s.wantRows(t, "acme", s.load, cut)
	wantNoneFailed(t, s.load)
	t.Logf("restored %s in %s, writers waited %s", name, took.Round(time.Millisecond), s.load.Stall(from, time.Now()).Round(time.Millisecond))
}

// A database that cannot be brought to rest in time is let go, and the snapshot says so.
func (s *story) testLimitPasses(t *testing.T) {
	s.must("tenant", "set", "acme", "quiesce=hook", "quiesce.limit=3s")
	s.inside(t, "acme", "CREATE TABLE slow (a INT) ENGINE=MyISAM", "mariadb", "wordpress")
	ended := make(chan error, 1)
	go func() {
		_, err := s.try("acme", "INSERT INTO slow SELECT SLEEP(20)", "mariadb", "wordpress")
		ended <- err
	}()
	eventually(t, 10*time.Second, "a long write is under way", func() bool {
		out, _ := s.try("acme", "SHOW PROCESSLIST", "mariadb")
		return strings.Contains(out, "SLEEP(20)")
	})
	from := time.Now()
	shown := s.snap(t, "unheld")
	if shown.Consistency != client.ConsistencyCrash || shown.Why == "" {
		t.Errorf("snapshot %+v", shown)
	}
	t.Logf("after %s: %s", time.Since(from).Round(time.Millisecond), shown.Why)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.goesOn(t, s.load)
	t.Logf("writers waited %s", s.load.Stall(from, time.Now()).Round(time.Millisecond))
	wantNoneFailed(t, s.load)
	s.must("tenant", "set", "acme", "quiesce=")
}

// slowHook is the image's own hook, which tells late that it holds.
const slowHook = `#!/bin/sh
php8.2 -n -d extension=mysqlnd -d extension=mysqli /usr/share/lxdfleet/hold.php | {
	read -r line
	: >/run/holds
	sleep 2
	echo "$line"
	cat
}
`

// Killed while the database is held, the daemon leaves nothing held; started again it takes the
// snapshot.
func (s *story) testDaemonKilled(t *testing.T) {
	s.load.Stop() // the proxy dies with the daemon
	s.inside(t, "acme", slowHook, "sh", "-c", "cat >/usr/lib/lxdfleet/hooks/pre-snapshot")
	job := s.submit(http.MethodPost, "/v1/tenants/acme/snapshots", map[string]any{"name": "again"})
	eventually(t, 10*time.Second, "the database is held", func() bool {
		_, err := s.try("acme", "", "test", "-e", "/run/holds")
		return err == nil
	})
	write := "REPLACE INTO load_last VALUES (1000, 1)"
	blocked := make(chan error, 1)
	go func() {
		_, err := s.try("acme", write, "mariadb", "wordpress")
		blocked <- err
	}()
	select {
	case err := <-blocked:
		t.Fatalf("a write is not held: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	s.daemon.kill()
	killed := time.Now()
	if err := <-blocked; err != nil {
		t.Error(err)
	}
	if took := time.Since(killed); took > 15*time.Second { // the limit is at 30 s
		t.Errorf("held for %s after the daemon was killed", took)
	}
	s.start()
	s.done(job)
	if shown := s.snapshot(t, "again"); shown.Consistency != client.ConsistencyApplication {
		t.Errorf("snapshot %+v", shown)
	}
}
