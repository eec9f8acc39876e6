package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// backupMetrics tells of each tenant's newest backup and last drill, from the store.
type backupMetrics struct {
	store *store.Store
	now   func() time.Time

	backups, damaged, age, size, drilled, drillAge, rpo, rto *prometheus.Desc
}

func newBackupMetrics(s *store.Store, now func() time.Time) *backupMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lxdfleet_"+name, help, labels, nil)
	}
	return &backupMetrics{
		store: s, now: now,
		backups:  desc("backups", "Number of backups."),
		damaged:  desc("backups_damaged", "Number of backups that a verification found damaged."),
		age:      desc("backup_age_seconds", "Age of the tenant's newest good backup.", "tenant"),
		size:     desc("backup_size_bytes", "Size of the files in the tenant's newest good backup.", "tenant"),
		drilled:  desc("drill_passed", "1 where the tenant's last restore drill passed, 0 where it failed.", "tenant"),
		drillAge: desc("drill_age_seconds", "Time since the tenant's last restore drill.", "tenant"),
		rpo:      desc("drill_rpo_seconds", "Age of the backup at the tenant's last restore drill: what would have been lost.", "tenant"),
		rto:      desc("drill_rto_seconds", "Time the tenant's last restore drill took until the application was well; 0 where it never was.", "tenant"),
	}
}

// Describe implements prometheus.Collector.
func (m *backupMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.backups, m.damaged, m.age, m.size, m.drilled, m.drillAge, m.rpo, m.rto} {
		out <- d
	}
}

// Collect implements prometheus.Collector. A store that does not answer gives nothing.
func (m *backupMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	list, err := m.store.Backups(ctx, fleet.BackupFilter{})
	if err != nil {
		return
	}
	damaged, seen := 0, map[fleet.Name]bool{}
	for _, b := range list { // newest first
		if b.Damage != "" {
			damaged++
			continue
		}
		if seen[b.Tenant] {
			continue
		}
		seen[b.Tenant] = true
		gauge(m.age, m.now().Sub(b.TakenAt).Seconds(), b.Tenant.String())
		gauge(m.size, float64(b.Size), b.Tenant.String())
	}
	gauge(m.backups, float64(len(list)))
	gauge(m.damaged, float64(damaged))
	drills, err := m.store.Drills(ctx, fleet.DrillFilter{})
	if err != nil {
		return
	}
	clear(seen)
	for _, d := range drills {
		if seen[d.Tenant] {
			continue
		}
		seen[d.Tenant] = true
		passed := 0.0
		if d.Passed {
			passed = 1
		}
		name := d.Tenant.String()
		gauge(m.drilled, passed, name)
		gauge(m.drillAge, m.now().Sub(d.At).Seconds(), name)
		gauge(m.rpo, d.RPO.Seconds(), name)
		gauge(m.rto, d.RTO.Seconds(), name)
	}
}
