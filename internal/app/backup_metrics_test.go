package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/setup"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestBackupMetrics(t *testing.T) {
	ctx := t.Context()
	s, err := store.Open(context.WithoutCancel(ctx), "sqlite::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, b := range []fleet.Backup{
		{ID: "1", Tenant: "acme", TakenAt: now.Add(-3 * time.Hour), Size: 100},
		{ID: "2", Tenant: "acme", TakenAt: now.Add(-time.Hour), Size: 200},
		{ID: "3", Tenant: "acme", TakenAt: now, Damage: "broken"},
	} {
		if err := s.SaveBackup(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []fleet.Drill{
		{ID: "1", Tenant: "acme", At: now.Add(-time.Hour), Passed: true, RPO: time.Minute, RTO: time.Second},
		{ID: "2", Tenant: "acme", At: now.Add(-time.Minute), RPO: time.Hour},
	} {
		if err := s.SaveDrill(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	err = testutil.CollectAndCompare(newBackupMetrics(s, func() time.Time { return now }), strings.NewReader(`
# HELP lxdfleet_backup_age_seconds Age of the tenant's newest good backup.
# TYPE lxdfleet_backup_age_seconds gauge
lxdfleet_backup_age_seconds{tenant="acme"} 3600
# HELP lxdfleet_backups Number of backups.
# TYPE lxdfleet_backups gauge
lxdfleet_backups 3
# HELP lxdfleet_backups_damaged Number of backups that a verification found damaged.
# TYPE lxdfleet_backups_damaged gauge
lxdfleet_backups_damaged 1
# HELP lxdfleet_drill_passed 1 where the tenant's last restore drill passed, 0 where it failed.
# TYPE lxdfleet_drill_passed gauge
lxdfleet_drill_passed{tenant="acme"} 0
# HELP lxdfleet_drill_rpo_seconds Age of the backup at the tenant's last restore drill: what would have been lost.
# TYPE lxdfleet_drill_rpo_seconds gauge
lxdfleet_drill_rpo_seconds{tenant="acme"} 3600
`), "lxdfleet_backup_age_seconds", "lxdfleet_backups", "lxdfleet_backups_damaged", "lxdfleet_drill_passed", "lxdfleet_drill_rpo_seconds")
	if err != nil {
		t.Error(err)
	}
}

func TestBackupFindings(t *testing.T) {
	now := time.Now()
	old := now.Add(-100 * time.Hour)
	good := backups.Status{
		Location: "s3://bucket", Away: true, State: backups.StateReady, KeyID: "abc", KeyRecorded: true, Backups: 3,
		LastBackup: &now, LastDrill: &fleet.Drill{Passed: true},
	}
	for name, c := range map[string]struct {
		edit func(*backups.Status)
		want map[string]setup.State
	}{
		"good":        {func(*backups.Status) {}, map[string]setup.State{"backups": setup.OK}},
		"none":        {func(s *backups.Status) { *s = backups.Status{State: backups.StateAbsent} }, map[string]setup.State{"backups": setup.Warn}},
		"locked":      {func(s *backups.Status) { s.State = backups.StateLocked }, map[string]setup.State{"backups": setup.Fail}},
		"at home":     {func(s *backups.Status) { s.Away = false }, map[string]setup.State{"backups": setup.Warn}},
		"no copy":     {func(s *backups.Status) { s.KeyRecorded = false }, map[string]setup.State{"backups": setup.OK, "backup key": setup.Warn}},
		"damage":      {func(s *backups.Status) { s.Damaged = 1 }, map[string]setup.State{"backups": setup.OK, "backup damage": setup.Fail}},
		"old":         {func(s *backups.Status) { s.LastBackup = &old }, map[string]setup.State{"backups": setup.OK, "backup age": setup.Warn}},
		"failed":      {func(s *backups.Status) { s.LastDrill = &fleet.Drill{} }, map[string]setup.State{"backups": setup.OK, "restore drill": setup.Fail}},
		"never tried": {func(s *backups.Status) { s.LastDrill = nil }, map[string]setup.State{"backups": setup.OK, "restore drill": setup.Warn}},
	} {
		t.Run(name, func(t *testing.T) {
			st := good
			c.edit(&st)
			got := findingsOf(st, now)
			if len(got) != len(c.want) {
				t.Errorf("findings %+v", got)
			}
			for _, f := range got {
				if f.State != c.want[f.Check] || f.State != setup.OK && f.Hint == "" && st.State == backups.StateReady {
					t.Errorf("finding %+v, want %s", f, c.want[f.Check])
				}
			}
		})
	}
}
