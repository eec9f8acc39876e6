package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func aBackup(tenant string, n int) fleet.Backup {
	verified := at(n + 50)
	return fleet.Backup{
		ID: fmt.Sprintf("%032x", n), Tenant: fleet.Name(tenant), TenantID: "id-" + tenant, Policy: "gold", Note: "für später",
		TakenAt: at(n), DoneAt: at(n + 9), Size: fleet.GiB, Moved: fleet.MiB, Files: 12345, Consistency: fleet.ConsistentApplication,
		Held: 120 * time.Millisecond, Image: fleet.ImageRef{Name: "wordpress", Version: "6"}, JobID: fmt.Sprintf("job-%d", n), VerifiedAt: &verified,
	}
}

func testBackup(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	first, second, other := aBackup("acme", 1), aBackup("acme", 2), aBackup("globex", 3)
	twin := aBackup("globex", 4)
	twin.TakenAt = other.TakenAt
	for _, b := range []fleet.Backup{second, first, other, twin, first} {
		ok(t, s.SaveBackup(ctx, b))
	}
	same(t, "one", must(s.Backup(ctx, first.ID))(t), first)
	list := func(name string, filter fleet.BackupFilter, want ...fleet.Backup) {
		t.Helper()
		got := must(s.Backups(ctx, filter))(t)
		if len(got) == 0 && len(want) == 0 {
			return
		}
		same(t, name, got, want)
	}
	list("all", fleet.BackupFilter{}, twin, other, second, first)
	list("of a tenant", fleet.BackupFilter{Tenant: "acme"}, second, first)
	list("of a tenant's id", fleet.BackupFilter{TenantID: "id-globex"}, twin, other)
	list("of a job", fleet.BackupFilter{JobID: "job-2"}, second)
	list("a page", fleet.BackupFilter{Limit: 1}, twin)
	list("the next page", fleet.BackupFilter{Before: &twin, Limit: 2}, other, second)
	list("oldest first", fleet.BackupFilter{OldestFirst: true}, first, second, other, twin)
	list("oldest first, the next page", fleet.BackupFilter{OldestFirst: true, Before: &second, Limit: 2}, other, twin)
	list("from", fleet.BackupFilter{From: second.TakenAt}, twin, other, second)
	list("to", fleet.BackupFilter{To: second.TakenAt}, first)
	list("of no policy", fleet.BackupFilter{Policy: "none"})
	list("consistent ones, a page", fleet.BackupFilter{Consistency: twin.Consistency, Limit: 1}, twin)
	list("consistent ones, the next page", fleet.BackupFilter{Consistency: twin.Consistency, Before: &twin, Limit: 9}, other, second, first)
	list("pinned", fleet.BackupFilter{Pinned: new(!twin.Pinned)})
	list("damaged, none", fleet.BackupFilter{Damaged: true})

	broken := must(s.EditBackup(ctx, second.ID, func(b *fleet.Backup) { b.Damage, b.ID = "pack p1 is cut short", "another" }))(t)
	second.Damage = "pack p1 is cut short"
	same(t, "edited", broken, second)
	list("damaged", fleet.BackupFilter{Damaged: true}, second)
	_, err := s.EditBackup(ctx, "none", func(*fleet.Backup) { t.Error("an edit of nothing") })
	fails(t, err, fleet.NotFound, "backup", "none")
	for range 2 {
		ok(t, s.DeleteBackup(ctx, second.ID))
	}
	_, err = s.Backup(ctx, second.ID)
	fails(t, err, fleet.NotFound, "backup")
	list("after a delete", fleet.BackupFilter{}, twin, other, first)
}

func testBackupConcurrent(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.SaveBackup(ctx, aBackup("acme", 1)))
	id := aBackup("acme", 1).ID
	race(t, 8, "", func(int) error {
		_, err := s.EditBackup(ctx, id, func(b *fleet.Backup) { b.Files++ })
		return err
	})
	same(t, "files after eight edits", must(s.Backup(ctx, id))(t).Files, int64(12345+8))
}

func testDrill(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	drill := func(n int, tenant string, passed bool) fleet.Drill {
		d := fleet.Drill{
			ID: fleet.NewID(at(n)), BackupID: fmt.Sprint("b", n%2), Tenant: fleet.Name(tenant), At: at(n), Passed: passed,
			RPO: time.Hour, RTO: 3 * time.Second, Bytes: fleet.GiB, Checks: []string{"health: passed"}, JobID: "job",
		}
		if !passed {
			d.Error = "no page"
		}
		return d
	}
	one, two, three := drill(1, "acme", true), drill(2, "acme", false), drill(3, "globex", true)
	for _, d := range []fleet.Drill{one, two, three, two} {
		ok(t, s.SaveDrill(ctx, d))
	}
	same(t, "all", must(s.Drills(ctx, fleet.DrillFilter{}))(t), []fleet.Drill{three, two, one})
	same(t, "of a tenant", must(s.Drills(ctx, fleet.DrillFilter{Tenant: "acme"}))(t), []fleet.Drill{two, one})
	same(t, "of a backup", must(s.Drills(ctx, fleet.DrillFilter{Backup: "b1"}))(t), []fleet.Drill{three, one})
	same(t, "failed", must(s.Drills(ctx, fleet.DrillFilter{Failed: true}))(t), []fleet.Drill{two})
	same(t, "a page", must(s.Drills(ctx, fleet.DrillFilter{Before: three.ID, Limit: 1}))(t), []fleet.Drill{two})
	for range 2 {
		ok(t, s.DeleteDrill(ctx, two.ID))
	}
	same(t, "after a delete", must(s.Drills(ctx, fleet.DrillFilter{}))(t), []fleet.Drill{three, one})
}

func testBackupFacts(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	same(t, "none", must(s.BackupFact(ctx, "key"))(t), "")
	for _, value := range []string{"abc", "def", "def"} {
		ok(t, s.SetBackupFact(ctx, "key", value))
	}
	same(t, "noted", must(s.BackupFact(ctx, "key"))(t), "def")
}
