package backups

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// A fleet can be recovered from a repository that is not the daemon's own. It is only read. Its
// key is kept beside the daemon's, so that the restores go on after a restart.

// At gives the repository at a location: the daemon's own where that is empty or the same, else
// one that Admit has opened, or that the daemon's own key opens. Errors are those of Open.
func (v *Vault) At(ctx context.Context, location string) (Repository, error) {
	if v.isOwn(location) {
		return v.Open(ctx)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if open, ok := v.others[location]; ok {
		return open.repo, nil
	}
	key, err := readKeyFile(v.fileFor(location))
	if fleet.CodeOf(err) == fleet.NotFound {
		if key, err = readKeyFile(v.opt.KeyFile); fleet.CodeOf(err) == fleet.NotFound {
			return nil, needsKey(location, errors.New("no key was given"))
		}
	}
	if err != nil {
		return nil, err
	}
	return v.openOther(ctx, location, key)
}

// Admit opens the repository at a location that is not the daemon's own with its recovery key.
// With keep, At opens it from then on.
func (v *Vault) Admit(ctx context.Context, location, key string, keep bool) (Repository, error) {
	if v.isOwn(location) {
		return nil, fleet.Errorf(fleet.Conflict, "%s is where this daemon keeps its own backups", v.opt.Location).WithField("key").
			WithHint("put its key into %s", v.opt.KeyFile)
	}
	key, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	repo, err := v.openOther(ctx, location, key)
	if err != nil || !keep {
		return repo, err
	}
	return repo, v.keepKey(location, key)
}

func (v *Vault) keepKey(location, key string) error {
	file := v.fileFor(location)
	if old, err := readKeyFile(file); err == nil && old == key {
		return nil
	}
	next := file + ".next"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fleet.Errorf(fleet.Forbidden, "make room for a key: %w", err).WithHint("delete %s", next)
	}
	if err := writeKeyFile(next, key); err != nil {
		return err
	}
	return replaceKeyFile(next, file)
}

// other is a repository that is not the daemon's own.
type other struct {
	repo Repository
	key  string
}

// openOther opens a repository, unless it is open with that key.
func (v *Vault) openOther(ctx context.Context, location, key string) (Repository, error) {
	before, open := v.others[location]
	if open && before.key == key {
		return before.repo, nil
	}
	repo, err := v.opt.Opener.Open(ctx, location, key)
	switch fleet.CodeOf(err) {
	case "":
	case fleet.Forbidden:
		return nil, needsKey(location, err)
	case fleet.NotFound:
		return nil, fleet.Errorf(fleet.NotFound, "there is no backup repository at %s", location).WithField("from").
			WithHint("write it as the lost daemon's backups.location had it")
	case fleet.Invalid:
		if e, ok := errors.AsType[*fleet.Error](err); ok {
			return nil, fleet.Errorf(fleet.Invalid, "%s cannot be read from: %w", location, err).WithField("from").
				WithHint("%s", cmp.Or(e.Hint, "write it as s3://bucket/folder or file:///folder"))
		}
		return nil, err
	default:
		return nil, err
	}
	if v.others == nil {
		v.others = map[string]other{}
	}
	if open {
		_ = before.repo.Close(ctx) // its key was replaced
	}
	v.others[location] = other{repo, key}
	return repo, nil
}

func needsKey(location string, err error) error {
	return fleet.Errorf(fleet.Forbidden, "the backups at %s cannot be opened: %w", location, err).WithField("key").
		WithHint("give their recovery key: lxdfleet recover --from %s --key-file FILE", location)
}

// isOwn reports whether a location is the daemon's own.
func (v *Vault) isOwn(location string) bool {
	return location == "" || strings.TrimRight(location, "/") == strings.TrimRight(v.opt.Location, "/")
}

// fileFor is where the key of a repository elsewhere is kept.
func (v *Vault) fileFor(location string) string {
	sum := sha256.Sum256([]byte(location))
	return v.opt.KeyFile + ".of-" + hex.EncodeToString(sum[:4])
}
