//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/rows"
	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// bucketSettings lead backups to a new bucket of a real S3 server.
func bucketSettings(t *testing.T) map[string]string {
	t.Helper()
	return s3Settings(t, s3server.Start(t))
}

// s3Settings are those of a daemon whose backups go to a new bucket of the server.
func s3Settings(t *testing.T, server *s3server.Server) map[string]string {
	t.Helper()
	b := server.Bucket()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(b.SecretKey), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"s3": fmt.Sprintf("  endpoint: %s\n  region: %s\n  access_key: %s\n  secret_key_file: %s\n",
			b.Endpoint, b.Region, b.AccessKey, secret),
		"backups": fmt.Sprintf("  location: s3://%s/fleet\n", b.Bucket),
	}
}

// backUp makes a backup and gives the newest one.
func (s *story) backUp(t *testing.T, tenant string) client.Backup {
	t.Helper()
	s.must("backup", "create", tenant)
	var list client.BackupList
	if status, raw := s.call(http.MethodGet, "/v1/backups?tenant="+tenant, nil, &list); status != http.StatusOK || len(list.Items) == 0 {
		t.Fatalf("backups of %s: %d %s", tenant, status, raw)
	}
	return list.Items[0]
}

// drill tries a tenant's newest backup out and gives the result.
func (s *story) drill(t *testing.T, tenant string) client.Drill {
	t.Helper()
	s.cli("drill", "run", tenant) // fails where the drill does
	var list client.DrillList
	if status, raw := s.call(http.MethodGet, "/v1/drills?tenant="+tenant, nil, &list); status != http.StatusOK || len(list.Items) == 0 {
		t.Fatalf("drills of %s: %d %s", tenant, status, raw)
	}
	return list.Items[0]
}

// What was written to the bucket while the site went on is a whole site again.
func (s *story) testBackup(t *testing.T) {
	s.must("backup", "init")
	cut := rows.Cut{Since: s.since, Before: s.load.Now()}
	b := s.backUp(t, "acme")
	if b.Consistency != client.ConsistencyApplication || b.Held == "" {
		t.Errorf("backup %+v", b)
	}
	// The upload takes longer than the snapshot that it is of.
	const within = 30 * time.Second // as the hold's limit
	for _, c := range s.load.Commits() {
		if c.SentAt.Before(b.TakenAt.Add(within)) {
			cut.After = c.Sent
		}
	}
	wantNoneFailed(t, s.load)

	d := s.drill(t, "acme")
	if checks := strings.Join(d.Checks, "\n"); !d.Passed || !strings.Contains(checks, "database") || d.Bytes != b.Size {
		t.Errorf("drill %+v", d)
	}
	t.Logf("backup of %d MB in %s, held for %s; drill restored it in %s: %q", b.Size>>20,
		b.DoneAt.Sub(b.TakenAt).Round(time.Millisecond), b.Held, d.Rto, d.Checks)

	s.must("backup", "restore", b.Id, "--into", "phoenix", "--domain", "phoenix.localhost")
	s.wantRows(t, "phoenix", s.load, cut)
	s.wantPage("phoenix.localhost", "https://phoenix.localhost")
	if got := s.inside(t, "phoenix", "", "lxdfleet-outgoing", "status"); !strings.HasPrefix(got, "off") {
		t.Errorf("the copy's outgoing mail: %q", got)
	}
	wantNoneFailed(t, s.load)
}

// A site whose front looks well but whose database is broken does not pass.
func (s *story) testBrokenDatabase(t *testing.T) {
	s.inside(t, "phoenix", "", "sh", "-ec", `systemctl stop mariadb
		dd if=/dev/urandom of=/var/lib/mysql/wordpress/wp_posts.ibd bs=16k seek=3 count=4 conv=notrunc 2>/dev/null
		systemctl start mariadb`)
	s.inside(t, "phoenix", "", "/usr/lib/lxdfleet/hooks/health")
	b := s.backUp(t, "phoenix")
	d := s.drill(t, "phoenix")
	if d.Passed || d.Backup != b.Id || !strings.Contains(d.Error, "wp_posts") {
		t.Errorf("drill %+v", d)
	}
	if left := s.instances(); len(left) != 2 {
		t.Errorf("instances left: %v", left)
	}
	s.must("tenant", "delete", "phoenix", "--now")
}
