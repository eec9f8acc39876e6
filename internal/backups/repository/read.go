package repository

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// readAhead is how many contents are read before they are wanted, readAheadBytes how large
	// they are together.
	readAhead      = 512
	readAheadBytes = 24 << 20
)

// Read writes the tar stream that a backup was made from. All of it is checked while it is read:
// where an object is missing or altered, the stream ends before it and the error is a *Damage.
// progress is as in Write.
func (r *Repository) Read(ctx context.Context, id string, to io.Writer, progress func(fleet.Progress)) error {
	_, man, err := r.find(ctx, id)
	if err != nil {
		return err
	}
	within, rep, done, err := r.reading(ctx)
	if err != nil {
		return fail(ctx, "read the backup", err)
	}
	defer done()
	rd := &reader{repo: rep, id: id, ctx: within, parallel: max(r.options.parallel(), 2)}
	return rd.run(man, to, progress)
}

// top gives the entries of the folder that all of a backup is in.
func top(ctx context.Context, rep repo.Repository, man *snapshot.Manifest) (map[string]*snapshot.DirEntry, error) {
	m, err := readFolder(ctx, rep, man.RootObjectID())
	if err != nil {
		return nil, damaged(ctx, "read the backup", string(man.ID), "its folder", man.RootObjectID().String(), err)
	}
	entries := make(map[string]*snapshot.DirEntry)
	for _, e := range m.Entries {
		entries[e.Name] = e
	}
	if entries["files"] == nil || entries["headers"] == nil {
		return nil, fleet.Errorf(fleet.Unsupported, "backup %s lacks its files or headers", man.ID).WithHint("use kopia's own tool for it")
	}
	return entries, nil
}

// reader is one Read.
type reader struct {
	ctx      context.Context //nolint:containedctx // of the whole read
	repo     repo.DirectRepository
	id       string
	parallel int
}

// piece is a part of the stream that is read ahead.
type piece struct {
	raw  []byte // the stream's own; nil: an object's
	head []byte // the headers before the content, to tell whose it is
	id   object.ID
	size int64 // that the object has to have
	data chan read
}

type read struct {
	content object.Reader
	err     error
}

