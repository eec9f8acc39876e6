package backups

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// VaultOptions say where the repository is and which key opens it.
type VaultOptions struct {
	// Location is file:///folder or s3://bucket/prefix.
	Location string
	// KeyFile holds the key. It is made with the repository and never overwritten.
	KeyFile string
	// Auto makes the repository where there is neither one nor a key file: for the local folder
	// that is used while nothing is configured.
	Auto   bool
	Opener Opener
}

// Vault is the repository with its key. It is opened when it is first asked for, and again
// after it could not be.
type Vault struct {
	opt VaultOptions

	mu   sync.Mutex // held while it is opened, made or given another key
	repo Repository
	key  string // that opened it

	others map[string]other // that a fleet is recovered from, by location
}

// NewVault makes a Vault. Nothing is opened yet.
func NewVault(opt VaultOptions) *Vault { return &Vault{opt: opt} }

// Location is where the repository is.
func (v *Vault) Location() string { return v.opt.Location }

func (v *Vault) nextFile() string { return v.opt.KeyFile + ".next" }

// Open gives the repository. fleet.NotFound where there is none yet or its key file is missing;
// fleet.Forbidden where the key does not open it; fleet.Unavailable where it cannot be reached.
func (v *Vault) Open(ctx context.Context) (Repository, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open(ctx)
}

func (v *Vault) open(ctx context.Context) (Repository, error) {
	if v.repo != nil {
		return v.repo, nil
	}
	key, err := readKeyFile(v.opt.KeyFile)
	if fleet.CodeOf(err) == fleet.NotFound && v.opt.Auto {
		if key, err = v.make(ctx); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	repo, err := v.opt.Opener.Open(ctx, v.opt.Location, key)
	if fleet.CodeOf(err) == fleet.Forbidden {
		return v.openWithNext(ctx, err)
	}
	if err != nil {
		return nil, v.explain(err)
	}
	v.repo, v.key = repo, key
	return repo, nil
}

// openWithNext finishes a rotation that was cut off after the repository took the new key.
func (v *Vault) openWithNext(ctx context.Context, refused error) (Repository, error) {
	key, err := readKeyFile(v.nextFile())
	if err != nil {
		return nil, v.explain(refused)
	}
	repo, err := v.opt.Opener.Open(ctx, v.opt.Location, key)
	if err != nil {
		return nil, v.explain(refused)
	}
	if err := replaceKeyFile(v.nextFile(), v.opt.KeyFile); err != nil {
		return nil, errors.Join(err, repo.Close(ctx))
	}
	v.repo, v.key = repo, key
	return repo, nil
}

// explain says of a repository that cannot be opened what to do.
func (v *Vault) explain(err error) error {
	switch fleet.CodeOf(err) {
	case fleet.Forbidden:
		return fleet.Errorf(fleet.Forbidden, "the backups at %s cannot be opened: %w", v.opt.Location, err).
			WithHint("put the right key into %s; nothing is written until then", v.opt.KeyFile)
	case fleet.NotFound:
		return fleet.Errorf(fleet.NotFound, "there is no backup repository at %s", v.opt.Location).
			WithHint("make one: lxdfleet backup init")
	}
	return err
}

// Init makes the repository. Its key is the one in the key file, where somebody put one there,
// or else a new one. fleet.Taken where there is a repository, or somebody else's objects are.
func (v *Vault) Init(ctx context.Context) (key string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.repo != nil {
		return "", fleet.Errorf(fleet.Taken, "there is a backup repository at %s already", v.opt.Location).
			WithHint("lxdfleet backup status tells about it")
	}
	return v.make(ctx)
}

func (v *Vault) make(ctx context.Context) (string, error) {
	key, err := readKeyFile(v.opt.KeyFile)
	ours := false
	switch fleet.CodeOf(err) {
	case "":
	case fleet.NotFound:
		// The key is on disk before anything is encrypted with it.
		key, ours = newKey(), true
		if err := writeKeyFile(v.opt.KeyFile, key); err != nil {
			return "", err
		}
	default:
		return "", err
	}
	if err := v.opt.Opener.Init(ctx, v.opt.Location, key); err != nil {
		// Where it is not known whether the repository took the key, the key stays.
		if ours && fleet.CodeOf(err) == fleet.Taken {
			_ = os.Remove(v.opt.KeyFile)
		}
		return "", err
	}
	return key, nil
}

// Rotate gives the repository a new key. Nothing that is in it is written anew. The new key is on
// disk before the repository asks for it, and a rotation that is cut off is finished by Open.
func (v *Vault) Rotate(ctx context.Context) (key string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	repo, err := v.open(ctx)
	if err != nil {
		return "", err
	}
	// What is left of a rotation that never reached the repository: the old key opened it.
	if err := os.Remove(v.nextFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fleet.Errorf(fleet.Forbidden, "make room for the new key: %w", err).WithHint("delete %s", v.nextFile())
	}
	key = newKey()
	if err := writeKeyFile(v.nextFile(), key); err != nil {
		return "", err
	}
	if err := repo.Rotate(ctx, key); err != nil {
		return "", err
	}
	if err := replaceKeyFile(v.nextFile(), v.opt.KeyFile); err != nil {
		return "", err
	}
	_ = repo.Close(ctx) // it was opened with a key that is no more
	v.repo, v.key = nil, ""
	return key, nil
}

// KeyID names the key the repository was opened with, or that in the key file; empty where there
// is none.
func (v *Vault) KeyID() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := v.key
	if key == "" {
		key, _ = readKeyFile(v.opt.KeyFile)
	}
	if key == "" {
		return ""
	}
	return keyID(key)
}

// holds reports whether text is the key of the repository.
func (v *Vault) holds(text string) (bool, error) {
	typed, err := parseKey(text)
	if err != nil {
		return false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	key := v.key
	if key == "" {
		if key, err = readKeyFile(v.opt.KeyFile); err != nil {
			return false, err
		}
	}
	return typed == key, nil
}

// Close closes what is open; it is opened again when it is asked for.
func (v *Vault) Close(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var failures []error
	for _, o := range v.others {
		failures = append(failures, o.repo.Close(ctx))
	}
	if v.repo != nil {
		failures = append(failures, v.repo.Close(ctx))
	}
	v.repo, v.key, v.others = nil, "", nil
	return errors.Join(failures...)
}

// Away reports whether backups leave the machine the daemon runs on, as far as the location tells.
func (v *Vault) Away() bool { return !isFolder(v.opt.Location) }

func isFolder(location string) bool {
	const scheme = "file://"
	return len(location) >= len(scheme) && location[:len(scheme)] == scheme
}

// DefaultLocation is where backups are kept while nothing is configured.
func DefaultLocation(dataDir, configured string) string {
	return cmp.Or(configured, "file://"+filepath.Join(dataDir, "backups"))
}
