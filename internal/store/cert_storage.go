package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/jmoiron/sqlx"
)

// CertStorage keeps certificates and what belongs to them in the database, for any number of
// proxies. It is a certmagic.Storage: see there for what its methods do. A key that is not there
// gives fs.ErrNotExist; other errors are the store's.
type CertStorage struct {
	store *Store
	lease time.Duration

	mu   sync.Mutex
	held map[string]*certLock // by name
}

var _ certmagic.Storage = (*CertStorage)(nil)

// certLease is how long the lock of a proxy that was killed is still in others' way.
const certLease = 20 * time.Second

// CertStorage gives the store's certificate storage.
func (s *Store) CertStorage() *CertStorage {
	return &CertStorage{store: s, lease: certLease, held: make(map[string]*certLock)}
}

// Store writes value at key.
func (c *CertStorage) Store(ctx context.Context, key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return c.store.write(ctx, "store "+key, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO cert_files (path, data, modified) VALUES (?, ?, ?)`,
			key, value, micros(time.Now()))
		return err
	})
}

// Load reads the value at key.
func (c *CertStorage) Load(ctx context.Context, key string) (value []byte, err error) {
	found := true
	err = c.store.read(ctx, "load "+key, func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &value, `SELECT data FROM cert_files WHERE path = ?`, key)
		if found = !errors.Is(err, sql.ErrNoRows); !found {
			return nil
		}
		return err
	})
	if err == nil && !found {
		return nil, missing(key)
	}
	return value, err
}

func missing(key string) error { return fmt.Errorf("%s: %w", key, fs.ErrNotExist) }

// below gives the bounds of the keys that key is a folder of.
func below(key string) (from, to string) {
	if key == "" {
		return "", "\U0010FFFF"
	}
	return key + "/", key + "0" // '0' follows '/'
}

// Delete removes key and all below it.
func (c *CertStorage) Delete(ctx context.Context, key string) error {
	from, to := below(key)
	return c.store.write(ctx, "delete "+key, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM cert_files WHERE path = ? OR (path >= ? AND path < ?)`, key, from, to)
		return err
	})
}

// Exists reports whether key is there, as a value or as a folder; false where the database
// fails.
func (c *CertStorage) Exists(ctx context.Context, key string) bool {
	_, err := c.Stat(ctx, key)
	return err == nil
}

// List gives the keys below path: all of them, or the next level with its folders.
func (c *CertStorage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	from, to := below(path)
	var keys []string
	err := c.store.read(ctx, "list "+path, func(q *sqlx.DB) error {
		keys = nil
		return q.SelectContext(ctx, &keys, `SELECT path FROM cert_files WHERE path >= ? AND path < ? ORDER BY path`, from, to)
	})
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		if _, err := c.Stat(ctx, path); err != nil && path != "" {
			return nil, err
		}
		return nil, nil
	}
	if recursive {
		return keys, nil
	}
	var level []string
	for _, key := range keys {
		name, _, _ := strings.Cut(key[len(from):], "/")
		if next := from + name; len(level) == 0 || level[len(level)-1] != next {
			level = append(level, next)
		}
	}
	return level, nil
}

// Stat tells about a value, or a folder.
func (c *CertStorage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	from, to := below(key)
	var rows []struct {
		Path     string
		Size     int64
		Modified int64
	}
	err := c.store.read(ctx, "look at "+key, func(q *sqlx.DB) error {
		rows = nil
		err := q.SelectContext(ctx, &rows, `SELECT path, LENGTH(data) AS size, modified FROM cert_files WHERE path = ?`, key)
		if err != nil || len(rows) > 0 {
			return err
		}
		return q.SelectContext(ctx, &rows,
			`SELECT path, 0 AS size, modified FROM cert_files WHERE path >= ? AND path < ? ORDER BY path LIMIT 1`, from, to)
	})
	switch {
	case err != nil:
		return certmagic.KeyInfo{}, err
	case len(rows) == 0:
		return certmagic.KeyInfo{}, missing(key)
	}
	r := rows[0]
	return certmagic.KeyInfo{Key: key, Modified: fromMicros(r.Modified), Size: r.Size, IsTerminal: r.Path == key}, nil
}

// String names the storage in logs.
func (c *CertStorage) String() string { return "database" }
