package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/minio/minio-go/v7"
)

// CertStorage keeps certificates and what belongs to them in a bucket, for any number of proxies.
// It is a certmagic.Storage: see there for what its methods do. A key that is not there gives
// fs.ErrNotExist.
type CertStorage struct {
	files, locks *Bucket
	lease        time.Duration

	mu   sync.Mutex
	held map[string]*Lock // by name
}

var _ certmagic.Storage = (*CertStorage)(nil)

// certLease is how long the lock of a proxy that was killed is still in others' way.
const certLease = 30 * time.Second

// CertStorage gives the storage in this bucket: values below "files", locks below "locks".
func (b *Bucket) CertStorage() *CertStorage {
	return &CertStorage{files: b.Below("files"), locks: b.Below("locks"), lease: certLease, held: make(map[string]*Lock)}
}

// put writes a small object in one request.
func (b *Bucket) put(ctx context.Context, key string, value []byte, options minio.PutObjectOptions) (etag string, err error) {
	options.DisableMultipart = true
	options.ContentType = "application/octet-stream"
	info, err := b.client.PutObject(ctx, b.name, b.Key(key), bytes.NewReader(value), int64(len(value)), options)
	return info.ETag, err
}

func missing(key string) error { return fmt.Errorf("%s: %w", key, fs.ErrNotExist) }

func absent(err error) bool { return is(err, minio.NoSuchKey, "NotFound") }

// Store writes value at key.
func (c *CertStorage) Store(ctx context.Context, key string, value []byte) error {
	_, err := c.files.put(ctx, key, value, minio.PutObjectOptions{})
	return c.files.fail("store "+key, err)
}

// Load reads the value at key.
func (c *CertStorage) Load(ctx context.Context, key string) ([]byte, error) {
	object, err := c.files.client.GetObject(ctx, c.files.name, c.files.Key(key), minio.GetObjectOptions{})
	if err == nil {
		defer func() { _ = object.Close() }()
		var value []byte
		if value, err = io.ReadAll(object); err == nil {
			return value, nil
		}
	}
	if absent(err) {
		return nil, missing(key)
	}
	return nil, c.files.fail("load "+key, err)
}

// Delete removes key and all below it.
func (c *CertStorage) Delete(ctx context.Context, key string) error {
	keys, err := c.all(ctx, key, true, 0)
	if err != nil {
		return err
	}
	for _, k := range append(keys, key) {
		err := c.files.client.RemoveObject(ctx, c.files.name, c.files.Key(k), minio.RemoveObjectOptions{})
		if err != nil && !absent(err) {
			return c.files.fail("delete "+k, err)
		}
	}
	return nil
}

// Exists reports whether key is there, as a value or as a folder; false where the server fails.
func (c *CertStorage) Exists(ctx context.Context, key string) bool {
	_, err := c.Stat(ctx, key)
	return err == nil
}

// all lists the keys below a folder, no more than most unless that is 0.
func (c *CertStorage) all(ctx context.Context, folder string, recursive bool, most int) ([]string, error) {
	prefix := c.files.Key(folder)
	if folder != "" {
		prefix += "/"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing where not all is wanted
	var keys []string
	for object := range c.files.client.ListObjects(ctx, c.files.name, minio.ListObjectsOptions{
		Prefix: prefix, Recursive: recursive, MaxKeys: most,
	}) {
		if object.Err != nil {
			return nil, c.files.fail("list "+folder, object.Err)
		}
		key := strings.TrimSuffix(strings.TrimPrefix(object.Key, c.files.prefix), "/")
		if key != folder {
			keys = append(keys, key)
		}
		if most > 0 && len(keys) == most {
			break
		}
	}
	return keys, nil
}

// List gives the keys below path: all of them, or the next level with its folders.
func (c *CertStorage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	keys, err := c.all(ctx, path, recursive, 0)
	if err == nil && len(keys) == 0 && path != "" {
		_, err = c.Stat(ctx, path)
	}
	return keys, err
}

// Stat tells about a value, or a folder.
func (c *CertStorage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	info, err := c.files.client.StatObject(ctx, c.files.name, c.files.Key(key), minio.StatObjectOptions{})
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: info.LastModified, Size: info.Size, IsTerminal: true}, nil
	}
	if !absent(err) {
		return certmagic.KeyInfo{}, c.files.fail("look at "+key, err)
	}
	keys, err := c.all(ctx, key, false, 1)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	if len(keys) == 0 {
		return certmagic.KeyInfo{}, missing(key)
	}
	return certmagic.KeyInfo{Key: key}, nil
}

// String names the storage in logs.
func (c *CertStorage) String() string { return c.files.where }