func (r *reader) run(man *snapshot.Manifest, to io.Writer, progress func(fleet.Progress)) error {
	entries, err := top(r.ctx, r.repo, man)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(r.ctx)
	pieces := make(chan piece, readAhead)
	work := make(chan piece)
	room := newRoom(readAheadBytes)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel(nil)
	group.Go(func() {
		defer close(pieces)
		defer close(work)
		if err := r.plan(ctx, entries["headers"], room, pieces, work); err != nil {
			cancel(err)
		}
	})
	for range r.parallel {
		group.Go(func() {
			for p := range work {
				content, err := r.object(ctx, p)
				p.data <- read{content, err}
			}
		})
	}
	if err := r.copy(ctx, pieces, room, to, progress); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// plan says what is to be read, in the order of the stream.
func (r *reader) plan(ctx context.Context, headers *snapshot.DirEntry, room *room, pieces, work chan<- piece) error {
	broken := func(err error) error {
		return damaged(ctx, "read the backup", r.id, "the headers", headers.ObjectID.String(), err)
	}
	object, err := r.repo.OpenObject(ctx, headers.ObjectID)
	if err != nil {
		return broken(err)
	}
	defer func() { _ = object.Close() }()
	in, err := newHeadersReader(object)
	if err != nil {
		return broken(err)
	}
	give := func(p piece) error {
		if !room.take(ctx, p.weight()) || !send(ctx, pieces, p) || p.raw == nil && !send(ctx, work, p) {
			return context.Cause(ctx)
		}
		return nil
	}
	for {
		rec, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		if err := give(piece{raw: rec.raw}); err != nil {
			return err
		}
		if rec.size == 0 {
			continue
		}
		parts, err := r.parts(ctx, rec)
		if err != nil {
			return damaged(ctx, "read the backup", r.id, nameIn(rec.raw), rec.id.String(), err)
		}
		for _, p := range parts {
			if err := give(p); err != nil {
				return err
			}
		}
	}
}

func send(ctx context.Context, to chan<- piece, p piece) bool {
	select {
	case to <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p piece) weight() int64 { return p.size + int64(len(p.raw)) }

// parts gives the pieces a content is kept in.
func (r *reader) parts(ctx context.Context, rec record) ([]piece, error) {
	whole := []piece{{head: rec.raw, id: rec.id, size: rec.size, data: make(chan read, 1)}}
	index, ok := rec.id.IndexObjectID()
	if !ok {
		return whole, nil
	}
	list, err := object.LoadIndexObject(ctx, contents{r.repo.ContentReader(), r.repo}, index)
	if err != nil {
		return nil, err
	}
	var parts []piece
	var total int64
	for _, e := range list {
		parts = append(parts, piece{head: rec.raw, id: e.Object, size: e.Length, data: make(chan read, 1)})
		total += e.Length
	}
	if total != rec.size {
		return nil, fmt.Errorf("its parts are %d bytes, and not %d", total, rec.size)
	}
	return parts, nil
}

// contents is what kopia's objects are read from.
type contents struct {
	content.Reader
	repo repo.Repository
}

func (c contents) PrefetchContents(ctx context.Context, ids []content.ID, hint string) []content.ID {
	return c.repo.PrefetchContents(ctx, ids, hint)
}

// object reads a piece. Its content is checked on the way.
func (r *reader) object(ctx context.Context, p piece) (object.Reader, error) {
	in, err := openObject(ctx, r.repo, p.id, p.size)
	if err != nil {
		return nil, damaged(ctx, "read the backup", r.id, nameIn(p.head), p.id.String(), err)
	}
	return in, nil
}

// openObject opens an object that has to have a size. Where it is one content, that is read then.
func openObject(ctx context.Context, from repo.Repository, id object.ID, size int64) (object.Reader, error) {
	in, err := from.OpenObject(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Length() != size {
		_ = in.Close()
		return nil, fmt.Errorf("it is %d bytes, and not %d", in.Length(), size)
	}
	return in, nil
}

// nameIn gives the name of the last entry in some bytes of a tar stream.
func nameIn(raw []byte) string {
	name := "a file"
	for at := 0; at+512 <= len(raw); at += 512 { // what comes first may be padding
		if h, err := tar.NewReader(bytes.NewReader(raw[len(raw)%512+at:])).Next(); err == nil {
			name = h.Name
			break
		}
	}
	return name
}

// copy writes the pieces as they come.
func (r *reader) copy(ctx context.Context, pieces <-chan piece, room *room, to io.Writer, progress func(fleet.Progress)) error {
	var written, told int64
	for p := range pieces {
		n, err := r.copyOne(ctx, p, to)
		if err != nil {
			return err
		}
		room.give(p.weight())
		if written += n; progress != nil && written-told >= toldEvery {
			told = written
			progress(fleet.Progress{Message: "restoring", Bytes: written})
		}
	}
	return context.Cause(ctx)
}

// copyOne writes a piece.
func (r *reader) copyOne(ctx context.Context, p piece, to io.Writer) (int64, error) {
	var in io.Reader = bytes.NewReader(p.raw)
	if p.data != nil {
		select {
		case got := <-p.data:
			if got.err != nil {
				return 0, got.err
			}
			defer func() { _ = got.content.Close() }()
			in = got.content
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	out := &target{w: to}
	n, err := io.Copy(out, in)
	switch {
	case out.err != nil:
		return n, fmt.Errorf("write what is restored: %w", out.err)
	case err != nil:
		return n, damaged(ctx, "read the backup", r.id, nameIn(p.head), p.id.String(), err)
	}
	return n, nil
}

// target remembers that it was the writing that failed.
type target struct {
	w   io.Writer
	err error
}

func (t *target) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.err = err
	return n, err
}
