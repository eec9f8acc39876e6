package repository

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/compression"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	compressor compression.Name = "zstd-fastest"
	// headerSplitter cuts the headers: one file that changes must not move much of them.
	headerSplitter = "DYNAMIC-128K-BUZHASH"
	// smallFile is the largest file that is read whole and handed on.
	smallFile = 1 << 20
	// flushAfter is how many bytes are moved before what was uploaded is made findable for the
	// next write, in case this one is killed; flushEvery is the time for that.
	flushAfter = 256 << 20
	flushEvery = time.Minute
	// toldEvery is how often progress is told, in bytes of the stream.
	toldEvery = 16 << 20
)

// Write makes a backup of what a tar stream holds: GNU's or PAX's format, not compressed, with
// its end. The backup can be seen when all of it is there. A stream that breaks off is of code
// Invalid; an error of stream itself is in the chain. progress is called by one goroutine at a
// time, with the bytes of the stream; it may be nil.
func (r *Repository) Write(ctx context.Context, m Meta, stream io.Reader, progress func(fleet.Progress)) (Stored, error) {
	if err := m.check(); err != nil {
		return Stored{}, err
	}
	rep, err := r.fresh(ctx)
	if err != nil {
		return Stored{}, fail(ctx, "write the backup", err)
	}
	var moved atomic.Int64
	_, to, err := rep.NewDirectWriter(ctx, repo.WriteSessionOptions{
		Purpose: "backup", OnUpload: func(n int64) { moved.Add(n) },
	})
	if err != nil {
		return Stored{}, fail(ctx, "write the backup", err)
	}
	defer func() { _ = to.Close(context.WithoutCancel(ctx)) }()
	w := newWriter(ctx, to, r.options.parallel(), &source{r: stream})
	w.moved, w.progress, w.flushAfter = &moved, progress, r.flush
	man, err := w.run(m, r.options.now)
	if err != nil {
		keep(ctx, to)
		if w.from.err != nil {
			return Stored{}, fmt.Errorf("read what is to be backed up: %w", w.from.err)
		}
		return Stored{}, fail(ctx, "write the backup", err)
	}
	s, _ := stored(man)
	s.Moved = moved.Load()
	return s, nil
}

// keep makes what was uploaded findable for the next write.
func keep(ctx context.Context, to repo.DirectRepositoryWriter) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	_ = to.ContentManager().Flush(within) // the next write uploads it again
}

// source remembers that it was the stream that failed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// writer is one Write.
type writer struct {
	ctx      context.Context //nolint:containedctx // of the whole write
	cancel   context.CancelCauseFunc
	to       repo.DirectRepositoryWriter
	parallel int
	from     *source
	stream   *tarStream
	tree     *tree
	files    *filesWriter
	headers  *headersWriter

	moved      *atomic.Int64
	progress   func(fleet.Progress)
	told       int64
	flushAfter int64
	flushed    int64
	flushedAt  time.Time
}

func newWriter(ctx context.Context, to repo.DirectRepositoryWriter, parallel int, from *source) *writer {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &writer{ctx: ctx, cancel: cancel, to: to, parallel: parallel, from: from, flushedAt: time.Now()}
	w.stream = newTarStream(from)
	w.tree = newTree(ctx, to)
	w.files = newFilesWriter(ctx, to, w.tree, parallel, cancel)
	w.headers = newHeadersWriter(ctx, to, cancel)
	return w
}

// run writes the backup, and its manifest last.
func (w *writer) run(m Meta, now func() time.Time) (*snapshot.Manifest, error) {
	defer w.cancel(nil)
	err := w.entries()
	if err != nil {
		w.cancel(err)
	}
	filesErr := w.files.close()
	headers, headersErr := w.headers.close()
	if err == nil {
		err = filesErr
	}
	if err == nil {
		err = headersErr
	}
	if err != nil {
		return nil, err
	}
	headers.ModTime = timestamp(m.TakenAt)
	top, err := w.tree.finish(headers)
	if err != nil {
		return nil, err
	}
	// All of the content is findable before there is a manifest that says so.
	if err := w.to.ContentManager().Flush(w.ctx); err != nil {
		return nil, err
	}
	man := m.manifest(top, &w.tree.root.entry, now())
	if _, err := snapshot.SaveSnapshot(w.ctx, w.to, man); err != nil {
		return nil, err
	}
	return man, w.to.Flush(w.ctx)
}

