package repository

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"
)

// tree writes the folders of a backup while its files come in the order of a tar stream. A folder
// that the stream has left is written when all that is in it is, and forgotten; where the stream
// comes back to it, it is read again.
type tree struct {
	ctx context.Context //nolint:containedctx // of the whole write
	to  repo.RepositoryWriter

	root   *branch
	at     []*branch // from the root to where the stream is
	beside *branch   // nil: nothing is in it
	count  int       // of what is beside
	links  []link
}

// branch is a folder of a tree that is being written.
type branch struct {
	name string
	up   *branch // nil: the root

	mu      sync.Mutex
	entry   snapshot.DirEntry // the folder's own
	entries map[string]*snapshot.DirEntry
	open    map[string]*branch // folders in it that are not written yet
	waits   int                // for so many: the stream's being here, files and folders under way

	done chan struct{} // closed when it is written, and entry with it
}

func newBranch(name string, up *branch) *branch {
	return &branch{
		name: name, up: up, entries: make(map[string]*snapshot.DirEntry), open: make(map[string]*branch),
		waits: 1, done: make(chan struct{}),
		entry: snapshot.DirEntry{Name: name, Type: snapshot.EntryTypeDirectory, Permissions: 0o755},
	}
}

func newTree(ctx context.Context, to repo.RepositoryWriter) *tree {
	root := newBranch("files", nil)
	return &tree{ctx: ctx, to: to, root: root, at: []*branch{root}}
}

// place takes an entry's name apart: the folders to it, and its name in the last one. The root's
// own name is empty. ok is false where the tree cannot hold such a name.
func place(name string) (folders []string, last string, ok bool) {
	name = path.Clean("/" + name)[1:]
	if name == "" {
		return nil, "", true
	}
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return nil, "", false
	}
	parts := strings.Split(name, "/")
	return parts[:len(parts)-1], parts[len(parts)-1], true
}

