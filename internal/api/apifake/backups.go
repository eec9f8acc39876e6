package apifake

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// RecoveryKey is the key of the backups here.
const RecoveryKey = "7XK2-M9QD-4TRW-0PZA-1B2C-3D4E-5F6G-7H8J-9KMN"

// Backups are two of acme, of which the older is damaged, and a drill of each.
type Backups struct {
	fleet *Fleet

	mu       sync.Mutex
	all      []fleet.Backup // newest first
	drills   []fleet.Drill  // likewise
	made     bool           // there is a repository
	recorded bool
	drill    string // why drills fail; empty: they pass
	job      string // that Recover tells of
	// Content is what every file holds.
	Content string
}

func newBackups(f *Fleet) *Backups {
	verified := Now.Add(-2 * time.Hour)
	return &Backups{
		fleet: f, Content: "<?php\n", made: true, job: "00000000000000000000000021", all: []fleet.Backup{
			{
				ID: "c1ab4aa5e7c5d0f39e1b", Tenant: "acme", TenantID: "0000000000000000000000acme", Policy: "nightly",
				TakenAt: Now.Add(-6 * time.Hour), DoneAt: Now.Add(-6*time.Hour + 42*time.Second), Size: 812 * fleet.MiB, Moved: 3 * fleet.MiB, Files: 31207,
				Consistency: fleet.ConsistentApplication, Held: 41 * time.Millisecond, Image: fleet.ImageRef{Name: "wordpress", Version: "6.1-1"},
				JobID: "00000000000000000000000011", VerifiedAt: &verified,
			},
			{
				ID: "90e1d7f2b3a45566cc01", Tenant: "acme", TenantID: "0000000000000000000000acme", Note: "before the move", Pinned: true,
				TakenAt: Now.Add(-30 * time.Hour), DoneAt: Now.Add(-30*time.Hour + 5*time.Minute), Size: 800 * fleet.MiB, Moved: 410 * fleet.MiB, Files: 31100,
				Consistency: fleet.ConsistentCrash, Why: "it was asked for so", Image: fleet.ImageRef{Name: "wordpress", Version: "6.1-1"},
				JobID: "00000000000000000000000012", Damage: "/var/lib/mysql/ibdata1: object p3f2a is missing",
			},
		},
		drills: []fleet.Drill{
			{
				ID: "00000000000000000000drill2", BackupID: "c1ab4aa5e7c5d0f39e1b", Tenant: "acme", At: Now.Add(-5 * time.Hour), Passed: true,
				RPO: time.Hour, RTO: 42300 * time.Millisecond, Bytes: 812 * fleet.MiB, JobID: "00000000000000000000000013",
				Checks: []string{"boots: ok", "GET / on port 80: ok, 200", "database: ok, 42 tables"},
			},
			{
				ID: "00000000000000000000drill1", BackupID: "90e1d7f2b3a45566cc01", Tenant: "acme", At: Now.Add(-29 * time.Hour),
				Error: "backup 90e1d7f2b3a4 of acme is damaged", RPO: time.Hour, Bytes: 100 * fleet.MiB, JobID: "00000000000000000000000014",
			},
		},
	}
}

func (b *Backups) find(id string) (int, error) {
	i := slices.IndexFunc(b.all, func(x fleet.Backup) bool { return len(id) >= 4 && strings.HasPrefix(x.ID, id) })
	if i < 0 {
		return 0, fleet.Errorf(fleet.NotFound, "there is no backup %q", id).WithField("backup").WithHint("see them with: lxdfleet backup list")
	}
	return i, nil
}

func (b *Backups) submit(method, kind, subject string, args any, once backups.Once) (fleet.Job, error) {
	if err := b.fleet.called(method, args); err != nil {
		return fleet.Job{}, err
	}
	if !b.made {
		return fleet.Job{}, fleet.Errorf(fleet.NotFound, "there is no backup repository at file:///var/lib/lxdfleet/backups").
			WithHint("make one: lxdfleet backup init")
	}
	return b.fleet.Jobs.Submit(kind, subject, args, tenants.Once(once))
}

// Unmade takes the repository away.
func (b *Backups) Unmade() { b.made, b.all, b.drills = false, nil, nil }

