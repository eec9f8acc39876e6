package repository

import (
	"context"
	"io"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
)

// headersWriter writes the headers of a backup, in the order of the stream. The objects of the
// files are waited for.
type headersWriter struct {
	ctx    context.Context //nolint:containedctx // of the whole write
	fail   context.CancelCauseFunc
	queue  chan pending
	done   chan struct{}
	out    object.Writer
	length int64
	id     object.ID
}

// pending is a record whose object may still be under way.
type pending struct {
	record
	object <-chan object.ID
}

func newHeadersWriter(ctx context.Context, to repo.RepositoryWriter, fail context.CancelCauseFunc) *headersWriter {
	h := &headersWriter{ctx: ctx, fail: fail, queue: make(chan pending, 1024), done: make(chan struct{})}
	h.out = to.NewObjectWriter(ctx, object.WriterOptions{
		Description: "headers", Compressor: compressor, MetadataCompressor: compressor, Splitter: headerSplitter,
	})
	go h.work()
	return h
}

// add adds a record; object gives what it is still without, nil: nothing.
func (h *headersWriter) add(r record, object <-chan object.ID) error {
	if len(r.raw) == 0 && r.size == 0 {
		return nil
	}
	select {
	case h.queue <- pending{r, object}:
		return nil
	case <-h.ctx.Done():
		return context.Cause(h.ctx)
	}
}

func (h *headersWriter) work() {
	defer close(h.done)
	defer func() { _ = h.out.Close() }()
	if err := h.write(); err != nil {
		h.fail(err)
		for range h.queue { // until it is closed
		}
	}
}

func (h *headersWriter) write() error {
	b := []byte(headersMagic)
	for p := range h.queue {
		if p.object != nil {
			select {
			case p.id = <-p.object:
			case <-h.ctx.Done():
				return context.Cause(h.ctx)
			}
		}
		b = p.append(b)
		if len(b) >= 64<<10 {
			if err := h.put(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	if err := h.put(b); err != nil {
		return err
	}
	var err error
	h.id, err = h.out.Result()
	return err
}

func (h *headersWriter) put(b []byte) error {
	n, err := h.out.Write(b)
	h.length += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// close waits until all is written, and gives the entry of the file.
func (h *headersWriter) close() (*snapshot.DirEntry, error) {
	close(h.queue)
	<-h.done
	if h.ctx.Err() != nil {
		return nil, context.Cause(h.ctx)
	}
	return &snapshot.DirEntry{Name: "headers", Type: snapshot.EntryTypeFile, Permissions: 0o600, FileSize: h.length, ObjectID: h.id}, nil
}
