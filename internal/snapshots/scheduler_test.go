package snapshots

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

func (w *world) policy(name string, sched fleet.Schedule) fleet.Policy {
	w.t.Helper()
	p, err := w.service.SavePolicy(w.t.Context(), fleet.Policy{Name: name, TimeZone: "Europe/Berlin", Snapshots: &sched})
	do(w.t, err)
	return p
}

func (w *world) scheduler() *Scheduler {
	return &Scheduler{Store: w.store, Jobs: w.store, Runners: map[string]Runner{fleet.ScheduleSnapshots: w.service}, Now: w.now}
}

// live lets the daemon follow policies for so many hours, looking once in each.
func (w *world) live(hours int) {
	w.t.Helper()
	s := w.scheduler()
	for range hours {
		_, err := s.Once(w.t.Context())
		do(w.t, err)
		time.Sleep(2 * time.Second)
		do(w.t, w.sweeper.some(w.t.Context()))
		do(w.t, w.sweeper.Once(w.t.Context()))
		time.Sleep(2 * time.Second)
		w.skip(time.Hour)
	}
}

func (w *world) byPolicy() []fleet.Snapshot {
	w.t.Helper()
	all, err := w.store.Snapshots(w.t.Context(), w.acme.ID)
	do(w.t, err)
	var list []fleet.Snapshot
	for _, n := range all {
		if n.Origin == fleet.OriginPolicy && strings.Contains(w.names(), n.Name) {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b fleet.Snapshot) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

func TestPolicyRuns(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.policy("standard", fleet.Schedule{Cron: "@hourly", Keep: fleet.Keep{Last: 3}})
		w.edit(func(t *fleet.Tenant) { t.Policy = "standard" })
		w.take("by-hand")
		w.live(7)
		list := w.byPolicy()
		if len(list) != 3 {
			t.Fatalf("%d snapshots: %s", len(list), w.names())
		}
		for _, n := range list {
			if n.Policy != "standard" || n.Consistency != fleet.ConsistentApplication {
				t.Errorf("%+v", n)
			}
		}
		if !strings.Contains(w.names(), "by-hand") {
			t.Errorf("what was made by hand is gone: %s", w.names())
		}
		// The daemon is down for two days: one run makes up for all.
		newest := list[2].CreatedAt
		w.skip(48 * time.Hour)
		w.live(1)
		list = w.byPolicy()
		if got := list[len(list)-1].CreatedAt; len(list) != 3 || got.Sub(newest) < 47*time.Hour || !list[1].CreatedAt.Equal(newest) {
			t.Errorf("after two days: %+v", list)
		}
		// Pinned ones stay, and a policy that is taken away keeps what there is.
		_, err := w.service.Edit(t.Context(), "acme", list[0].Name, EditRequest{Pinned: new(true)})
		do(t, err)
		w.live(4)
		if !strings.Contains(w.names(), list[0].Name) {
			t.Errorf("the pinned one is gone: %s", w.names())
		}
		outlook, err := w.service.Plan(t.Context(), "acme")
		do(t, err)
		if outlook.TimeZone != "Europe/Berlin" || len(outlook.Runs) != 1 || len(outlook.Runs[0].At) != runsAhead || len(outlook.Snapshots) != 5 {
			t.Errorf("outlook %+v", outlook)
		}
		for _, r := range outlook.Snapshots {
			if !r.Kept || len(r.Reasons) == 0 {
				t.Errorf("%+v", r)
			}
		}
		w.edit(func(t *fleet.Tenant) { t.Policy = "" })
		before := w.names()
		w.live(3)
		if w.names() != before {
			t.Errorf("without a policy: %s, before %s", w.names(), before)
		}
	})
}

// A sweep waits for the tenant's job, and two daemons that follow one policy take one snapshot.
func TestTwoDaemons(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.policy("standard", fleet.Schedule{Cron: "0 * * * *"})
		w.edit(func(t *fleet.Tenant) { t.Policy = "standard" })
		a, b := w.scheduler(), w.scheduler()
		for range 5 {
			for _, s := range []*Scheduler{a, b} {
				_, err := s.Once(t.Context())
				do(t, err)
			}
			w.skip(30 * time.Minute)
			time.Sleep(2 * time.Second)
		}
		if list := w.byPolicy(); len(list) != 2 {
			t.Errorf("%d snapshots: %s", len(list), w.names())
		}
		// Both read what there is to do before either has noted that it did it.
		w.skip(time.Hour)
		tenant, err := w.store.Tenant(t.Context(), "acme")
		do(t, err)
		p, err := w.store.Policy(t.Context(), "standard")
		do(t, err)
		at := w.now().Truncate(time.Hour)
		first, err := w.service.Due(t.Context(), tenant, p, at)
		do(t, err)
		second, err := w.service.Due(t.Context(), tenant, p, at)
		do(t, err)
		if first.ID != second.ID {
			t.Errorf("jobs %s and %s", first.ID, second.ID)
		}
	})
}