// FailDrills makes later drills fail.
func (b *Backups) FailDrills() { b.drill = "the database did not start" }

// Recovering sets the job that restores acme.
func (b *Backups) Recovering(job string) { b.job = job }

// Create implements api.Backups.
func (b *Backups) Create(_ context.Context, tenant fleet.Name, r backups.CreateRequest, once backups.Once) (fleet.Job, error) {
	if _, err := b.fleet.Tenants.find(tenant); err != nil {
		return fleet.Job{}, err
	}
	job, err := b.submit("CreateBackup", "backup.create", "backup/"+tenant.String(), []any{tenant, r}, once)
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append([]fleet.Backup{{
			ID: fmt.Sprintf("feed%016d", len(b.all)), Tenant: tenant, Note: r.Note, Pinned: r.Pinned, TakenAt: Now, DoneAt: Now.Add(time.Second),
			Size: 812 * fleet.MiB, Moved: fleet.MiB, Files: 31207, Consistency: fleet.ConsistentApplication, Held: 12 * time.Millisecond, JobID: job.ID,
		}}, b.all...)
	}
	return job, err
}

// SaveControl implements api.Backups.
func (b *Backups) SaveControl(_ context.Context, once backups.Once) (fleet.Job, error) {
	return b.submit("SaveControl", "control.save", "backups/control", nil, once)
}

// List implements api.Backups.
func (b *Backups) List(_ context.Context, f fleet.BackupFilter) ([]fleet.Backup, error) {
	if err := b.fleet.called("Backups", f.Tenant); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []fleet.Backup
	all := slices.Clone(b.all)
	order := func(x, y fleet.Backup) int { return cmp.Or(y.TakenAt.Compare(x.TakenAt), cmp.Compare(y.ID, x.ID)) }
	if f.OldestFirst {
		order = func(x, y fleet.Backup) int { return cmp.Or(x.TakenAt.Compare(y.TakenAt), cmp.Compare(x.ID, y.ID)) }
	}
	slices.SortFunc(all, order)
	for _, x := range all {
		if (f.Before == nil || order(x, *f.Before) > 0) && f.Keeps(x) && (f.Limit == 0 || len(found) < f.Limit) {
			found = append(found, x)
		}
	}
	return found, nil
}

