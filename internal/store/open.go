package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// Store is an open database. Its methods may be called from several goroutines.
type Store struct {
	// writer runs transactions; reader runs single reading statements. On SQLite writer is
	// one connection, so that writers queue here instead of meeting SQLITE_BUSY; on MySQL
	// (and in memory) both are the same pool.
	writer, reader *sqlx.DB
	dialect        dialect
	log            *slog.Logger
	closed         atomic.Bool
	asIs           bool // no migration
}

// Option changes how Open opens.
type Option func(*Store)

// WithLogger makes the store log there what it handles by itself, such as repeated
// transactions and driver messages. Without it nothing is logged.
func WithLogger(log *slog.Logger) Option { return func(s *Store) { s.log = log } }

// AsIs leaves the schema as it is, where an older program wrote it: for those who only want to
// know whether the database can be used, and call Ping at most.
func AsIs() Option { return func(s *Store) { s.asIs = true } }

// Open opens the database at dsn and brings its schema up to date:
//
//	sqlite:///var/lib/lxdfleet/lxdfleet.db       a file; it and its folder are made where missing
//	sqlite::memory:                              for tests; gone after Close
//	mysql://user:password@tcp(host:3306)/name    the database must exist
//
// It fails with fleet.Invalid and field "store.dsn" for an address that cannot be right, with
// fleet.Unavailable when the database does not answer, and with fleet.Unsupported when its
// schema is newer than this program. No error holds the password.
func Open(ctx context.Context, dsn string, options ...Option) (*Store, error) {
	s := &Store{log: slog.New(slog.DiscardHandler)}
	for _, set := range options {
		set(s)
	}
	var err error
	switch {
	case strings.HasPrefix(dsn, mysqlScheme):
		err = s.openMySQL(dsn)
	case strings.HasPrefix(dsn, sqliteScheme):
		err = s.openSQLite(dsn)
	case dsn == "":
		err = badDSN("no database address is given")
	default:
		err = badDSN("the address starts with neither sqlite: nor mysql://")
	}
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(s.fail(ctx, "open the database", err), s.Close())
	}
	return s, nil
}

// Ping fails with fleet.Unavailable when the database does not answer a query.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Generation(ctx)
	return err
}

// Close ends the connections. Methods called afterwards fail with fleet.Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var errs []error
	for _, db := range []*sqlx.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
