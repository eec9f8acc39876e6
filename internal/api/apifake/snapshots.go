package apifake

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Snapshots are those of acme.
type Snapshots struct {
	fleet *Fleet

	mu  sync.Mutex
	all []fleet.Snapshot // of acme, oldest first
	// Content is what every file holds.
	Content string
}

func newSnapshots(f *Fleet) *Snapshots {
	return &Snapshots{fleet: f, Content: "<?php\n", all: []fleet.Snapshot{
		{
			Tenant: "acme", Name: "snap0", Origin: fleet.OriginManual, Note: "before the new theme", Pinned: true,
			CreatedAt: Now.Add(-26 * time.Hour), Size: 12 * fleet.MiB, Consistency: fleet.ConsistentApplication,
			Held: 34600 * time.Microsecond, JobID: "00000000000000000000000009",
		},
		{
			Tenant: "acme", Name: "by-hand", Origin: fleet.OriginLXC, CreatedAt: Now.Add(-25 * time.Hour),
			Consistency: fleet.ConsistentCrash, Why: "it was made beside lxdfleet",
		},
		{
			Tenant: "acme", Name: "nightly-20250314-0300", Origin: fleet.OriginPolicy, Policy: "nightly",
			CreatedAt: Now.Add(-6 * time.Hour), Size: 300 * fleet.KiB, Consistency: fleet.ConsistentCrash,
			Why: "the hook pre-snapshot did not hold the application within 5s", JobID: "00000000000000000000000010",
		},
	}}
}

func (s *Snapshots) find(tenant fleet.Name, name string) (int, error) {
	if _, err := s.fleet.Tenants.find(tenant); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(s.all, func(x fleet.Snapshot) bool { return x.Tenant == tenant && x.Name == name })
	if i < 0 {
		return 0, fleet.Errorf(fleet.NotFound, "tenant %s has no snapshot %q", tenant, name).WithField("snapshot").
			WithHint("see them with: lxdfleet snapshot list %s", tenant)
	}
	return i, nil
}