// Backup implements api.Backups.
func (b *Backups) Backup(_ context.Context, id string) (fleet.Backup, error) {
	if err := b.fleet.called("Backup", id); err != nil {
		return fleet.Backup{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i, err := b.find(id)
	if err != nil {
		return fleet.Backup{}, err
	}
	return b.all[i], nil
}

// Edit implements api.Backups.
func (b *Backups) Edit(_ context.Context, id string, r backups.EditRequest) (fleet.Backup, error) {
	if err := b.fleet.called("EditBackup", id); err != nil {
		return fleet.Backup{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i, err := b.find(id)
	if err != nil {
		return fleet.Backup{}, err
	}
	if r.Pinned != nil {
		b.all[i].Pinned = *r.Pinned
	}
	if r.Note != nil {
		b.all[i].Note = *r.Note
	}
	return b.all[i], nil
}

// Delete implements api.Backups.
func (b *Backups) Delete(ctx context.Context, id string, force bool, once backups.Once) (fleet.Job, error) {
	x, err := b.Backup(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if x.Pinned && !force {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "backup %.12s is pinned", x.ID).WithField("backup").
			WithHint("unpin it, or delete it with --force")
	}
	return b.submit("DeleteBackup", "backup.delete", "backup-id/"+x.ID, []any{x.ID, force}, once)
}

// Restore implements api.Backups.
func (b *Backups) Restore(ctx context.Context, id string, r backups.RestoreRequest, once backups.Once) (fleet.Job, error) {
	x, err := b.Backup(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if x.Damage != "" {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "backup %.12s is damaged and is not restored: %s", x.ID, x.Damage).WithField("backup").
			WithHint("restore another: lxdfleet backup list acme")
	}
	if r.Into == "" {
		return b.submit("RestoreBackup", "backup.restore", "tenant/acme", x.ID, once)
	}
	job, err := b.submit("RestoreBackup", "backup.clone", "tenant/"+r.Into, []any{x.ID, r}, once)
	if err != nil {
		return fleet.Job{}, err
	}
	_, err = b.fleet.Tenants.Create(ctx, tenants.CreateRequest{Name: r.Into, Image: "wordpress", Domains: r.Domains}, tenants.Once{})
	return job, err
}

// Verify implements api.Backups.
func (b *Backups) Verify(ctx context.Context, r backups.VerifyRequest, once backups.Once) (fleet.Job, error) {
	if r.Backup != "" {
		if _, err := b.Backup(ctx, r.Backup); err != nil {
			return fleet.Job{}, err
		}
	}
	return b.submit("VerifyBackups", "backup.verify", "backups/verify", r, once)
}

// Prune implements api.Backups.
func (b *Backups) Prune(_ context.Context, once backups.Once) (fleet.Job, error) {
	return b.submit("PruneBackups", "backup.prune", "backups/prune", nil, once)
}

// Drill implements api.Backups.
func (b *Backups) Drill(ctx context.Context, r backups.DrillRequest, once backups.Once) (fleet.Job, error) {
	if r.Backup != "" {
		if _, err := b.Backup(ctx, r.Backup); err != nil {
			return fleet.Job{}, err
		}
	}
	job, err := b.submit("RunDrill", "backup.drill", "drill/acme", r, once)
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		d := b.drills[0]
		d.ID, d.At, d.JobID, d.Passed, d.Error = "00000000000000000000drill3", Now, job.ID, b.drill == "", b.drill
		b.drills = append([]fleet.Drill{d}, b.drills...)
	}
	return job, err
}

// Drills implements api.Backups.
func (b *Backups) Drills(_ context.Context, f fleet.DrillFilter) ([]fleet.Drill, error) {
	if err := b.fleet.called("Drills", f); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []fleet.Drill
	for _, d := range b.drills {
		if (f.Tenant == "" || f.Tenant == d.Tenant) && (f.Backup == "" || f.Backup == d.BackupID) && (!f.Failed || !d.Passed) &&
			(f.Before == "" || d.ID < f.Before) && (f.Limit == 0 || len(found) < f.Limit) {
			found = append(found, d)
		}
	}
	return found, nil
}

// Diff implements api.Backups.
func (b *Backups) Diff(_ context.Context, id string, to backups.DiffTo) ([]fleet.FileChange, error) {
	if err := b.fleet.called("DiffBackup", id, to); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i, err := b.find(id)
	if err != nil {
		return nil, err
	}
	tenant := b.all[i].Tenant
	if to.Backup != "" {
		if other, err := b.find(to.Backup); err != nil || b.all[other].Tenant != tenant {
			return nil, fleet.Errorf(fleet.NotFound, "tenant %s has no backup %s", tenant, to.Backup).WithField("to").
				WithHint("lxdfleet backup list %s shows them", tenant)
		}
	}
	if to.Snapshot != "" {
		if _, err := b.fleet.Snapshots.Snapshot(context.Background(), tenant, to.Snapshot); err != nil {
			return nil, err
		}
	}
	return someChanges(), nil
}

// Files implements api.Backups.
func (b *Backups) Files(_ context.Context, id, path string) ([]fleet.FileInfo, error) {
	if err := b.fleet.called("BackupFiles", id, path); err != nil {
		return nil, err
	}
	if _, err := b.find(id); err != nil {
		return nil, err
	}
	return someFiles(path), nil
}

// ReadFile implements api.Backups.
func (b *Backups) ReadFile(_ context.Context, id, path string) (io.ReadCloser, fleet.FileInfo, error) {
	if err := b.fleet.called("ReadBackupFile", id, path); err != nil {
		return nil, fleet.FileInfo{}, err
	}
	if _, err := b.find(id); err != nil {
		return nil, fleet.FileInfo{}, err
	}
	return someFile(path, b.Content)
}

// Kept implements api.Backups.
func (b *Backups) Kept(_ context.Context, tenant fleet.Name) ([]backups.Kept, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var kept []backups.Kept
	for _, x := range b.all {
		if x.Tenant == tenant {
			kept = append(kept, backups.Kept{Backup: x, Keep: x.Pinned, Why: map[bool]string{true: "pinned", false: "no rule keeps it"}[x.Pinned]})
		}
	}
	return kept, b.fleet.called("Kept", tenant)
}

// Status implements api.Backups.
func (b *Backups) Status(context.Context) (backups.Status, error) {
	st := backups.Status{Location: "file:///var/lib/lxdfleet/backups", KeyFile: "/var/lib/lxdfleet/backups.key", State: backups.StateReady}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.made {
		st.State, st.Problem, st.Hint = backups.StateAbsent, "there is no backup repository at "+st.Location, "make one: lxdfleet backup init"
		return st, b.fleet.called("Status")
	}
	st.KeyID, st.KeyRecorded = "3fa1c2", b.recorded
	st.Backups, st.Damaged, st.Size, st.Stored = len(b.all), 1, 1612*fleet.MiB, 413*fleet.MiB
	st.LastBackup, st.LastDrill = &b.all[0].TakenAt, &b.drills[0]
	control := Now.Add(-20 * time.Hour)
	st.LastControl = &control
	return st, b.fleet.called("Status")
}

// Init implements api.Backups.
func (b *Backups) Init(context.Context) (backups.Key, error) {
	if err := b.fleet.called("InitBackups"); err != nil {
		return backups.Key{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made {
		return backups.Key{}, fleet.Errorf(fleet.Taken, "there is a backup repository at file:///var/lib/lxdfleet/backups already").
			WithHint("lxdfleet backup status tells about it")
	}
	b.made = true
	return backups.Key{Recovery: RecoveryKey, File: "/var/lib/lxdfleet/backups.key", ID: "3fa1c2"}, nil
}

// Rotate implements api.Backups.
func (b *Backups) Rotate(context.Context) (backups.Key, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recorded = false
	return backups.Key{Recovery: RecoveryKey, File: "/var/lib/lxdfleet/backups.key", ID: "3fa1c2"}, b.fleet.called("RotateKey")
}

// Recorded implements api.Backups.
func (b *Backups) Recorded(_ context.Context, typed string) error {
	if err := b.fleet.called("Recorded"); err != nil {
		return err
	}
	if typed != RecoveryKey {
		return fleet.Errorf(fleet.Invalid, "this is not the recovery key of the backups").WithField("key").
			WithHint("type the key of /var/lib/lxdfleet/backups.key")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recorded = true
	return nil
}

// Recover implements api.Backups.
func (b *Backups) Recover(_ context.Context, r backups.RecoverRequest) (backups.Recovery, error) {
	if err := b.fleet.called("RecoverBackups", r); err != nil {
		return backups.Recovery{}, err
	}
	if r.From != "" && r.From != "file:///var/lib/lxdfleet/backups" && r.Key == "" {
		return backups.Recovery{}, fleet.Errorf(fleet.Forbidden, "the backups at %s cannot be opened: the passphrase is wrong", r.From).WithField("key").
			WithHint("give their recovery key: lxdfleet recover --from %s --key-file FILE", r.From)
	}
	found := backups.Recovery{
		SavedAt: Now.Add(-20 * time.Hour), Plans: []string{"small"}, Policies: []string{"nightly"}, Backups: 2,
		Images: []backups.RecoveredImage{
			{Image: fleet.ImageRef{Name: "wordpress", Version: "6.1-1"}, Recipe: strings.Repeat("12", 32)},
			{Image: fleet.ImageRef{Name: "static", Version: "1"}, Reason: "it was neither saved nor built from a recipe"},
			{Image: fleet.ImageRef{Name: "shop", Version: "2"}, Saved: true},
		},
		Tenants: []backups.RecoveredTenant{
			{Tenant: "acme", Outcome: backups.RecoverRestoring, Backup: b.all[0], JobID: b.job},
			{Tenant: "globex", Outcome: backups.RecoverThere},
			{Tenant: "hooli", Outcome: backups.RecoverNothing, Reason: "there is no backup of it"},
		},
	}
	if r.DryRun {
		found.Tenants[0].JobID = ""
	}
	return found, nil
}
