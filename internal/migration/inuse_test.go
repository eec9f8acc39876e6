package migration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestParseInUse(t *testing.T) {
	const out = `    214 /usr/lib/x86_64-linux-gnu/libc.so.6
     12 /dev/null
      5 /usr/sbin/mariadbd
      4 /memfd:opcache (deleted)
      3 /var/lib/mysql/ibtmp1 (deleted)
      2 /proc/1/fd:
      2 /[aio] (deleted)
      1 /srv/a file with  blanks
      1 /run/systemd/journal
nonsense
`
	want := []string{"/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/sbin/mariadbd", "/srv/a file with  blanks"}
	if got := parseInUse([]byte(out)); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

// Where the copy itself becomes the tenant, the target reads ahead what the programs had in use.
// That does not have to come to an end: it is over once the original has stopped.
func TestReadAhead(t *testing.T) {
	for _, tt := range []struct {
		name     string
		driver   string
		snapshot bool // the tenant has one of its own
		want     bool
	}{
		{"on btrfs", "btrfs", false, true},
		{"a clone of the copy becomes the tenant", "btrfs", true, false},
		{"on zfs, which caches blocks rather than files", "zfs", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tt.driver)
				if !tt.snapshot {
					do(t, w.lxd.EnsureSnapshotDeleted(t.Context(), "acme", "snap0"))
				}
				w.lxd.SetExec(func(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
					_, err := fmt.Fprintf(spec.Stdout, "  3 %s\n", pageFile)
					return 0, err
				})
				w.start()
				job := w.ended(w.service.Move(t.Context(), "acme", Request{To: "n2"}, Once{}))
				now, err := w.store.Tenant(t.Context(), "acme")
				do(t, err)
				if job.State != fleet.JobDone || now.Member != "n2" {
					t.Fatalf("job %+v, tenant on %s", job, now.Member)
				}
				if got := slices.Equal(w.lxd.ahead, []string{copyName(job.ID), pageFile}); got != tt.want {
					t.Errorf("read ahead %q", w.lxd.ahead)
				}
			})
		})
	}
}
