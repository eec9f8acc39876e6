package repository

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/snapshot"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Kind is what a backup is of.
type Kind string

const (
	KindTenant  Kind = "tenant"
	KindControl Kind = "control" // lxdfleet's own records
	KindImage   Kind = "image"   // a golden image as LXD has it
)

// Meta says what a backup is of.
type Meta struct {
	Kind    Kind   // empty: KindTenant
	Tenant  string // or what else the control plane calls it
	TakenAt time.Time
	// Labels are kept with the backup. Their names are lower case letters, digits, and -_.
	Labels map[string]string
}

// Stored is a backup in the repository.
type Stored struct {
	ID     string
	Meta   Meta
	DoneAt time.Time
	Size   int64 // of its files, in bytes
	Files  int64
	// Moved is how many bytes were uploaded to write it. Only Write tells.
	Moved int64
}

// Where the parts of a Meta are in kopia's manifests.
const (
	tagPrefix = "tag:"
	tagFormat = tagPrefix + "lxdfleet"
	formatOne = "tar-1"
)

func (m Meta) kind() Kind {
	if m.Kind == "" {
		return KindTenant
	}
	return m.Kind
}

func (m Meta) check() error {
	if m.Tenant == "" || strings.ContainsAny(m.Tenant, "/\x00") {
		return fleet.Errorf(fleet.Invalid, "%q is not a name for what a backup is of", m.Tenant).WithField("tenant").WithHint("name the tenant")
	}
	for name := range m.Labels {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || tagPrefix+name == tagFormat {
			return fleet.Errorf(fleet.Invalid, "%q is not a name for a label", name).WithField("labels").
				WithHint("use lower case letters, digits, - and _")
		}
	}
	return nil
}

// manifest gives kopia's manifest of a backup that is complete.
func (m Meta) manifest(top *snapshot.DirEntry, files *snapshot.DirEntry, now time.Time) *snapshot.Manifest {
	tags := map[string]string{tagFormat: formatOne}
	for name, value := range m.Labels {
		tags[tagPrefix+name] = value
	}
	man := &snapshot.Manifest{
		Source:      snapshot.SourceInfo{Host: hostName, UserName: string(m.kind()), Path: "/" + m.Tenant},
		Description: "lxdfleet " + string(m.kind()) + " " + m.Tenant,
		StartTime:   fs.UTCTimestamp(m.TakenAt.UnixNano()), EndTime: fs.UTCTimestamp(now.UnixNano()),
		RootEntry: top, Tags: tags,
	}
	man.Stats.TotalFileSize = files.DirSummary.TotalFileSize
	man.Stats.TotalFileCount = int32(min(files.DirSummary.TotalFileCount, 1<<31-1))
	man.Stats.TotalDirectoryCount = int32(min(files.DirSummary.TotalDirCount, 1<<31-1))
	return man
}

// stored reads kopia's manifest. ok is false where it is none of ours.
func stored(man *snapshot.Manifest) (s Stored, ok bool) {
	if man.Tags[tagFormat] != formatOne || man.RootEntry == nil || man.IncompleteReason != "" {
		return Stored{}, false
	}
	s = Stored{
		ID: string(man.ID), DoneAt: man.EndTime.ToTime(),
		Size: man.Stats.TotalFileSize, Files: int64(man.Stats.TotalFileCount),
		Meta: Meta{
			Kind: Kind(man.Source.UserName), Tenant: strings.TrimPrefix(man.Source.Path, "/"),
			TakenAt: man.StartTime.ToTime(), Labels: make(map[string]string),
		},
	}
	for name, value := range man.Tags {
		if name, found := strings.CutPrefix(name, tagPrefix); found && tagPrefix+name != tagFormat {
			s.Meta.Labels[name] = value
		}
	}
	return s, true
}

// List gives all backups, oldest first. What other processes have written is among them.
func (r *Repository) List(ctx context.Context) ([]Stored, error) {
	manifests, err := r.manifests(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Stored, 0, len(manifests))
	for _, m := range manifests {
		if s, ok := stored(m); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Stored) int {
		return cmpOr(a.Meta.TakenAt.Compare(b.Meta.TakenAt), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func (r *Repository) manifests(ctx context.Context) ([]*snapshot.Manifest, error) {
	rep, err := r.fresh(ctx)
	if err != nil {
		return nil, fail(ctx, "list backups", err)
	}
	ids, err := snapshot.ListSnapshotManifests(ctx, rep, nil, nil)
	if err != nil {
		return nil, fail(ctx, "list backups", err)
	}
	all := make([]*snapshot.Manifest, 0, len(ids))
	for _, id := range ids { // one that cannot be read must not be left out in silence
		m, err := snapshot.LoadSnapshot(ctx, rep, id)
		if errors.Is(err, snapshot.ErrSnapshotNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, damaged(ctx, "list backups", string(id), "its manifest", string(id), err)
		}
		all = append(all, m)
	}
	return all, nil
}

// find gives one backup's manifest.
func (r *Repository) find(ctx context.Context, id string) (repo.DirectRepository, *snapshot.Manifest, error) {
	rep, err := r.fresh(ctx)
	if err != nil {
		return nil, nil, fail(ctx, "look for the backup", err)
	}
	m, err := snapshot.LoadSnapshot(ctx, rep, manifest.ID(id))
	if errors.Is(err, snapshot.ErrSnapshotNotFound) {
		return nil, nil, fleet.Errorf(fleet.NotFound, "there is no backup %s in the repository", id).WithHint("list the backups")
	}
	if err != nil {
		return nil, nil, damaged(ctx, "read the backup", id, "its manifest", id, err)
	}
	if _, ok := stored(m); !ok {
		return nil, nil, fleet.Errorf(fleet.Unsupported, "snapshot %s of the repository is no backup of lxdfleet", id).
			WithHint("use kopia's own tool for it")
	}
	return rep, m, nil
}

// Get tells about one backup.
func (r *Repository) Get(ctx context.Context, id string) (Stored, error) {
	_, m, err := r.find(ctx, id)
	if err != nil {
		return Stored{}, err
	}
	s, _ := stored(m)
	return s, nil
}

// Delete removes a backup from the list; the room it took is freed by Prune. One that is not
// there is no error.
func (r *Repository) Delete(ctx context.Context, id string) error {
	rep, _, err := r.find(ctx, id)
	if errors.Is(err, fleet.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = repo.WriteSession(ctx, rep, repo.WriteSessionOptions{Purpose: "delete"}, func(ctx context.Context, w repo.RepositoryWriter) error {
		return w.DeleteManifest(ctx, manifest.ID(id))
	})
	return fail(ctx, "delete the backup", err)
}
