package app

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/reader"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// snapshotDeps are what the jobs on snapshots work with.
func (a *App) snapshotDeps(deps tenants.KindDeps) snapshots.KindDeps {
	return snapshots.KindDeps{
		LXD: a.lxd, Store: a.store, Images: a.store, Tenants: tenants.NewHands(deps),
		Changed: a.snapshotsChanged, HoldLimit: a.cfg.Snapshots.HoldLimit,
	}
}

func (a *App) wireSnapshots(deps snapshots.KindDeps) {
	a.snapshots = snapshots.NewService(snapshots.Deps{
		LXD: a.lxd, Store: a.store, Jobs: a.store, Submit: a.engine, Tenants: deps.Tenants, Cloner: cloner{a.tenants},
		Readers: &snapshots.Readers{LXD: a.lxd, Logger: a.log}, Lister: a.listFiles,
		Changed: a.snapshotsChanged, PolicyChanged: a.policyChanged, KeepSafety: a.cfg.Snapshots.KeepSafety,
	})
	a.retention = snapshots.NewRetention(a.snapshots)
	a.retention.Logger = a.log
	a.scheduler = &snapshots.Scheduler{
		Store: a.store, Jobs: a.store, AtOnce: a.cfg.Snapshots.PerMember, Logger: a.log,
		AtOnceOf: map[string]int{fleet.ScheduleBackups: a.cfg.Backups.PerMember, fleet.ScheduleDrills: a.cfg.Backups.PerMember},
		Runners:  map[string]snapshots.Runner{fleet.ScheduleSnapshots: a.snapshots},
	}
}

// snapshotsChanged and policyChanged are told of every change, in this process or by an operator.
func (a *App) snapshotsChanged(tenant fleet.Name) {
	a.feed.Publish(fleet.Event{Type: "snapshot.changed", Subject: "tenant/" + tenant.String(), At: time.Now()})
}

func (a *App) policyChanged(policy string) {
	a.feed.Publish(fleet.Event{Type: "policy.changed", Subject: "policy/" + policy, At: time.Now()})
}

// listFiles implements snapshots.Lister.
func (a *App) listFiles(ctx context.Context, instance, snapshot, name string) ([]fleet.FileInfo, error) {
	r, err := reader.Open(ctx, a.lxd, reader.Spec{Source: instance, Snapshot: snapshot, Name: name, JobID: name})
	defer func() {
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := r.Close(short); err != nil {
			a.log.Warn("a copy of a snapshot cannot be deleted; it is swept later", "instance", name, "error", err)
		}
	}()
	if err != nil {
		return nil, err
	}
	return r.List(ctx)
}

// cloner makes tenants of snapshots.
type cloner struct{ tenants *tenants.Service }

// Clone implements snapshots.Cloner.
func (c cloner) Clone(ctx context.Context, original fleet.Tenant, instance, snapshot string, req snapshots.CloneRequest, once snapshots.Once) (fleet.Job, error) {
	return c.tenants.Clone(ctx, original, instance, snapshot, tenants.CloneRequest{
		Name: req.Name, Domains: req.Domains, Plan: req.Plan, Member: req.Member, Mail: req.Mail,
	}, tenants.Once{Key: once.Key, Hash: once.Hash})
}