func TestBusyIsTriedAgain(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.policy("standard", fleet.Schedule{Cron: "0 * * * *"})
		w.edit(func(t *fleet.Tenant) { t.Policy = "standard" })
		s := w.scheduler()
		_, err := s.Once(t.Context())
		do(t, err)
		w.skip(time.Hour)
		w.lxd.Inject(lxdfake.Fault{Method: "EnsureSnapshot", Delay: time.Minute, Times: 1})
		job, err := w.service.Create(t.Context(), "acme", CreateRequest{Name: "slow", Crash: true}, Once{})
		do(t, err)
		_, err = s.Once(t.Context())
		do(t, err)
		if list := w.byPolicy(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
		w.want(fleet.JobDone, job, nil)
		_, err = s.Once(t.Context())
		do(t, err)
		time.Sleep(time.Second)
		if list := w.byPolicy(); len(list) != 1 {
			t.Errorf("%d snapshots after the other job", len(list))
		}
	})
}

func TestSpread(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.policy("standard", fleet.Schedule{Cron: "0 * * * *"})
		for i := range 9 {
			w.placed(fmt.Sprint("t", i), true)
		}
		all, err := w.store.Tenants(t.Context(), fleet.TenantFilter{})
		do(t, err)
		for _, tenant := range all {
			tenant.Policy = "standard"
			_, err := w.store.UpdateTenant(t.Context(), tenant)
			do(t, err)
		}
		s := w.scheduler()
		_, err = s.Once(t.Context())
		do(t, err)
		w.skip(time.Hour)
		w.lxd.Inject(lxdfake.Fault{Method: "EnsureSnapshot", Delay: 10 * time.Second})
		began := time.Now()
		for {
			_, err := s.Once(t.Context())
			do(t, err)
			list, err := w.store.Jobs(t.Context(), jobs.JobFilter{Kind: KindCreate, Unfinished: true})
			do(t, err)
			if len(list) > 2 {
				t.Fatalf("%d snapshots at once on one member", len(list))
			}
			if len(list) == 0 {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < 50*time.Second || took > 70*time.Second {
			t.Errorf("ten snapshots took %s", took)
		}
	})
}

func TestPolicyChecks(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		ctx := t.Context()
		for name, c := range map[string]struct {
			policy fleet.Policy
			field  string
		}{
			"name": {fleet.Policy{Name: "A b"}, "name"},
			"zone": {fleet.Policy{Name: "a", TimeZone: "Mars/Olympus"}, "time_zone"},
			"cron": {fleet.Policy{Name: "a", Backups: &fleet.Schedule{Cron: "x"}}, "backups.cron"},
			"keep": {fleet.Policy{Name: "a", Drills: &fleet.Schedule{Cron: "@daily", Keep: fleet.Keep{Last: -1}}}, "drills.keep.last"},
		} {
			_, err := w.service.SavePolicy(ctx, c.policy)
			fails(t, err, fleet.Invalid, c.field)
			_ = name
		}
		w.policy("standard", fleet.Schedule{Cron: "@daily"})
		w.edit(func(t *fleet.Tenant) { t.Policy = "standard" })
		fails(t, w.service.DeletePolicy(ctx, "standard"), fleet.Conflict, "acme")
		w.edit(func(t *fleet.Tenant) { t.Policy = "" })
		do(t, w.service.DeletePolicy(ctx, "standard"))
		fails(t, w.service.DeletePolicy(ctx, "standard"), fleet.NotFound)
	})
}

// What is deleted with lxc is forgotten, so that another of that name is not taken for it; what
// was renamed is another.
func TestFollowsLXC(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.take("one")
		w.take("two")
		go w.sweeper.Run(t.Context())
		time.Sleep(time.Second)
		changed := w.told()
		do(t, w.lxd.LxcDeleteSnapshot("acme", "one"))
		time.Sleep(2 * time.Second)
		if records, err := w.store.Snapshots(t.Context(), w.acme.ID); err != nil || len(records) != 1 {
			t.Errorf("records %v, %v", records, err)
		}
		if w.told() == changed {
			t.Error("nobody was told")
		}
		do(t, w.lxd.LxcSnapshot("acme", "one"))
		n, err := w.service.Snapshot(t.Context(), "acme", "one")
		do(t, err)
		if n.Origin != fleet.OriginLXC {
			t.Errorf("%+v", n)
		}
		// What was missed while events were lost is found with the next look.
		synctest.Wait()
		w.sweeper.heard = map[string]bool{}
		do(t, w.store.SaveSnapshot(t.Context(), w.acme.ID, fleet.Snapshot{Tenant: "acme", Name: "ghost"}))
		time.Sleep(11 * time.Minute)
		if records, err := w.store.Snapshots(t.Context(), w.acme.ID); err != nil || len(records) != 1 {
			t.Errorf("records %v, %v", records, err)
		}
	})
}

func TestSafetyGoesAfterItsTime(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.take("one")
		job, err := w.restore("one")
		w.want(fleet.JobDone, job, err)
		w.live(1)
		if names := strings.Fields(w.names()); len(names) != 2 {
			t.Fatalf("snapshots %v", names)
		}
		w.skip(w.service.KeepSafety)
		w.live(1)
		if names := w.names(); names != "one" {
			t.Errorf("snapshots %s", names)
		}
	})
}
