package backups

import (
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (w *world) drill(req DrillRequest) fleet.Drill {
	w.t.Helper()
	w.done(w.service.Drill(w.t.Context(), req, Once{}))
	list, err := w.service.Drills(w.t.Context(), fleet.DrillFilter{Limit: 1})
	do(w.t, err)
	w.tidy(w.t)
	return list[0]
}

func TestDrill(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		time.Sleep(30 * time.Minute)
		w.database = "lxdfleet-database: mariadb-check, 12 tables"
		d := w.drill(DrillRequest{Tenant: "acme"})
		if !d.Passed || d.BackupID != b.ID || d.RPO < 30*time.Minute || d.Bytes != b.Size || d.JobID == "" ||
			strings.Join(d.Checks, ", ") != "restore: passed, boot: passed, health: passed, database (mariadb-check, 12 tables): passed" {
			t.Errorf("drill %+v", d)
		}
		if n := len(w.commands); n != 2 {
			t.Errorf("%d scripts ran", n)
		}
	})
}

func TestDrillFails(t *testing.T) {
	for name, c := range map[string]struct {
		day  func(w *world, b fleet.Backup)
		word string
	}{
		"damage":             {func(w *world, b fleet.Backup) { w.server.damaged[b.ID] = "pack p1 is cut short" }, "p1 is cut short"},
		"gone":               {func(w *world, _ fleet.Backup) { w.page = "curl: (7) Failed to connect" }, "Failed to connect"},
		"the wrong status":   {func(w *world, _ fleet.Backup) { w.page = "HTTP/1.1 500 Oops\n\n" }, "answers 500"},
		"a table is crashed": {func(w *world, _ fleet.Backup) { w.database, w.mysql = "shop.orders\nerror : Corrupt", 1 }, "Corrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				b := w.backup("acme")
				c.day(w, b)
				d := w.drill(DrillRequest{Backup: b.ID})
				if d.Passed || !strings.Contains(d.Error, c.word) || !w.noted("drill.failed") {
					t.Errorf("drill %+v", d)
				}
				st, err := w.service.Status(t.Context())
				do(t, err)
				if st.LastDrill == nil || st.LastDrill.Passed {
					t.Errorf("status %+v", st)
				}
			})
		})
	}
}

// A drill that cannot be held has no result.
func TestDrillServerDown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.backup("acme")
		job, err := w.service.Drill(t.Context(), DrillRequest{Backup: b.ID}, Once{})
		do(t, err)
		w.server.mu.Lock()
		w.server.down = true
		w.server.mu.Unlock()
		w.ends(fleet.JobUndone, job, nil)
		if got := w.scene(t).Drills; len(got) != 0 {
			t.Errorf("drills %+v", got)
		}
		w.server.down = false
		w.tidy(t)
	})
}

// The tenant whose last drill is the longest ago is the next.
func TestDrillSamples(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		_, err := w.service.Drill(t.Context(), DrillRequest{}, Once{})
		wantError(t, err, fleet.NotFound, "no backup")
		w.has("globex")
		w.backup("acme")
		w.backup("globex")
		newest := w.backup("acme")
		seen := map[fleet.Name]int{}
		for range 4 {
			time.Sleep(10 * time.Minute)
			d := w.drill(DrillRequest{})
			seen[d.Tenant]++
			if d.Tenant == "acme" && d.BackupID != newest.ID {
				t.Errorf("an old backup was tried: %+v", d)
			}
		}
		if seen["acme"] != 2 || seen["globex"] != 2 {
			t.Errorf("drills: %v", seen)
		}
	})
}

// A drill's instance has none of the network devices, of whatever profile they come.
func TestSecluded(t *testing.T) {
	profiles, devices := secluded(Keepsake{
		Tenant: fleet.Tenant{Plan: "small"}, Profiles: []string{"default", "gone", "small"},
		Devices: map[string]map[string]string{"eth1": {"type": "nic"}, "data": {"type": "disk"}},
	}, []fleet.ProfileSpec{
		{Name: "default", Devices: map[string]map[string]string{"eth0": {"type": "nic"}, "root": {"type": "disk"}}},
		{Name: "small", Devices: map[string]map[string]string{"eth2": {"type": "nic"}}},
		{Name: "other", Devices: map[string]map[string]string{"eth3": {"type": "nic"}}},
	})
	if len(profiles) != 2 || len(devices) != 4 || devices["data"]["type"] != "disk" {
		t.Errorf("profiles %v, devices %v", profiles, devices)
	}
	for _, name := range []string{"eth0", "eth1", "eth2"} {
		if devices[name]["type"] != "none" {
			t.Errorf("%s is %v", name, devices[name])
		}
	}
}