// entries goes through the stream.
func (w *writer) entries() error {
	for {
		h, err := w.stream.next()
		if err != nil {
			return err
		}
		if err := w.pause(); err != nil {
			return err
		}
		if h == nil {
			return w.headers.add(record{raw: w.stream.take()}, nil)
		}
		if err := w.entry(h); err != nil {
			return err
		}
	}
}

// pause tells how far it is, and makes findable what was uploaded, from time to time.
func (w *writer) pause() error {
	if total := w.stream.from.total; w.progress != nil && total-w.told >= toldEvery {
		w.told = total
		w.progress(fleet.Progress{Message: "backing up", Bytes: total})
	}
	if moved := w.moved.Load(); moved > w.flushed && (moved-w.flushed > w.flushAfter || time.Since(w.flushedAt) > flushEvery) {
		if err := w.to.ContentManager().Flush(w.ctx); err != nil {
			return err
		}
		w.flushed, w.flushedAt = w.moved.Load(), time.Now()
	}
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return nil
}

// entry writes one entry of the stream.
func (w *writer) entry(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeDir:
		if err := w.tree.folder(h); err != nil {
			return err
		}
	case tar.TypeLink:
		w.tree.hardLink(h)
	case tar.TypeSymlink:
		return w.symlink(h)
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return w.file(h)
	default:
		if h.Size > 0 { // a volume's label and the like
			w.stream.from.on = true
			if err := w.drain(); err != nil {
				return err
			}
		}
	}
	return w.headers.add(record{raw: w.stream.take()}, nil)
}

// drain keeps a content in the headers.
func (w *writer) drain() error {
	_, err := io.Copy(io.Discard, w.stream)
	return err
}

// spot finds where an entry is in the tree; nil: beside it.
func (w *writer) spot(h *tar.Header) (*branch, string, error) {
	folders, name, ok := place(h.Name)
	if !ok || name == "" || outside(h.Name) {
		return nil, "", nil
	}
	b, err := w.tree.enter(folders)
	if b != nil {
		b.hold()
	}
	return b, name, err
}

func (w *writer) symlink(h *tar.Header) error {
	b, name, err := w.spot(h)
	if err != nil {
		return err
	}
	if b != nil { // its content is in the headers
		e := entryOf(h, snapshot.EntryTypeSymlink)
		e.FileSize = int64(len(h.Linkname))
		if err := w.files.small(job{branch: b, name: name, entry: e, content: []byte(h.Linkname)}); err != nil {
			return err
		}
	}
	return w.headers.add(record{raw: w.stream.take()}, nil)
}

// file writes a regular file.
func (w *writer) file(h *tar.Header) error {
	b, name, err := w.spot(h)
	if err != nil {
		return err
	}
	j := job{branch: b, name: name, entry: entryOf(h, snapshot.EntryTypeFile)}
	j.entry.FileSize = h.Size
	var raw []byte
	condensed := sparse(h)
	if !condensed {
		raw = w.stream.take()
		w.stream.from.on = false
		if h.Size > 0 {
			j.result = make(chan object.ID, 1)
		}
	}
	if h.Size <= smallFile {
		j.content = w.files.buffer(int(h.Size))
		if _, err = io.ReadFull(w.stream, j.content); err == nil {
			err = w.files.small(j)
		}
	} else {
		err = w.large(j)
	}
	if err != nil {
		return err
	}
	if condensed { // what the stream has of it is in the headers
		return w.headers.add(record{raw: w.stream.take()}, nil)
	}
	return w.headers.add(record{raw: raw, size: h.Size}, j.result)
}

// large writes a file while it is read.
func (w *writer) large(j job) error {
	out := w.files.open(j.name, w.parallel)
	defer func() { _ = out.Close() }()
	for {
		n, err := io.CopyN(out, w.stream, toldEvery)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if w.stream.from.on { // sparse
			if err := w.headers.add(record{raw: w.stream.take()}, nil); err != nil {
				return err
			}
		}
		if err := w.pause(); err != nil {
			return err
		}
		if n < toldEvery {
			break
		}
	}
	id, err := out.Result()
	if err != nil {
		return err
	}
	return w.files.placed(j, id)
}
