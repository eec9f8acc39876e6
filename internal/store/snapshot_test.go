package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func aSnapshot(name string) fleet.Snapshot {
	return fleet.Snapshot{
		Tenant: "acme", Name: name, Origin: fleet.OriginManual, Note: "before the update", CreatedAt: at(1),
		Consistency: fleet.ConsistentApplication, Held: 35 * time.Millisecond, JobID: "job-1",
	}
}

func testSnapshot(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	acme, globex := aTenant("acme"), aTenant("globex")
	ok(t, s.InsertTenant(ctx, acme))
	ok(t, s.InsertTenant(ctx, globex))
	same(t, "none", len(must(s.Snapshots(ctx, acme.ID))(t)), 0)
	ok(t, s.SaveSnapshot(ctx, acme.ID, aSnapshot("one")))
	ok(t, s.SaveSnapshot(ctx, acme.ID, aSnapshot("two")))
	ok(t, s.SaveSnapshot(ctx, globex.ID, aSnapshot("one")))
	again := aSnapshot("one")
	again.Note, again.Why = "bytes \xff and grüße", "the hook hung"
	ok(t, s.SaveSnapshot(ctx, acme.ID, again))
	again.Note = "bytes \uFFFD and grüße"
	same(t, "replaced", must(s.Snapshots(ctx, acme.ID))(t), map[string]fleet.Snapshot{"one": again, "two": aSnapshot("two")})

	edited := must(s.EditSnapshot(ctx, acme.ID, aSnapshot("two"), func(n *fleet.Snapshot) { n.Pinned = true }))(t)
	if !edited.Pinned || edited.Note != "before the update" {
		t.Errorf("edited: %+v", edited)
	}
	first := fleet.Snapshot{Tenant: "acme", Name: "three", Origin: fleet.OriginLXC}
	must(s.EditSnapshot(ctx, acme.ID, first, func(n *fleet.Snapshot) { n.Note = "mine" }))(t)
	all := must(s.AllSnapshots(ctx))(t)
	same(t, "edited", all[acme.ID]["two"], edited)
	same(t, "without a record", all[acme.ID]["three"].Note, "mine")
	same(t, "all", fmt.Sprint(len(all[acme.ID]), len(all[globex.ID])), "3 1")

	ok(t, s.DeleteSnapshot(ctx, acme.ID, "one"))
	ok(t, s.DeleteSnapshot(ctx, acme.ID, "one"))
	same(t, "left", len(must(s.Snapshots(ctx, acme.ID))(t)), 2)
	ok(t, s.DeleteTenant(ctx, acme.ID))
	same(t, "gone with the tenant", len(must(s.Snapshots(ctx, acme.ID))(t)), 0)
	same(t, "of another", len(must(s.Snapshots(ctx, globex.ID))(t)), 1)
	if err := s.SaveSnapshot(ctx, acme.ID, aSnapshot("late")); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("a snapshot of a tenant that is gone: %v", err)
	}
}

func testSnapshotConcurrent(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	ctx, acme := t.Context(), aTenant("acme")
	ok(t, stores[0].InsertTenant(ctx, acme))
	ok(t, stores[0].SaveSnapshot(ctx, acme.ID, fleet.Snapshot{Name: "one"}))
	race(t, 10, "", func(i int) error {
		_, err := stores[i%2].EditSnapshot(ctx, acme.ID, fleet.Snapshot{Name: "one"}, func(n *fleet.Snapshot) { n.Note += "x" })
		return err
	})
	same(t, "edits", must(stores[0].Snapshots(ctx, acme.ID))(t)["one"].Note, "xxxxxxxxxx")
}

func testPolicy(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	p := fleet.Policy{
		Name: "standard", Description: "each night", TimeZone: "Europe/Berlin", CreatedAt: at(1), UpdatedAt: at(1),
		Snapshots: &fleet.Schedule{Cron: "@hourly", Keep: fleet.Keep{Hourly: 24, MinAge: time.Hour}},
	}
	_, err := s.Policy(ctx, "standard")
	fails(t, err, fleet.NotFound, "name", "standard")
	stored := must(s.SavePolicy(ctx, p))(t)
	p.Revision = 1
	same(t, "stored", stored, p)
	same(t, "read", must(s.Policy(ctx, "standard"))(t), p)
	twin := p
	twin.Revision = 0
	_, err = s.SavePolicy(ctx, twin)
	fails(t, err, fleet.Taken, "name", "standard")
	p.Description = "each day"
	p = must(s.SavePolicy(ctx, p))(t)
	same(t, "revision", p.Revision, int64(2))
	_, err = s.SavePolicy(ctx, stored)
	fails(t, err, fleet.Conflict, "", "standard")
	must(s.SavePolicy(ctx, fleet.Policy{Name: "aged"}))(t)
	all := must(s.Policies(ctx))(t)
	same(t, "by name", all[0].Name+" "+all[1].Name, "aged standard")
	ok(t, s.DeletePolicy(ctx, "standard"))
	fails(t, s.DeletePolicy(ctx, "standard"), fleet.NotFound, "name", "standard")
	_, err = s.SavePolicy(ctx, p)
	fails(t, err, fleet.NotFound, "name", "standard")
}

func testPolicyConcurrent(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	made := race(t, 8, fleet.Taken, func(i int) error {
		_, err := stores[i%2].SavePolicy(t.Context(), fleet.Policy{Name: "standard"})
		return err
	})
	same(t, "made", made, 1)
}

func testScheduleMarks(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	acme := aTenant("acme")
	ok(t, s.InsertTenant(ctx, acme))
	marks := map[string]fleet.ScheduleMark{}
	for i := range 1200 {
		marks[fmt.Sprint("tenant-", i)] = fleet.ScheduleMark{Rule: "@hourly UTC", Last: at(i)}
	}
	marks[acme.ID] = fleet.ScheduleMark{Rule: "@daily Europe/Berlin", Last: at(5)}
	ok(t, s.SaveScheduleMarks(ctx, fleet.ScheduleSnapshots, marks))
	same(t, "all", must(s.ScheduleMarks(ctx, fleet.ScheduleSnapshots))(t), marks)
	same(t, "another sort", len(must(s.ScheduleMarks(ctx, fleet.ScheduleBackups))(t)), 0)
	moved := map[string]fleet.ScheduleMark{acme.ID: {Rule: "@weekly UTC", Last: at(9)}}
	ok(t, s.SaveScheduleMarks(ctx, fleet.ScheduleSnapshots, moved))
	got := must(s.ScheduleMarks(ctx, fleet.ScheduleSnapshots))(t)
	same(t, "moved", got[acme.ID], moved[acme.ID])
	ok(t, s.DeleteTenant(ctx, acme.ID))
	_, there := must(s.ScheduleMarks(ctx, fleet.ScheduleSnapshots))(t)[acme.ID]
	same(t, "gone with the tenant", there, false)
}