func (s *Snapshots) job(method, kind string, tenant fleet.Name, name string, args any, once snapshots.Once) (fleet.Job, error) {
	if err := s.fleet.called(method, tenant, name, args); err != nil {
		return fleet.Job{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(tenant, name); err != nil {
		return fleet.Job{}, err
	}
	return s.fleet.Jobs.Submit(kind, "tenant/"+tenant.String(), map[string]string{"snapshot": name}, tenants.Once(once))
}

// Create implements api.Snapshots.
func (s *Snapshots) Create(_ context.Context, tenant fleet.Name, r snapshots.CreateRequest, once snapshots.Once) (fleet.Job, error) {
	if err := s.fleet.called("CreateSnapshot", tenant, r); err != nil {
		return fleet.Job{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Name = cmp.Or(r.Name, "snap1")
	if _, err := s.find(tenant, r.Name); err == nil && !s.fleet.Jobs.knows(once.Key) {
		return fleet.Job{}, fleet.Errorf(fleet.Taken, "tenant %s has a snapshot %s already", tenant, r.Name).WithField("name").
			WithHint("choose another name")
	}
	if _, err := s.fleet.Tenants.find(tenant); err != nil {
		return fleet.Job{}, err
	}
	job, err := s.fleet.Jobs.Submit("snapshot.create", "tenant/"+tenant.String(), map[string]string{"snapshot": r.Name}, tenants.Once(once))
	if err == nil {
		x := fleet.Snapshot{
			Tenant: tenant, Name: r.Name, Origin: fleet.OriginManual, Note: r.Note, Pinned: r.Pinned, CreatedAt: Now,
			Consistency: fleet.ConsistentApplication, Held: 21 * time.Millisecond, JobID: job.ID,
		}
		if r.Crash {
			x.Consistency, x.Why, x.Held = fleet.ConsistentCrash, "it was asked for so", 0
		}
		s.all = append(s.all, x)
	}
	return job, err
}

// List implements api.Snapshots.
func (s *Snapshots) List(_ context.Context, tenant fleet.Name) ([]fleet.Snapshot, error) {
	if err := s.fleet.called("Snapshots", tenant); err != nil {
		return nil, err
	}
	if _, err := s.fleet.Tenants.find(tenant); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(x fleet.Snapshot) bool { return x.Tenant != tenant }), nil
}

// Snapshot implements api.Snapshots.
func (s *Snapshots) Snapshot(_ context.Context, tenant fleet.Name, name string) (fleet.Snapshot, error) {
	if err := s.fleet.called("Snapshot", tenant, name); err != nil {
		return fleet.Snapshot{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(tenant, name)
	if err != nil {
		return fleet.Snapshot{}, err
	}
	return s.all[i], nil
}

// Edit implements api.Snapshots.
func (s *Snapshots) Edit(_ context.Context, tenant fleet.Name, name string, r snapshots.EditRequest) (fleet.Snapshot, error) {
	if err := s.fleet.called("EditSnapshot", tenant, name); err != nil {
		return fleet.Snapshot{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(tenant, name)
	if err != nil {
		return fleet.Snapshot{}, err
	}
	if r.Pinned != nil {
		s.all[i].Pinned = *r.Pinned
	}
	if r.Note != nil {
		s.all[i].Note = *r.Note
	}
	return s.all[i], nil
}

// Delete implements api.Snapshots.
func (s *Snapshots) Delete(ctx context.Context, tenant fleet.Name, name string, force bool, once snapshots.Once) (fleet.Job, error) {
	if x, err := s.Snapshot(ctx, tenant, name); err == nil && x.Pinned && !force {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "snapshot %s is pinned", name).WithField("snapshot").
			WithHint("unpin it: lxdfleet snapshot edit %s %s --unpin, or delete it with --force", tenant, name)
	}
	return s.job("DeleteSnapshot", "snapshot.delete", tenant, name, force, once)
}

// Restore implements api.Snapshots.
func (s *Snapshots) Restore(_ context.Context, tenant fleet.Name, name string, once snapshots.Once) (fleet.Job, error) {
	return s.job("RestoreSnapshot", "snapshot.restore", tenant, name, "", once)
}

// Clone implements api.Snapshots.
func (s *Snapshots) Clone(ctx context.Context, tenant fleet.Name, name string, r snapshots.CloneRequest, once snapshots.Once) (fleet.Job, error) {
	if _, err := fleet.ParseName(r.Name); err != nil {
		return fleet.Job{}, err
	}
	job, err := s.job("CloneSnapshot", "snapshot.clone", tenant, name, r, once)
	if err != nil {
		return fleet.Job{}, err
	}
	_, err = s.fleet.Tenants.Create(ctx, tenants.CreateRequest{Name: r.Name, Image: "wordpress", Domains: r.Domains}, tenants.Once{})
	return job, err
}

// Diff implements api.Snapshots.
func (s *Snapshots) Diff(_ context.Context, tenant fleet.Name, from, to string) ([]fleet.FileChange, error) {
	if err := s.fleet.called("Diff", tenant, from, to); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{from, to} {
		if _, err := s.find(tenant, name); err != nil && name != "" {
			return nil, err
		}
	}
	return someChanges(), nil
}

// Files implements api.Snapshots.
func (s *Snapshots) Files(_ context.Context, tenant fleet.Name, name, path string) ([]fleet.FileInfo, error) {
	if err := s.fleet.called("SnapshotFiles", tenant, name, path); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(tenant, name); err != nil {
		return nil, err
	}
	return someFiles(path), nil
}

// ReadFile implements api.Snapshots.
func (s *Snapshots) ReadFile(_ context.Context, tenant fleet.Name, name, path string) (io.ReadCloser, fleet.FileInfo, error) {
	if err := s.fleet.called("ReadSnapshotFile", tenant, name, path); err != nil {
		return nil, fleet.FileInfo{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(tenant, name); err != nil {
		return nil, fleet.FileInfo{}, err
	}
	return someFile(path, s.Content)
}

func someFiles(path string) []fleet.FileInfo {
	in := strings.TrimSuffix(path, "/") + "/"
	return []fleet.FileInfo{
		{Path: in + "index.php", Type: fleet.FileRegular, Mode: 0o644, UID: 33, GID: 33, Size: 405, ModTime: Now.Add(-24 * time.Hour)},
		{Path: in + "latest", Type: fleet.FileSymlink, Mode: 0o777, ModTime: Now, Target: "uploads/2025"},
		{Path: in + "uploads", Type: fleet.FileFolder, Mode: 0o2775, UID: 33, GID: 33, ModTime: Now.Add(-time.Hour)},
	}
}

func someChanges() []fleet.FileChange {
	file := func(path string, size fleet.Size, mode uint32) *fleet.FileInfo {
		return &fleet.FileInfo{Path: path, Type: fleet.FileRegular, Mode: mode, UID: 33, GID: 33, Size: size, ModTime: Now}
	}
	const in = "/var/www/html/"
	return []fleet.FileChange{
		{Path: in + "index.php", Change: fleet.FileChanged, Before: file(in+"index.php", 405, 0o644), After: file(in+"index.php", 411, 0o644)},
		{Path: in + "new.php", Change: fleet.FileAdded, After: file(in+"new.php", 2*fleet.KiB, 0o644)},
		{Path: in + "old.php", Change: fleet.FileRemoved, Before: file(in+"old.php", 3*fleet.MiB, 0o644)},
		{Path: in + "wp-config.php", Change: fleet.FileChanged, Before: file(in+"wp-config.php", 700, 0o600), After: file(in+"wp-config.php", 700, 0o666)},
		{Path: in + "wp-cron.php", Change: fleet.FileChanged, Before: file(in+"wp-cron.php", 900, 0o644), After: file(in+"wp-cron.php", 900, 0o644)},
	}
}

func someFile(path, content string) (io.ReadCloser, fleet.FileInfo, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fleet.FileInfo{}, fleet.Errorf(fleet.Invalid, "%q is not an absolute path", path).WithField("path").WithHint("begin it with /")
	}
	if strings.HasSuffix(path, "/uploads") {
		return nil, fleet.FileInfo{}, fleet.Errorf(fleet.Invalid, "%s is a folder", path).WithField("path").WithHint("list it, and fetch its files one by one")
	}
	info := fleet.FileInfo{Path: path, Type: fleet.FileRegular, Mode: 0o640, Size: fleet.Size(len(content)), ModTime: Now.Add(-24 * time.Hour)}
	return io.NopCloser(strings.NewReader(content)), info, nil
}
