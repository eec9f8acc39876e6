package repository

import (
	"context"
	"sync"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
)

// filesWriter writes the contents of files: small ones several at a time.
type filesWriter struct {
	ctx     context.Context //nolint:containedctx // of the whole write
	fail    context.CancelCauseFunc
	to      repo.RepositoryWriter
	tree    *tree
	jobs    chan job
	workers sync.WaitGroup
	buffers sync.Pool
}

// job is a file to be written, and where it belongs.
type job struct {
	branch  *branch // held; nil: beside the tree
	name    string
	entry   snapshot.DirEntry
	content []byte         // the job's own
	result  chan object.ID // nil: nobody waits
}

func newFilesWriter(ctx context.Context, to repo.RepositoryWriter, t *tree, parallel int, fail context.CancelCauseFunc) *filesWriter {
	f := &filesWriter{ctx: ctx, fail: fail, to: to, tree: t, jobs: make(chan job, 2*parallel)}
	for range parallel {
		f.workers.Go(f.work)
	}
	return f
}

// buffer gives a buffer for a small file's content.
func (f *filesWriter) buffer(size int) []byte {
	if b, ok := f.buffers.Get().(*[]byte); ok && cap(*b) >= size {
		return (*b)[:size]
	}
	return make([]byte, size, max(size, 64<<10))
}

// small hands a file on.
func (f *filesWriter) small(j job) error {
	select {
	case f.jobs <- j:
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

// close waits until all files are written.
func (f *filesWriter) close() error {
	close(f.jobs)
	f.workers.Wait()
	if f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	return nil
}

func (f *filesWriter) work() {
	for j := range f.jobs {
		if f.ctx.Err() != nil {
			continue
		}
		if err := f.write(j); err != nil {
			f.fail(err)
		}
	}
}

func (f *filesWriter) write(j job) error {
	out := f.open(j.name, 0)
	defer func() { _ = out.Close() }()
	if _, err := out.Write(j.content); err != nil {
		return err
	}
	id, err := out.Result()
	if err != nil {
		return err
	}
	f.buffers.Put(&j.content)
	return f.placed(j, id)
}

// open begins a file, of which so many pieces may be written at a time besides the one who writes.
func (f *filesWriter) open(name string, pieces int) object.Writer {
	return f.to.NewObjectWriter(f.ctx, object.WriterOptions{
		Description: name, Compressor: compressor, MetadataCompressor: compressor, AsyncWrites: pieces,
	})
}

// placed puts a file that is written in its place.
func (f *filesWriter) placed(j job, id object.ID) error {
	j.entry.ObjectID = id
	if j.result != nil {
		j.result <- id
	}
	if j.branch == nil {
		f.tree.aside(&j.entry)
		return nil
	}
	f.tree.put(j.branch, j.name, &j.entry)
	return f.tree.release(j.branch)
}
