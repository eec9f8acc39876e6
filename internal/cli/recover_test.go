package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestRecoverWaitsForTheRestores(t *testing.T) {
	b := newBench(t)
	job, err := b.Jobs.Submit("backup.restore", "tenant/acme", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	b.Backups.Recovering(job.ID)
	if r := b.run("recover", "--from", "file:///var/lib/lxdfleet/backups"); r.exit != exitOK || !strings.Contains(r.out, "Tenant acme is back, as it was 6 hours ago") {
		t.Errorf("%v", r)
	}
	b.Jobs.Hold()
	if job, err = b.Jobs.Submit("backup.restore", "tenant/acme", nil, tenants.Once{}); err != nil {
		t.Fatal(err)
	}
	b.Jobs.Finish(job.ID, fleet.JobUndone, errors.New("the pool is full"))
	b.Backups.Recovering(job.ID)
	if r := b.run("recover", "--from", "file:///var/lib/lxdfleet/backups"); r.exit != exitFailed || !strings.Contains(r.err, "the pool is full") || strings.Contains(r.out, "is back, as it was") {
		t.Errorf("%v", r)
	}
}

// The recovery key of backups elsewhere comes from a file or from standard input, below comments.
func TestRecoverGivesTheKey(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "copy.key")
	if err := os.WriteFile(file, []byte("# The recovery key\n\nAAAA-BBBB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{file: exitOK, os.DevNull: exitUsage, file + ".gone": exitUsage} {
		if r := b.run("recover", "--from", "s3://other", "--key-file", name, "--no-wait"); r.exit != want {
			t.Errorf("with the key in %s: %v", name, r)
		}
	}
	b.in = strings.NewReader("AAAA-BBBB\n")
	if r := b.run("recover", "--from", "s3://other", "--key-file", "-", "--no-wait"); r.exit != exitOK {
		t.Errorf("with the key on standard input: %v", r)
	}
	if r := b.run("recover", "--key-file", file); r.exit != exitUsage {
		t.Errorf("a key without a place: %v", r)
	}
}
