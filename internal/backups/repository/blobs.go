package repository

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/kopia/kopia/repo/blob"
)

// storageType is what kopia's configuration file calls our storages. The file names no place and
// holds no key: those come with the context.
const storageType = "lxdfleet"

// storageOptions is what of a storage is in kopia's configuration file.
type storageOptions struct{}

type storageKey struct{}

func init() {
	blob.AddSupportedStorage(storageType, storageOptions{}, func(ctx context.Context, _ *storageOptions, _ bool) (blob.Storage, error) {
		st, ok := ctx.Value(storageKey{}).(blob.Storage)
		if !ok {
			return nil, errors.New("this storage is opened by lxdfleet only")
		}
		return st, nil
	})
}

// store is what is common to the storages of both kinds: what they are called in kopia's
// configuration, and a way to see what would be written.
type store struct {
	blob.Storage
}

func (s *store) ConnectionInfo() blob.ConnectionInfo {
	return blob.ConnectionInfo{Type: storageType, Config: &storageOptions{}}
}

// captured is what was to be written while a context asked for it not to be.
type captured struct {
	mu    sync.Mutex
	blobs map[blob.ID]capturedBlob
}

type capturedBlob struct {
	data []byte
	opts blob.PutOptions
}

type captureKey struct{}

func (s *store) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, opts blob.PutOptions) error {
	c, ok := ctx.Value(captureKey{}).(*captured)
	if !ok {
		return s.Storage.PutBlob(ctx, id, data, opts)
	}
	var b buffer
	if _, err := data.WriteTo(&b); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blobs[id] = capturedBlob{data: b.b, opts: opts}
	return nil
}

// buffer is bytes in memory, for kopia's storages to read into and write from.
type buffer struct{ b []byte }

func (b *buffer) Write(p []byte) (int, error) { b.b = append(b.b, p...); return len(p), nil }
func (b *buffer) Reset()                      { b.b = b.b[:0] }
func (b *buffer) Length() int                 { return len(b.b) }

// bytesOf gives bytes in the form kopia's storages write.
func bytesOf(b []byte) blob.Bytes { return slice(b) }

type slice []byte

func (s slice) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s)
	return int64(n), err
}
func (s slice) Length() int               { return len(s) }
func (s slice) Reader() io.ReadSeekCloser { return sliceReader{bytes.NewReader(s)} }

type sliceReader struct{ *bytes.Reader }

func (sliceReader) Close() error { return nil }