// outside reports whether a name leads out of the tree.
func outside(name string) bool {
	depth := 0
	for _, part := range strings.Split(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// entryOf gives kopia's entry of a tar header; the object comes later.
func entryOf(h *tar.Header, kind snapshot.EntryType) snapshot.DirEntry {
	return snapshot.DirEntry{
		Type: kind, Permissions: snapshot.Permissions(h.FileInfo().Mode() & fs.ModBits),
		ModTime: timestamp(h.ModTime), UserID: uint32(h.Uid), GroupID: uint32(h.Gid),
	}
}

// timestamp gives kopia's form of a time, which has no year before 1678 or after 2262.
func timestamp(t time.Time) fs.UTCTimestamp {
	if y := t.Year(); y < 1679 || y > 2261 {
		return 0
	}
	return fs.UTCTimestamp(t.UnixNano())
}

// enter makes a folder the one where the stream is. It is nil where something else than a folder
// is in the way.
func (t *tree) enter(folders []string) (*branch, error) {
	same := 0
	for same < len(folders) && same+1 < len(t.at) && t.at[same+1].name == folders[same] {
		same++
	}
	for len(t.at) > same+1 {
		last := t.at[len(t.at)-1]
		t.at = t.at[:len(t.at)-1]
		if err := t.release(last); err != nil {
			return nil, err
		}
	}
	for _, name := range folders[same:] {
		next, err := t.step(t.at[len(t.at)-1], name)
		if err != nil || next == nil {
			return nil, err
		}
		t.at = append(t.at, next)
	}
	return t.at[len(t.at)-1], nil
}

// step goes from a folder into one in it, which is made, or read again.
func (t *tree) step(b *branch, name string) (*branch, error) {
	b.mu.Lock()
	going := b.open[name]
	b.mu.Unlock()
	if going != nil {
		if err := t.await(going); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	next := newBranch(name, b)
	if e := b.entries[name]; e != nil {
		if e.Type != snapshot.EntryTypeDirectory {
			return nil, nil
		}
		if err := t.reread(next, e); err != nil {
			return nil, err
		}
	}
	b.open[name] = next
	b.waits++
	return next, nil
}

func (t *tree) await(b *branch) error {
	select {
	case <-b.done:
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// reread fills a branch with what was written of it.
func (t *tree) reread(b *branch, e *snapshot.DirEntry) error {
	entries, err := t.list(e.ObjectID)
	if err != nil {
		return err
	}
	b.entry, b.entries = *e, entries
	return nil
}

func (t *tree) list(id object.ID) (map[string]*snapshot.DirEntry, error) {
	m, err := readFolder(t.ctx, t.to, id)
	if err != nil {
		return nil, fmt.Errorf("read a folder again: %w", err)
	}
	entries := make(map[string]*snapshot.DirEntry, len(m.Entries))
	for _, e := range m.Entries {
		entries[e.Name] = e
	}
	return entries, nil
}

// readFolder reads a folder's manifest.
func readFolder(ctx context.Context, from repo.Repository, id object.ID) (*snapshot.DirManifest, error) {
	r, err := from.OpenObject(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	m := &snapshot.DirManifest{}
	if err := json.NewDecoder(r).Decode(m); err != nil {
		return nil, fmt.Errorf("folder %s: %w", id, err)
	}
	return m, nil
}

// hold keeps a folder from being written until release is called.
func (b *branch) hold() {
	b.mu.Lock()
	b.waits++
	b.mu.Unlock()
}

// release ends a hold. The last one writes the folder, and ends the hold of the one it is in.
func (t *tree) release(b *branch) error {
	b.mu.Lock()
	b.waits--
	last := b.waits == 0
	b.mu.Unlock()
	if !last {
		return nil
	}
	if err := t.write(b); err != nil {
		return err
	}
	if b.up != nil {
		b.up.mu.Lock()
		delete(b.up.open, b.name)
		b.up.entries[b.name] = &b.entry
		b.up.mu.Unlock()
	}
	close(b.done)
	if b.up != nil {
		return t.release(b.up)
	}
	return nil
}

// write writes a folder that nothing is added to any more.
func (t *tree) write(b *branch) error {
	var m snapshotfs.DirManifestBuilder
	for _, e := range b.entries {
		m.AddEntry(e)
	}
	manifest := m.Build(b.entry.ModTime, "")
	id, err := snapshotfs.WriteDirManifest(t.ctx, t.to, b.name, manifest, compressor)
	b.entry.ObjectID, b.entry.DirSummary = id, manifest.Summary
	b.entries = nil
	return err
}

// put places an entry in a folder. What is there already under that name goes beside it, unless
// it is a folder: then the new one does.
func (t *tree) put(b *branch, name string, e *snapshot.DirEntry) {
	e.Name = name
	b.mu.Lock()
	old := b.entries[name]
	folder := b.open[name] != nil || old != nil && old.Type == snapshot.EntryTypeDirectory
	if !folder {
		b.entries[name] = e
	}
	b.mu.Unlock()
	switch {
	case folder:
		t.aside(e)
	case old != nil:
		t.aside(old)
	}
}

// aside keeps an entry whose content the stream needs and the tree has no place for.
func (t *tree) aside(e *snapshot.DirEntry) {
	t.root.mu.Lock() // any lock that all share
	defer t.root.mu.Unlock()
	if t.beside == nil {
		t.beside = newBranch("beside", nil)
	}
	t.count++
	kept := *e
	kept.Name = strconv.Itoa(t.count)
	t.beside.entries[kept.Name] = &kept
}

// folder sets what a folder's own entry in the stream says.
func (t *tree) folder(h *tar.Header) error {
	folders, last, ok := place(h.Name)
	if !ok || outside(h.Name) {
		return nil // the headers have it
	}
	if last != "" {
		folders = append(folders, last)
	}
	b, err := t.enter(folders)
	if err != nil || b == nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name := b.entry.Name
	b.entry = entryOf(h, snapshot.EntryTypeDirectory)
	b.entry.Name = name
	return nil
}

// finish writes what is left of the tree, and gives the entry of the folder that all of it is in.
func (t *tree) finish(headers *snapshot.DirEntry) (*snapshot.DirEntry, error) {
	if err := t.tie(); err != nil {
		return nil, err
	}
	if _, err := t.enter(nil); err != nil {
		return nil, err
	}
	if err := t.release(t.root); err != nil {
		return nil, err
	}
	if err := t.await(t.root); err != nil {
		return nil, err
	}
	top := newBranch("", nil)
	top.entries["files"], top.entries["headers"] = &t.root.entry, headers
	if t.beside != nil {
		if err := t.release(t.beside); err != nil {
			return nil, err
		}
		top.entries["beside"] = &t.beside.entry
	}
	top.entry.ModTime = t.root.entry.ModTime
	return &top.entry, t.release(top)
}
