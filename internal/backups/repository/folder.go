package repository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/filesystem"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// folder keeps the objects in a folder, as kopia does.
type folder struct {
	blob.Storage
	path string
}

// openFolder opens the storage of a folder that is there.
func openFolder(ctx context.Context, path string) (*folder, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fleet.Errorf(fleet.NotFound, "there is no folder %s", path).WithField("location").
			WithHint("see whether the disk is mounted; a new repository is made by init")
	} else if err != nil {
		return nil, fail(ctx, "look for the backups", err)
	}
	st, err := filesystem.New(ctx, &filesystem.Options{Path: path, FileMode: 0o600, DirectoryMode: 0o700}, false)
	if err != nil {
		return nil, fail(ctx, "open the folder of the backups", err)
	}
	return &folder{Storage: st, path: path}, nil
}

// foreign gives the name of something in the folder that is not ours, empty where there is
// nothing.
func (f *folder) foreign(context.Context) (string, error) {
	entries, err := os.ReadDir(f.path)
	for _, e := range entries {
		if name := e.Name(); !ours(strings.TrimSuffix(name, ".f")) && name != ".shards" && name != lockFile && name != "lost+found" {
			return filepath.Join(f.path, name), nil
		}
	}
	return "", err
}

func (f *folder) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, opts blob.PutOptions) error {
	// kopia tries a write again that the disk has no room for.
	if c, err := f.GetCapacity(ctx); err == nil && c.FreeB < uint64(data.Length())+reserve {
		return &wayError{fmt.Errorf("write %s: %d bytes are free: %w", f.path, c.FreeB, syscall.ENOSPC)}
	}
	return f.way(f.Storage.PutBlob(ctx, id, data, opts))
}

// reserve is left free on the disk of a folder.
const reserve = 1 << 20

func (f *folder) GetBlob(ctx context.Context, id blob.ID, offset, length int64, out blob.OutputBuffer) error {
	return f.way(f.Storage.GetBlob(ctx, id, offset, length, out))
}

func (f *folder) GetMetadata(ctx context.Context, id blob.ID) (blob.Metadata, error) {
	m, err := f.Storage.GetMetadata(ctx, id)
	return m, f.way(err)
}

func (f *folder) DeleteBlob(ctx context.Context, id blob.ID) error {
	return f.way(f.Storage.DeleteBlob(ctx, id))
}

func (f *folder) ListBlobs(ctx context.Context, prefix blob.ID, each func(blob.Metadata) error) error {
	return f.way(f.Storage.ListBlobs(ctx, prefix, each))
}

// way marks the errors of the disk.
func (f *folder) way(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); !ok {
		return err
	}
	return &wayError{err}
}

// ours reports whether an object's name is one that an Init that was killed leaves.
func ours(name string) bool {
	return name == blobConfig || strings.HasPrefix(name, ownPrefix)
}
