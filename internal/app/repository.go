package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/backups/repository"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

// vaultOf is the place of the backups that is configured, or else a folder on this machine.
func vaultOf(cfg config.Config) *backups.Vault {
	return backups.NewVault(backups.VaultOptions{
		Location: cfg.BackupLocation(), KeyFile: cfg.BackupKeyFile(), Auto: cfg.Backups.Location == "", Opener: opener{cfg},
	})
}

// opener opens repositories as the configuration says.
type opener struct{ cfg config.Config }

func (o opener) options(location, key string) (repository.Options, error) {
	opt := repository.Options{
		Location: location, Passphrase: key, CacheDir: o.cache(location),
		Limits: repository.Limits{UploadBytesPerSecond: int64(o.cfg.Backups.UploadLimit), Parallel: o.cfg.Backups.Parallel},
	}
	if strings.HasPrefix(location, "s3:") {
		c := o.cfg.S3
		if c.Endpoint == "" {
			return opt, fleet.Errorf(fleet.Invalid, "the configuration does not say where the S3 server is").WithField("s3.endpoint").
				WithHint("write the server and its keys into the section s3, and restart the daemon")
		}
		secret, err := secretIn("s3.secret_key_file", c.SecretKeyFile)
		if err != nil {
			return opt, err
		}
		opt.S3 = s3.Config{
			Endpoint: c.Endpoint, Region: c.Region, AccessKey: c.AccessKey, SecretKey: secret, PathStyle: c.PathStyle, CAFile: c.CAFile,
		}
	}
	return opt, nil
}

// cache is a folder of the repository's own.
func (o opener) cache(location string) string {
	if location == o.cfg.BackupLocation() {
		return o.cfg.BackupCache()
	}
	sum := sha256.Sum256([]byte(location))
	return o.cfg.BackupCache() + ".of-" + hex.EncodeToString(sum[:4])
}

// Init implements backups.Opener.
func (o opener) Init(ctx context.Context, location, key string) error {
	opt, err := o.options(location, key)
	if err != nil {
		return err
	}
	repo, err := repository.Init(ctx, opt, repository.Lock{For: o.cfg.Backups.LockFor})
	if err != nil {
		return err
	}
	return repo.Close(ctx)
}

// Open implements backups.Opener. The repository outlives the request that opens it.
func (o opener) Open(ctx context.Context, location, key string) (backups.Repository, error) {
	opt, err := o.options(location, key)
	if err != nil {
		return nil, err
	}
	repo, err := repository.Open(ctx, opt)
	if err != nil {
		return nil, err
	}
	return &kopia{repo}, nil
}

// kopia is a repository as backups use one.
type kopia struct{ *repository.Repository }

func storedOf(s repository.Stored) backups.Stored {
	return backups.Stored{
		ID: s.ID, DoneAt: s.DoneAt, Size: fleet.Size(s.Size), Moved: fleet.Size(s.Moved), Files: s.Files,
		Meta: backups.Meta{Kind: string(s.Meta.Kind), Tenant: s.Meta.Tenant, TakenAt: s.Meta.TakenAt, Labels: s.Meta.Labels},
	}
}

// broken says damage in backups' words.
func broken(err error) error {
	if d, ok := errors.AsType[*repository.Damage](err); ok {
		return &backups.Damage{What: wordsOf(d)}
	}
	return err
}

func wordsOf(d *repository.Damage) string {
	what := d.Path
	if what == "" {
		what = "its list of files"
	}
	return what + " cannot be read: object " + d.Object + ": " + d.Err.Error()
}

// Write implements backups.Repository.
func (k *kopia) Write(ctx context.Context, meta backups.Meta, tar io.Reader, progress func(fleet.Progress)) (backups.Stored, error) {
	s, err := k.Repository.Write(ctx, repository.Meta{
		Kind: repository.Kind(meta.Kind), Tenant: meta.Tenant, TakenAt: meta.TakenAt, Labels: meta.Labels,
	}, tar, progress)
	return storedOf(s), err
}

