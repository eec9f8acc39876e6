package backups

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/listing"
)

// page is a file of a tenant.
type page struct {
	path, content string
	at            time.Time
}

func streamOf(t *testing.T, pages []page) string {
	t.Helper()
	var out strings.Builder
	w := tar.NewWriter(&out)
	for _, p := range pages {
		do(t, w.WriteHeader(&tar.Header{Name: "." + p.path, Mode: 0o644, Size: int64(len(p.content)), ModTime: p.at}))
		_, err := io.WriteString(w, p.content)
		do(t, err)
	}
	do(t, w.Close())
	return out.String()
}

// present lists a tenant as it is, or as it was at its only snapshot, "one".
type present struct {
	pages []page
	at    time.Time
	sums  bool
}

// Listing implements Lister.
func (p present) Listing(_ context.Context, tenant fleet.Name, snapshot string) ([]fleet.FileInfo, time.Time, error) {
	if snapshot != "" && snapshot != "one" {
		return nil, p.at, fleet.Errorf(fleet.NotFound, "tenant %s has no snapshot %s", tenant, snapshot).WithField("snapshot")
	}
	var list []fleet.FileInfo
	for _, f := range p.pages {
		info := fleet.FileInfo{Path: f.path, Type: fleet.FileRegular, Mode: 0o644, Size: fleet.Size(len(f.content)), ModTime: f.at}
		if p.sums {
			info.Sum, _ = listing.Sum(strings.NewReader(f.content))
		}
		list = append(list, info)
	}
	return list, p.at, nil
}

func words(changes []fleet.FileChange) string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, c.Change+" "+c.Path)
	}
	return strings.Join(lines, ", ")
}

var (
	earlier = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	taken   = earlier.Add(time.Hour)
	before  = []page{
		{"/same", "one", earlier},
		{"/gone", "x", earlier},
		{"/longer", "one", earlier},
		{"/touched", "one", earlier},
		{"/quick", "one", taken.Add(time.Second)}, // of another clock
	}
	after = []page{
		{"/longer", "twelve", taken.Add(time.Minute)},
		{"/new", "x", taken.Add(time.Minute)},
		{"/quick", "two", taken.Add(time.Second)},
		{"/same", "one", earlier},
		{"/touched", "one", taken.Add(time.Minute)},
	}
)

func TestDiff(t *testing.T) {
	const (
		changed = "removed /gone, changed /longer, added /new, changed /quick, changed /touched"
		unread  = "removed /gone, changed /longer, added /new, changed /touched"
	)
	for _, c := range []struct {
		name  string
		to    DiffTo
		sums  bool // as where times are to the second
		want  string
		reads int
	}{
		{name: "with a backup", to: DiffTo{Backup: "newer"}, want: changed},
		{name: "with a snapshot", to: DiffTo{Snapshot: "one"}, want: unread},
		{name: "with now", want: unread},
		{name: "with a snapshot of a tenant that has sums", to: DiffTo{Snapshot: "one"}, sums: true, want: changed, reads: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.service.Lister = present{after, taken.Add(time.Hour), c.sums}
				older := w.holding("acme", "", taken, streamOf(t, before))
				newer := w.holding("acme", "", taken.Add(time.Hour), streamOf(t, after))
				if c.to.Backup != "" {
					c.to.Backup = newer.ID[:12]
				}
				changes, err := w.service.Diff(t.Context(), older.ID[:12], c.to)
				do(t, err)
				if got := words(changes); got != c.want || w.server.reads != c.reads {
					t.Errorf("changes are %s, after %d reads", got, w.server.reads)
				}
			})
		})
	}
}

// A snapshot that is older than the backup: what changed within its second is seen.
func TestDiffWithOlder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.service.Lister = present{[]page{{"/early", "one", earlier.Add(-time.Hour)}, {"/quick", "one", earlier}}, earlier, true}
		b := w.holding("acme", "", taken, streamOf(t, []page{{"/early", "two", earlier.Add(-time.Hour)}, {"/quick", "two", earlier}}))
		changes, err := w.service.Diff(t.Context(), b.ID, DiffTo{Snapshot: "one"})
		do(t, err)
		if got := words(changes); got != "changed /quick" {
			t.Errorf("changes are %s", got)
		}
	})
}

func TestDiffRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		day   func(w *world, b, globex fleet.Backup) (id string, to DiffTo)
		code  fleet.Code
		field string
	}{
		{"no such backup", func(*world, fleet.Backup, fleet.Backup) (string, DiffTo) { return "00000000", DiffTo{} }, fleet.NotFound, "backup"},
		{"with no such backup", func(_ *world, b, _ fleet.Backup) (string, DiffTo) { return b.ID, DiffTo{Backup: "00000000"} }, fleet.NotFound, "to"},
		{"with another tenant's", func(_ *world, b, globex fleet.Backup) (string, DiffTo) { return b.ID, DiffTo{Backup: globex.ID} }, fleet.NotFound, "to"},
		{"with no such snapshot", func(_ *world, b, _ fleet.Backup) (string, DiffTo) { return b.ID, DiffTo{Snapshot: "two"} }, fleet.NotFound, "snapshot"},
		{"with two things", func(_ *world, b, _ fleet.Backup) (string, DiffTo) { return b.ID, DiffTo{Backup: b.ID, Snapshot: "one"} }, fleet.Invalid, "to"},
		{"the tenant is no more", func(w *world, b, _ fleet.Backup) (string, DiffTo) {
			do(w.t, w.store.DeleteTenant(w.t.Context(), b.TenantID))
			return b.ID, DiffTo{}
		}, fleet.NotFound, ""},
		{"it is damaged", func(w *world, b, _ fleet.Backup) (string, DiffTo) {
			w.server.damaged[b.ID] = "an object is missing"
			return b.ID, DiffTo{}
		}, fleet.Failed, ""},
		{"the server is down", func(w *world, b, _ fleet.Backup) (string, DiffTo) {
			w.server.down = true
			return b.ID, DiffTo{Backup: b.ID}
		}, fleet.Unavailable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.service.Lister = present{at: taken}
				w.has("globex")
				id, to := c.day(w, w.holding("acme", "", taken, streamOf(t, before)), w.holding("globex", "", taken, streamOf(t, before)))
				_, err := w.service.Diff(t.Context(), id, to)
				told, ok := errors.AsType[*fleet.Error](err)
				if !ok || told.Code != c.code || told.Field != c.field {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
}

// A backup of a tenant that is no more is compared with its other backups.
func TestDiffOfGone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		older := w.holding("acme", "", taken, streamOf(t, before))
		newer := w.holding("acme", "", taken, streamOf(t, after))
		do(t, w.store.DeleteTenant(t.Context(), older.TenantID))
		changes, err := w.service.Diff(t.Context(), older.ID, DiffTo{Backup: newer.ID})
		do(t, err)
		if !slices.ContainsFunc(changes, func(c fleet.FileChange) bool { return c.Path == "/new" && c.After != nil && c.Before == nil }) {
			t.Errorf("changes are %s", words(changes))
		}
	})
}
