package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// sqliteReaders bounds the connections that read. Each may hold 2 MB of cache.
const sqliteReaders = 4

// sqliteDialect is one database file, or one in memory.
type sqliteDialect struct {
	path string // absolute, or memoryPath
	db   *sqlx.DB
}

// openSQLite makes the pools; no connection is opened yet, so the file is first touched
// under the lock of alone.
func (s *Store) openSQLite(dsn string) error {
	path, err := parseSQLite(dsn)
	if err != nil {
		return err
	}
	if path != memoryPath {
		if err := makeFile(path); err != nil {
			return err
		}
	}
	if s.writer, err = sqlitePool(path, "immediate", 1); err != nil {
		return err
	}
	s.reader = s.writer
	if path != memoryPath {
		if s.reader, err = sqlitePool(path, "deferred", sqliteReaders); err != nil {
			return err
		}
	}
	s.dialect = &sqliteDialect{path: path, db: s.writer}
	return nil
}

// makeFile makes the file, readable by its owner only, and the last folder of its path. Folders
// further up must exist: a mistyped path is reported, not made.
func makeFile(path string) error {
	err := os.Mkdir(filepath.Dir(path), 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		var f *os.File
		if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return fleet.Errorf(fleet.Invalid, "the database file cannot be opened: %w", err).WithField("store.dsn").
			WithHint("make the folder and give the daemon's user the right to write in it, or choose another path")
	}
	return nil
}

func sqlitePool(path, lock string, most int) (*sqlx.DB, error) {
	settings := url.Values{
		// Short, because a wait inside SQLite does not end with the context; tx.go waits on.
		"_busy_timeout": {"250"},
		"_foreign_keys": {"on"},
		"_txlock":       {lock},
		"_dqs":          {"false"},
		"_error_rc":     {"true"},
	}
	name := "file::memory:"
	if path != memoryPath {
		name = (&url.URL{Scheme: "file", Path: path}).String()
		settings.Set("_journal_mode", "WAL")
		// A job's event must not be forgotten once it is acted on, power cut or not.
		settings.Set("_synchronous", "FULL")
	}
	connector, err := sqlite.NewConnector(name + "?" + settings.Encode())
	if err != nil {
		return nil, fleet.Errorf(fleet.Invalid, "the database path cannot be used: %w", err).WithField("store.dsn")
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "sqlite")
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

func (d *sqliteDialect) goose() goose.Dialect { return goose.DialectSQLite3 }

func (d *sqliteDialect) tableSuffix(context.Context, *sqlx.DB) (string, error) { return "", nil }

func (d *sqliteDialect) thenJoin() string { return "CROSS JOIN" }

func (d *sqliteDialect) applied(error) bool { return false } // migrations are transactions

func (d *sqliteDialect) where() string {
	if d.path == memoryPath {
		return "the database in memory"
	}
	return d.path
}

// alone holds a lock on a file beside the database. The kernel drops it when the process
// ends, however it ends. The file stays: removing it would let two processes hold a lock each.
func (d *sqliteDialect) alone(ctx context.Context, fn func(*sqlx.DB) error) error {
	if d.path == memoryPath {
		return fn(d.db)
	}
	lock, err := os.OpenFile(d.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return fn(d.db)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (d *sqliteDialect) classify(err error) fault {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return faultDenied
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return faultOther
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return faultDuplicate
	}
	switch e.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return faultBusy
	case sqlite3.SQLITE_READONLY:
		return faultReadOnly
	case sqlite3.SQLITE_FULL:
		return faultFull
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM:
		return faultDisk
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return faultDenied
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return faultDamaged
	case sqlite3.SQLITE_TOOBIG:
		return faultTooLong
	}
	return faultOther
}
