package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Repository is an open repository. Its methods may be called from any goroutine, as many at a
// time as wanted.
type Repository struct {
	options Options
	config  string // kopia's configuration file; that of readings is beside it
	store   *store
	bucket  *bucket // nil for a folder
	folder  *folder // nil for a bucket
	wait    time.Duration
	lease   time.Duration
	flush   int64 // bytes moved after which a write makes what it has findable

	rep      repo.DirectRepository
	readings *readings

	mu         sync.Mutex
	passphrase string // as it is now
}

// who we are in kopia's records.
const (
	userName = "lxdfleet"
	hostName = "lxdfleet"
)

// Open opens a repository. Its errors: NotFound where there is none, Forbidden where the
// passphrase or the keys of the server do not fit, Unavailable where the server does not answer.
func Open(ctx context.Context, o Options) (*Repository, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r, err := reach(ctx, o)
	if err != nil {
		return nil, err
	}
	if r.rep, err = r.open(ctx, o.Passphrase); err != nil {
		return nil, err
	}
	return r, nil
}

// reach prepares the way to the place of a repository.
func reach(ctx context.Context, o Options) (*Repository, error) {
	at, err := o.where()
	if err != nil {
		return nil, err
	}
	r := &Repository{options: o, passphrase: o.Passphrase, config: filepath.Join(o.CacheDir, "kopia.json"), wait: lockWait, lease: lockLease, flush: flushAfter}
	var under blob.Storage
	if at.folder != "" {
		r.folder, err = openFolder(ctx, at.folder)
		under = r.folder
	} else {
		r.bucket, err = openBucket(ctx, at.bucket, o.Limits)
		under = r.bucket
	}
	if err != nil {
		return nil, err
	}
	if o.under != nil {
		under = o.under(under)
	}
	r.store = &store{Storage: under}
	r.readings = &readings{open: r.openReading}
	return r, nil
}

// lockWait is how long Prune and Rotate wait for another process to end what it does.
const lockWait = 2*lockLease + 10*time.Second

// indexCache bounds what is kept of folders and indexes on this machine, fileCache what is kept
// of single files that were looked at.
const (
	indexCache = 512 << 20
	fileCache  = 64 << 20
)

// open opens the repository with kopia. What a change of the passphrase left half done is ended.
func (r *Repository) open(ctx context.Context, passphrase string) (repo.DirectRepository, error) {
	caching := content.CachingOptions{
		CacheDirectory:         filepath.Join(r.options.CacheDir, "cache"),
		MetadataCacheSizeBytes: indexCache, ContentCacheSizeBytes: fileCache,
	}
	rep, err := r.connect(ctx, r.config, caching, passphrase)
	if err != nil && !errors.Is(err, repo.ErrInvalidPassword) && !errors.Is(err, blob.ErrBlobNotFound) && r.mend(ctx) {
		rep, err = r.connect(ctx, r.config, caching, passphrase)
	}
	if errors.Is(err, blob.ErrBlobNotFound) {
		return nil, fleet.Errorf(fleet.NotFound, "there is no repository at %s", r.options.Location).WithField("location").
			WithHint("make one with init, or name the place of another one")
	}
	return rep, fail(ctx, "open the repository", err)
}

// openReading opens it for reads of whole backups.
func (r *Repository) openReading(ctx context.Context) (repo.DirectRepository, error) {
	r.mu.Lock()
	passphrase := r.passphrase
	r.mu.Unlock()
	return r.connect(context.WithoutCancel(ctx), r.config+".reading", content.CachingOptions{}, passphrase)
}

func (r *Repository) connect(ctx context.Context, config string, caching content.CachingOptions, passphrase string) (repo.DirectRepository, error) {
	if err := r.configure(config, caching); err != nil {
		return nil, fmt.Errorf("prepare the cache of the backups: %w", err)
	}
	rep, err := repo.Open(context.WithValue(ctx, storageKey{}, blob.Storage(r.store)), config, passphrase, &repo.Options{
		TimeNowFunc:          r.options.Now,
		DisableRepositoryLog: true,
		DoNotWaitForUpgrade:  true,
		OnFatalError:         func(error) {},
	})
	if err != nil {
		return nil, err
	}
	direct, ok := rep.(repo.DirectRepository)
	if !ok {
		return nil, fmt.Errorf("kopia gave a %T", rep)
	}
	return direct, nil
}

// configure writes a configuration file of kopia's, which holds neither place nor key.
func (r *Repository) configure(config string, caching content.CachingOptions) error {
	if err := os.MkdirAll(r.options.CacheDir, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(repo.LocalConfig{
		Storage: &blob.ConnectionInfo{Type: storageType, Config: &storageOptions{}},
		Caching: &caching,
		ClientOptions: repo.ClientOptions{
			Hostname: hostName, Username: userName, Description: "lxdfleet",
			FormatBlobCacheDuration: -1, // another process may have changed the passphrase
		},
	})
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(config); err == nil && string(old) == string(data) {
		return nil
	}
	f, err := os.CreateTemp(r.options.CacheDir, "kopia.json.*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), config)
	}
	return err
}

// Close gives free what an open repository holds. No other method may be called any more.
func (r *Repository) Close(ctx context.Context) error {
	r.readings.forget()
	return fail(ctx, "close the repository", r.rep.Close(ctx))
}

// fresh gives kopia's repository with what other processes have written to it since.
func (r *Repository) fresh(ctx context.Context) (repo.DirectRepository, error) {
	return r.rep, r.rep.Refresh(ctx)
}
