package repository

import (
	"context"
	"errors"
	"os"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/format"
	"github.com/kopia/kopia/repo/maintenance"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// blobConfig is the object that kopia writes first in a new repository.
const blobConfig = format.KopiaBlobCfgBlobID

// What is measured in docs/decisions/2026-11-22-backup-repository.md.
const (
	hash       = "BLAKE2B-256-128"
	encryption = "AES256-GCM-HMAC-SHA256"
	splitter   = "DYNAMIC-1M-BUZHASH"
	packSize   = 16 << 20
)

// Init makes a new repository where nothing is, and opens it. A folder is made where it is
// missing; a bucket has to be there. What belongs to somebody else is not touched: the error is
// then of code Taken, as it is where there is a repository already.
func Init(ctx context.Context, o Options, lock Lock) (*Repository, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	at, err := o.where()
	if err != nil {
		return nil, err
	}
	if at.folder != "" {
		if lock.For != 0 {
			return nil, fleet.Errorf(fleet.Unsupported, "only an S3 server locks what was written").WithField("lock_for").
				WithHint("leave the lock away, or name a bucket")
		}
		if err := os.MkdirAll(at.folder, 0o700); err != nil {
			return nil, fail(ctx, "make the folder of the backups", err)
		}
	}
	r, err := reach(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := r.vacant(ctx); err != nil { // before a lock is put there
		return nil, err
	}
	err = r.exclusive(ctx, "make a repository", func(ctx context.Context) error { return r.create(ctx, lock) })
	if err != nil {
		return nil, err
	}
	return r, nil
}

// create makes the repository, under the lock.
func (r *Repository) create(ctx context.Context, lock Lock) error {
	if err := r.vacant(ctx); err != nil {
		return err
	}
	// What an init left that was killed.
	if err := r.store.DeleteBlob(ctx, blobConfig); err != nil {
		return fail(ctx, "tidy up the place of the backups", err)
	}
	options := &repo.NewRepositoryOptions{
		BlockFormat: format.ContentFormat{
			Hash: hash, Encryption: encryption, EnablePasswordChange: true,
			MutableParameters: format.MutableParameters{
				Version: format.FormatVersion3, MaxPackSize: packSize, IndexVersion: 2,
			},
		},
		ObjectFormat: format.ObjectFormat{Splitter: splitter},
	}
	if lock.For > 0 {
		options.RetentionMode, options.RetentionPeriod = blob.Governance, lock.For
		if lock.Compliance {
			options.RetentionMode = blob.Compliance
		}
	}
	if err := repo.Initialize(ctx, r.store, options, r.options.Passphrase); err != nil {
		return fail(ctx, "make a repository", err)
	}
	var err error
	if r.rep, err = r.open(ctx, r.options.Passphrase); err != nil {
		return err
	}
	// kopia's own tool is not to prune by itself when it comes by.
	err = repo.WriteSession(ctx, r.rep, repo.WriteSessionOptions{Purpose: "init"}, func(ctx context.Context, w repo.RepositoryWriter) error {
		p := maintenance.DefaultParams()
		p.Owner = userName + "@" + hostName
		p.ExtendObjectLocks = lock.For > 0
		return maintenance.SetParams(ctx, w, &p)
	})
	return fail(ctx, "make a repository", err)
}

// vacant refuses a place that something is in.
func (r *Repository) vacant(ctx context.Context) error {
	var b buffer
	err := r.store.GetBlob(ctx, format.KopiaRepositoryBlobID, 0, -1, &b)
	if err == nil {
		return fleet.Errorf(fleet.Taken, "there is a repository at %s already", r.options.Location).WithField("location").
			WithHint("use it with its passphrase, or name another place")
	}
	if !errors.Is(err, blob.ErrBlobNotFound) {
		return fail(ctx, "look at the place of the backups", err)
	}
	var other string
	if r.bucket != nil {
		other, err = r.bucket.foreign(ctx)
	} else {
		other, err = r.folder.foreign(ctx)
	}
	if err != nil {
		return fail(ctx, "look at the place of the backups", err)
	}
	if other != "" {
		return fleet.Errorf(fleet.Taken, "%s is not empty: there is %s, for one", r.options.Location, other).WithField("location").
			WithHint("name an empty folder, bucket or prefix; nothing was changed")
	}
	return nil
}
