package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// VerifyOptions say what Verify looks at.
type VerifyOptions struct {
	// IDs are the backups; none: all.
	IDs []string
	// Quick looks whether all objects are there and long enough, and reads only the folders.
	Quick bool
}

// maxDamage is the most that Verify tells of one backup.
const maxDamage = 100

// Verify reads all contents of backups and tells what is damaged, at most a hundred files of
// each. Contents that several backups share are read once. An error says that it could not be
// found out.
func (r *Repository) Verify(ctx context.Context, o VerifyOptions, progress func(fleet.Progress)) ([]*Damage, error) {
	within, rep, done, err := r.reading(ctx)
	if err != nil {
		return nil, fail(ctx, "verify", err)
	}
	defer done()
	ids := o.IDs
	if len(ids) == 0 {
		all, err := r.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range all {
			ids = append(ids, b.ID)
		}
	}
	v := &verifier{
		ctx: within, repo: rep, quick: o.Quick, parallel: max(r.options.parallel(), 2), progress: progress,
		seen: make(map[content.ID]bool), bad: make(map[content.ID]error),
	}
	if v.packs, err = r.packs(ctx); err != nil {
		return nil, err
	}
	var found []*Damage
	for _, id := range ids {
		_, man, err := r.find(ctx, id)
		if err != nil {
			if d, ok := errors.AsType[*Damage](err); ok {
				found = append(found, d)
				continue
			}
			return found, err
		}
		d, err := v.backup(man)
		found = append(found, d...)
		if err != nil {
			return found, fail(ctx, "verify", err)
		}
	}
	return found, nil
}

// packs gives the length of each pack.
func (r *Repository) packs(ctx context.Context) (map[blob.ID]int64, error) {
	packs := make(map[blob.ID]int64)
	for _, prefix := range content.PackBlobIDPrefixes {
		if err := r.store.ListBlobs(ctx, prefix, func(m blob.Metadata) error {
			packs[m.BlobID] = m.Length
			return nil
		}); err != nil {
			return nil, fail(ctx, "list the repository's objects", err)
		}
	}
	return packs, nil
}

// verifier is one Verify.
type verifier struct {
	ctx      context.Context //nolint:containedctx // of the whole of it
	repo     repo.DirectRepository
	quick    bool
	parallel int
	progress func(fleet.Progress)
	packs    map[blob.ID]int64

	seen map[content.ID]bool // looked at
	bad  map[content.ID]error

	read, told int64
	todo       []content.Info
	damage     []*Damage
	files      []verified
}

// verified is a file whose contents are to be looked at.
type verified struct {
	path     string
	object   object.ID
	contents []content.ID
}

// backup verifies one backup.
func (v *verifier) backup(man *snapshot.Manifest) ([]*Damage, error) {
	v.damage = nil
	b := string(man.ID)
	if err := v.folder(b, "", &snapshot.DirEntry{ObjectID: man.RootObjectID(), Type: snapshot.EntryTypeDirectory}); err != nil {
		return v.damage, err
	}
	return v.damage, v.flush(b)
}

// verifyBatch is how many contents are looked at together, in the order of their packs.
const verifyBatch = 20000

// folder goes through a folder and what is in it.
func (v *verifier) folder(backup, path string, e *snapshot.DirEntry) error {
	if err := v.note(backup, path, e.ObjectID); err != nil {
		return err
	}
	m, err := readFolder(v.ctx, v.repo, e.ObjectID)
	if err != nil {
		return v.found(backup, path, e.ObjectID, err)
	}
	for _, e := range m.Entries {
		at := path + "/" + e.Name
		if e.Type == snapshot.EntryTypeDirectory {
			err = v.folder(backup, at, e)
		} else {
			err = v.note(backup, at, e.ObjectID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// note notes the contents of an object, and looks at those noted when they are many.
func (v *verifier) note(backup, path string, id object.ID) error {
	ids, err := v.repo.VerifyObject(v.ctx, id)
	if err != nil {
		return v.found(backup, path, id, err)
	}
	v.files = append(v.files, verified{path, id, ids})
	for _, id := range ids {
		if v.seen[id] {
			continue
		}
		v.seen[id] = true
		info, err := v.repo.ContentInfo(v.ctx, id)
		if err != nil {
			v.bad[id] = err
			continue
		}
		v.todo = append(v.todo, info)
	}
	if len(v.todo) < verifyBatch && len(v.files) < 10*verifyBatch {
		return nil
	}
	return v.flush(backup)
}

// found keeps a damage. An error of the way to the objects ends the verification.
func (v *verifier) found(backup, path string, id object.ID, err error) error {
	if !isDamage(v.ctx, err) {
		return err
	}
	if len(v.damage) < maxDamage {
		v.damage = append(v.damage, &Damage{Backup: backup, Path: inStream(path), Object: id.String(), Err: err})
	}
	return nil
}

// inStream gives a path of the repository as the tar stream has it.
func inStream(path string) string {
	const files = "/files"
	switch {
	case path == "" || path == files:
		return "."
	case len(path) > len(files) && path[:len(files)+1] == files+"/":
		return path[len(files)+1:]
	}
	return "the backup's own " + path[1:]
}

// flush looks at the contents that are noted, and tells of the files they belong to.
func (v *verifier) flush(backup string) error {
	slices.SortFunc(v.todo, func(a, b content.Info) int {
		if a.PackBlobID != b.PackBlobID {
			if a.PackBlobID < b.PackBlobID {
				return -1
			}
			return 1
		}
		return int(a.PackOffset) - int(b.PackOffset)
	})
	if err := v.contents(); err != nil {
		return err
	}
	for _, f := range v.files {
		for _, id := range f.contents {
			if err := v.bad[id]; err != nil {
				if err := v.found(backup, f.path, f.object, err); err != nil {
					return err
				}
				break
			}
		}
	}
	v.todo, v.files = v.todo[:0], v.files[:0]
	return nil
}

// contents looks at contents, several at a time.
func (v *verifier) contents() error {
	ctx, cancel := context.WithCancelCause(v.ctx)
	defer cancel(nil)
	var mu sync.Mutex
	work := make(chan content.Info)
	var group sync.WaitGroup
	for range v.parallel {
		group.Go(func() {
			for info := range work {
				err := v.content(ctx, info)
				mu.Lock()
				switch {
				case err == nil:
				case isDamage(ctx, err):
					v.bad[info.ContentID] = err
				default:
					cancel(err)
				}
				v.tell(int64(info.PackedLength))
				mu.Unlock()
			}
		})
	}
	for _, info := range v.todo {
		select {
		case work <- info:
		case <-ctx.Done():
		}
	}
	close(work)
	group.Wait()
	return context.Cause(ctx)
}

func (v *verifier) tell(n int64) {
	if v.read += n; v.progress != nil && v.read-v.told >= toldEvery {
		v.told = v.read
		v.progress(fleet.Progress{Message: "verifying", Bytes: v.read})
	}
}

func (v *verifier) content(ctx context.Context, info content.Info) error {
	have, ok := v.packs[info.PackBlobID]
	if !ok { // it may be newer than the list
		m, err := v.repo.BlobReader().GetMetadata(ctx, info.PackBlobID)
		if err != nil {
			return err
		}
		have = m.Length
	}
	if want := int64(info.PackOffset) + int64(info.PackedLength); have < want {
		return fmt.Errorf("%s has %d bytes, and should have %d or more: %w", info.PackBlobID, have, want, blob.ErrInvalidRange)
	}
	if v.quick {
		return nil
	}
	_, err := v.repo.ContentReader().GetContent(ctx, info.ContentID)
	return err
}