// Read implements backups.Repository.
func (k *kopia) Read(ctx context.Context, id string, w io.Writer, progress func(fleet.Progress)) error {
	return broken(k.Repository.Read(ctx, id, w, progress))
}

// List implements backups.Repository.
func (k *kopia) List(ctx context.Context, kind string) ([]backups.Stored, error) {
	all, err := k.Repository.List(ctx)
	if err != nil {
		return nil, err
	}
	var list []backups.Stored
	for _, s := range all {
		if string(s.Meta.Kind) == kind {
			list = append(list, storedOf(s))
		}
	}
	slices.SortStableFunc(list, func(a, b backups.Stored) int { return b.Meta.TakenAt.Compare(a.Meta.TakenAt) })
	return list, nil
}

// Delete implements backups.Repository.
func (k *kopia) Delete(ctx context.Context, id string) error {
	if err := k.Repository.Delete(ctx, id); fleet.CodeOf(err) != fleet.NotFound {
		return err
	}
	return nil
}

// Verify implements backups.Repository.
func (k *kopia) Verify(ctx context.Context, ids []string, deep bool, progress func(fleet.Progress)) (map[string][]string, error) {
	found, err := k.Repository.Verify(ctx, repository.VerifyOptions{IDs: ids, Quick: !deep}, progress)
	wrong := map[string][]string{}
	for _, d := range found {
		wrong[d.Backup] = append(wrong[d.Backup], wordsOf(d))
	}
	return wrong, err
}

// Prune implements backups.Repository. Another process that prunes is waited for.
func (k *kopia) Prune(ctx context.Context, progress func(fleet.Progress)) error {
	_, err := k.Repository.Prune(ctx, progress)
	if fleet.CodeOf(err) == fleet.Busy {
		return fleet.Errorf(fleet.Unavailable, "%w", err).WithHint("it is tried again")
	}
	return err
}

// Size implements backups.Repository.
func (k *kopia) Size(ctx context.Context) (fleet.Size, error) {
	s, err := k.Stats(ctx)
	return fleet.Size(s.Used), err
}

// Listing implements backups.Repository.
func (k *kopia) Listing(ctx context.Context, id string) ([]fleet.FileInfo, error) {
	list, err := k.Repository.Listing(ctx, id)
	return list, broken(err)
}

// Files implements backups.Repository.
func (k *kopia) Files(ctx context.Context, id, folder string) ([]fleet.FileInfo, error) {
	folder = path.Clean("/" + folder)
	list, err := k.Repository.Files(ctx, id, inside(folder))
	if err != nil {
		return nil, broken(err)
	}
	files := make([]fleet.FileInfo, len(list))
	for i, e := range list {
		files[i] = fileOf(path.Join(folder, e.Name), e)
	}
	return files, nil
}

// File implements backups.Repository.
func (k *kopia) File(ctx context.Context, id, name string) (io.ReadCloser, fleet.FileInfo, error) {
	name = path.Clean("/" + name)
	in, e, err := k.Repository.File(ctx, id, inside(name))
	if err != nil {
		return nil, fleet.FileInfo{}, broken(err)
	}
	return in, fileOf(name, e), nil
}

// inside is an absolute path as the repository has it.
func inside(name string) string { return strings.TrimPrefix(name, "/") }

func fileOf(name string, e repository.Entry) fleet.FileInfo {
	info := fleet.FileInfo{
		Path: name, Type: fleet.FileOther, Mode: modeOf(e.Mode), UID: int64(e.UID), GID: int64(e.GID), Size: fleet.Size(e.Size), ModTime: e.ModTime, Target: e.Target,
	}
	switch e.Mode.Type() {
	case 0:
		info.Type = fleet.FileRegular
	case fs.ModeDir:
		info.Type = fleet.FileFolder
	case fs.ModeSymlink:
		info.Type = fleet.FileSymlink
	}
	return info
}

// modeOf gives the bits as chmod has them.
func modeOf(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}
