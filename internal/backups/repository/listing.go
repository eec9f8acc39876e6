package repository

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"slices"
	"strings"

	"github.com/kopia/kopia/repo/object"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/listing"
)

// Listing tells about every file and folder of a backup, by path: devices, and names that the tree
// has no place for, among them. No content is read for it: the headers say all. A Sum is of the
// object that a file's content is, so that it compares with those of backups in this repository.
func (r *Repository) Listing(ctx context.Context, id string) ([]fleet.FileInfo, error) {
	_, man, err := r.find(ctx, id)
	if err != nil {
		return nil, err
	}
	within, rep, done, err := r.reading(ctx)
	if err != nil {
		return nil, fail(ctx, "list the backup's files", err)
	}
	defer done()
	entries, err := top(within, rep, man)
	if err != nil {
		return nil, err
	}
	headers := entries["headers"].ObjectID
	broken := func(err error) error {
		return damaged(ctx, "list the backup's files", id, "the headers", headers.String(), err)
	}
	file, err := rep.OpenObject(within, headers)
	if err != nil {
		return nil, broken(err)
	}
	defer func() { _ = file.Close() }()
	in, err := newHeadersReader(file)
	if err != nil {
		return nil, broken(err)
	}
	outline := &outline{ctx: ctx, in: in}
	var list []fleet.FileInfo
	err = listing.Tar(outline, outline.sum, func(f fleet.FileInfo) { list = append(list, f) })
	if err != nil {
		return nil, broken(err)
	}
	slices.SortStableFunc(list, func(a, b fleet.FileInfo) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// outline is a tar stream in which the contents of files are zeros, which a Seek steps over.
type outline struct {
	ctx  context.Context //nolint:containedctx // of the whole reading
	in   *headersReader
	raw  []byte    // what is left of the record's bytes
	size int64     // what is left of the content that follows them
	id   object.ID // of that content
	at   int64
}

// fill reads the next record where nothing is left of the one before.
func (o *outline) fill() error {
	for len(o.raw) == 0 && o.size == 0 {
		if o.ctx.Err() != nil {
			return context.Cause(o.ctx)
		}
		rec, err := o.in.next()
		if err != nil {
			return err
		}
		o.raw, o.size, o.id = rec.raw, rec.size, rec.id
	}
	return nil
}

// Read implements io.Reader.
func (o *outline) Read(p []byte) (int, error) {
	if err := o.fill(); err != nil {
		return 0, err
	}
	var n int
	if len(o.raw) > 0 {
		n = copy(p, o.raw)
		o.raw = o.raw[n:]
	} else {
		n = int(min(int64(len(p)), o.size))
		clear(p[:n])
		o.size -= int64(n)
	}
	o.at += int64(n)
	return n, nil
}

var errSeek = errors.New("a stream is read forward only")

// Seek implements io.Seeker, forward from where it is.
func (o *outline) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, errSeek
	}
	for offset > 0 {
		if err := o.fill(); err != nil {
			return 0, noEnd(err)
		}
		n := min(offset, int64(len(o.raw)))
		o.raw = o.raw[n:]
		if n == 0 {
			n = min(offset, o.size)
			o.size -= n
		}
		o.at, offset = o.at+n, offset-n
	}
	return o.at, nil
}

// sum is one of the object that is the content of the entry that was just read; 0 where it is in
// the headers, as that of a sparse file is.
func (o *outline) sum(io.Reader) (uint64, error) {
	if len(o.raw) > 0 || o.size == 0 {
		return 0, nil
	}
	sum := fnv.New64a()
	_, err := io.WriteString(sum, o.id.String())
	return sum.Sum64(), err
}
