package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func sqliteFile(tb testing.TB) string {
	return "sqlite://" + filepath.Join(tb.TempDir(), "fleet #1%20.db")
}

func TestSQLite(t *testing.T) { conformance(t, sqliteFile) }

func BenchmarkTenantList(b *testing.B)   { benchmarkTenantList(b, sqliteFile) }
func BenchmarkAppendEvents(b *testing.B) { benchmarkAppendEvents(b, sqliteFile) }
func BenchmarkClaimIdle(b *testing.B)    { benchmarkClaimIdle(b, sqliteFile) }

func TestSQLiteInMemory(t *testing.T) {
	memory := func(testing.TB) string { return "sqlite::memory:" }
	for name, test := range map[string]func(*testing.T, database){
		"tenant": testTenant, "job": testJob, "events": testEventsConcurrent, "ended context": testEndedContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, memory) })
	}
	one, two := open(t, memory), open(t, memory)
	ok(t, one.InsertTenant(t.Context(), aTenant("acme")))
	same(t, "another database in memory", names(must(two.Tenants(t.Context(), fleet.TenantFilter{}))(t)), "")
}

func TestSQLiteSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "fleet.db")
	s := openAt(t, "sqlite://"+path)
	for _, db := range []string{"writer", "reader"} {
		q := map[string]interface {
			Get(dest any, query string, args ...any) error
		}{"writer": s.writer, "reader": s.reader}[db]
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
			var got string
			ok(t, q.Get(&got, "PRAGMA "+pragma))
			same(t, db+" "+pragma, got, want)
		}
	}
	info := must(os.Stat(path))(t)
	same(t, "mode", info.Mode().Perm(), os.FileMode(0o600))
	same(t, "mode of its folder", must(os.Stat(filepath.Dir(path)))(t).Mode().Perm(), os.FileMode(0o700))
}

// Another process that holds the file for a while, longer than SQLite itself waits, makes
// callers wait, not fail; one that never lets go does not outlast the caller's context.
func TestSQLiteBusyWaits(t *testing.T) {
	dsn := sqliteFile(t)
	s := openAt(t, dsn)
	other := must(sql.Open("sqlite", dsn[len("sqlite://"):]+"?_txlock=immediate"))(t)
	defer func() { _ = other.Close() }()
	hold := must(other.Begin())(t)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	fails(t, s.InsertTenant(ctx, aTenant("acme")), fleet.Unavailable, "")
	must(s.Tenants(t.Context(), fleet.TenantFilter{}))(t) // readers are not held up

	done := make(chan error)
	go func() { done <- s.InsertTenant(t.Context(), aTenant("acme")) }()
	select {
	case err := <-done:
		t.Fatalf("the file is held, and the insert ended: %v", err)
	case <-time.After(600 * time.Millisecond): // more than the busy timeout
	}
	ok(t, hold.Rollback())
	ok(t, <-done)
}

func TestSQLiteNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.db")
	ok(t, os.WriteFile(path, []byte("this is a letter, not a database; it is long enough to be one"), 0o600))
	_, err := Open(t.Context(), "sqlite://"+path)
	fails(t, err, fleet.Unavailable, "store.dsn", path)
}

func TestSQLiteReadOnly(t *testing.T) {
	s := open(t, sqliteFile)
	// Root may write any file, so the connection is told not to.
	_, err := s.writer.ExecContext(t.Context(), "PRAGMA query_only = on")
	ok(t, err)
	fails(t, s.InsertTenant(t.Context(), aTenant("acme")), fleet.Unavailable, "", "read-only", "writable")
}

func TestSQLiteFull(t *testing.T) {
	s := open(t, sqliteFile)
	_, err := s.writer.ExecContext(t.Context(), "PRAGMA max_page_count = 1")
	ok(t, err)
	random := make([]byte, 1<<20)
	fails(t, s.SaveRecipe(t.Context(), "big", random), fleet.Unavailable, "", "room", "free space")
	_, err = s.writer.ExecContext(t.Context(), "PRAGMA max_page_count = 100000")
	ok(t, err)
	ok(t, s.SaveRecipe(t.Context(), "big", random))
}

// A daemon that is killed while it holds the lock of migrations frees it.
func TestSQLiteLockOfDeadProcess(t *testing.T) {
	dsn := sqliteFile(t)
	lock := must(os.OpenFile(dsn[len("sqlite://"):]+".lock", os.O_CREATE|os.O_RDWR, 0o600))(t)
	ok(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, dsn)
	fails(t, err, fleet.Unavailable, "")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for the lock ended with %v", err)
	}
	ok(t, lock.Close()) // as the kernel does
	openAt(t, dsn)
}
