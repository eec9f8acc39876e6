package snapshots

import (
	"context"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

func (w *world) restore(snapshot string) (fleet.Job, error) {
	time.Sleep(2 * time.Second) // names of safety snapshots are made of the time
	return w.service.Restore(w.t.Context(), "acme", snapshot, Once{})
}

func TestRestore(t *testing.T) {
	for _, driver := range []string{"btrfs", "zfs"} {
		t.Run(driver, func(t *testing.T) {
			bubble(t, lxdfake.Options{Driver: driver}, func(t *testing.T, w *world) {
				for _, content := range []string{"one", "two", "three"} {
					w.write(content)
					w.take(content)
					time.Sleep(time.Second)
				}
				w.write("now")
				do(t, w.lxd.SetProfiles(t.Context(), "acme", []string{"default", "large"}))
				do(t, w.lxd.LxcConfig("acme", "limits.memory", "1GiB"))
				before, _ := w.lxd.Seen("acme")
				for _, snapshot := range []string{"one", "three", "two"} {
					job, err := w.restore(snapshot)
					w.want(fleet.JobDone, job, err)
					if got := w.page(); got != snapshot {
						t.Errorf("after the restore of %s the page is %q", snapshot, got)
					}
				}
				after, _ := w.lxd.Seen("acme")
				for key, value := range before.Config {
					if key != fleet.KeyJob && after.Config[key] != value {
						t.Errorf("%s is %q, was %q", key, after.Config[key], value)
					}
				}
				if after.Status != fleet.InstanceRunning || after.Profiles[1] != "large" || after.Location != before.Location {
					t.Errorf("instance %+v", after)
				}
				all, err := w.service.List(t.Context(), "acme")
				do(t, err)
				count := map[fleet.SnapshotOrigin]int{}
				for _, n := range all {
					count[n.Origin]++
				}
				if len(all) != 6 || count[fleet.OriginManual] != 3 || count[fleet.OriginSafety] != 3 {
					t.Errorf("snapshots %+v", all)
				}
				// Each can be deleted, and with the last of them goes what they were kept in.
				for _, n := range all {
					job, err := w.service.Delete(t.Context(), "acme", n.Name, false, Once{})
					w.want(fleet.JobDone, job, err)
				}
				list, err := w.lxd.Instances(t.Context(), false)
				do(t, err)
				if len(list) != 1 {
					t.Errorf("%d instances are left", len(list))
				}
			})
		})
	}
}

func TestRestoreUnhealthy(t *testing.T) {
	for _, driver := range []string{"btrfs", "zfs"} {
		t.Run(driver, func(t *testing.T) {
			bubble(t, lxdfake.Options{Driver: driver}, func(t *testing.T, w *world) {
				w.write("broken")
				w.take("one")
				w.take("two")
				w.write("well")
				w.setSick(func() bool { return w.page() == "broken" })
				job, err := w.restore("one")
				job = w.want(fleet.JobUndone, job, err)
				if job.ErrorCode != fleet.Unhealthy || job.Hint == "" {
					t.Errorf("error %s (%s), hint %s", job.Error, job.ErrorCode, job.Hint)
				}
				if got := w.page(); got != "well" {
					t.Errorf("the page is %q", got)
				}
				if inst, _ := w.lxd.Seen("acme"); inst.Status != fleet.InstanceRunning || inst.Config[fleet.KeyTenant] != w.acme.ID {
					t.Errorf("instance %+v", inst)
				}
				if names := w.names(); names != "one two" {
					t.Errorf("snapshots %s", names)
				}
			})
		})
	}
}

func TestRestoreStopped(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.write("one")
		w.take("one")
		do(t, w.lxd.LxcStop("acme"))
		time.Sleep(time.Second)
		w.write("two")
		job, err := w.restore("one")
		w.want(fleet.JobDone, job, err)
		if inst, _ := w.lxd.Seen("acme"); inst.Status != fleet.InstanceStopped || w.page() != "one" {
			t.Errorf("page %s, instance %+v", w.page(), inst)
		}
	})
}

func TestRestoreHoldsVisitors(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.take("one")
		w.lxd.Inject(lxdfake.Fault{Method: "EnsureRestored", Delay: 10 * time.Second})
		job, err := w.restore("one")
		do(t, err)
		time.Sleep(5 * time.Second)
		routes, err := w.observer.Routes(t.Context())
		do(t, err)
		if len(routes) != 1 || routes[0].State != fleet.RouteHold {
			t.Errorf("routes %+v", routes)
		}
		w.want(fleet.JobDone, job, nil)
		time.Sleep(time.Second)
		if routes, err = w.observer.Routes(t.Context()); err != nil || routes[0].State != fleet.RouteServe {
			t.Errorf("routes %+v, %v", routes, err)
		}
	})
}

// A tenant that cannot be held still is stopped before the safety snapshot is taken.
func TestRestoreSafetyOfStopped(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.take("one")
		w.setHook(func(context.Context, string, fleet.ExecSpec) (int, error) { return 3, nil })
		job, err := w.restore("one")
		w.want(fleet.JobDone, job, err)
		all, err := w.service.List(t.Context(), "acme")
		do(t, err)
		if last := all[len(all)-1]; last.Origin != fleet.OriginSafety || last.Consistency != fleet.ConsistentApplication {
			t.Errorf("safety snapshot %+v", last)
		}
	})
}
