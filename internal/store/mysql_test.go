//go:build integration

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/integration/mariadb"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func TestMySQL(t *testing.T) {
	server := mariadb.Start(t)
	conformance(t, func(testing.TB) string { return server.Database() })
}

func BenchmarkMySQLTenantList(b *testing.B) {
	server := mariadb.Start(b)
	benchmarkTenantList(b, func(testing.TB) string { return server.Database() })
}

func BenchmarkMySQLAppendEvents(b *testing.B) {
	server := mariadb.Start(b)
	benchmarkAppendEvents(b, func(testing.TB) string { return server.Database() })
}

func BenchmarkMySQLClaimIdle(b *testing.B) {
	server := mariadb.Start(b)
	benchmarkClaimIdle(b, func(testing.TB) string { return server.Database() })
}

func TestMySQLSettings(t *testing.T) {
	s := openAt(t, mariadb.Start(t).Database())
	for variable, want := range map[string]string{
		"tx_isolation": "READ-COMMITTED", "collation_connection": "utf8mb4_bin", "innodb_lock_wait_timeout": "10",
		"sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
	} {
		var got string
		ok(t, s.writer.Get(&got, "SELECT @@"+variable))
		same(t, variable, got, want)
	}
}

// The server is stopped or killed for a while: calls fail soon with Unavailable, and work
// again when it is back, on the same store.
func TestMySQLGoneAndBack(t *testing.T) {
	server := mariadb.Start(t)
	s := openAt(t, server.Database())
	ctx := t.Context()
	ok(t, s.InsertTenant(ctx, aTenant("acme")))
	for name, end := range map[string]func(){"stopped": server.Stop, "killed": server.Kill} {
		t.Run(name, func(t *testing.T) {
			end()
			for what, call := range everyKindOfCall(s) {
				began := time.Now()
				fails(t, call(t.Context()), fleet.Unavailable, "", "does not answer", "MySQL server at")
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("%s took %s", what, took)
				}
			}
			server.Start()
			for range 20 { // more calls than idle connections
				ok(t, s.Ping(t.Context()))
			}
			ok(t, s.InsertTenant(t.Context(), aTenant(name)))
			must(s.Tenant(t.Context(), "acme"))(t)
		})
	}
}

// The server restarts between two calls: the caller sees nothing of it, though the pool's
// connections are all stale.
func TestMySQLRestartUnseen(t *testing.T) {
	server := mariadb.Start(t)
	s := openAt(t, server.Database())
	race(t, 8, "", func(i int) error { return s.InsertTenant(t.Context(), aTenant(fmt.Sprint("tenant", i))) })
	server.Kill()
	server.Start()
	if n := race(t, 8, "", func(i int) error { return s.InsertTenant(t.Context(), aTenant(fmt.Sprint("later", i))) }); n != 8 {
		t.Errorf("%d of 8 calls after a restart succeeded", n)
	}
}

// The server hangs: calls end with their own deadline, or the read timeout.
func TestMySQLFrozen(t *testing.T) {
	server := mariadb.Start(t)
	s := openAt(t, server.Database()+"?readTimeout=1s")
	server.Pause()
	for what, call := range everyKindOfCall(s) {
		began := time.Now()
		fails(t, call(t.Context()), fleet.Unavailable, "")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s with a read timeout of 1s", what, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began = time.Now()
		err := call(ctx)
		cancel()
		fails(t, err, fleet.Unavailable, "")
		if took := time.Since(began); took > 900*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s took %s with a deadline of 50ms: %v", what, took, err)
		}
	}
	server.Resume()
	ok(t, s.InsertTenant(t.Context(), aTenant("acme")))
}

func everyKindOfCall(s *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"ping":  s.Ping,
		"read":  func(ctx context.Context) error { _, err := s.Tenants(ctx, fleet.TenantFilter{}); return err },
		"write": func(ctx context.Context) error { return s.InsertTenant(ctx, aTenant("new")) },
		"claim": func(ctx context.Context) error {
			_, _, err := s.ClaimJob(ctx, "runner", at(0), at(1))
			return err
		},
		"renew": func(ctx context.Context) error { _, err := s.RenewLease(ctx, "job", 1, at(1)); return err },
		"jobs":  func(ctx context.Context) error { _, err := s.Jobs(ctx, jobs.JobFilter{}); return err },
	}
}

// Two transactions that lock the same rows in opposite order: one is rolled back by the
// server and runs again unseen.
func TestMySQLDeadlockRunsAgain(t *testing.T) {
	s := openAt(t, mariadb.Start(t).Database())
	jobs := [2]string{insert(t, s, 1).ID, insert(t, s, 2).ID}
	met := make(chan struct{})
	arrived := make(chan struct{}, 16)
	go func() {
		<-arrived
		<-arrived
		close(met)
	}()
	var runs atomic.Int64
	wins := race(t, 2, "", func(i int) error {
		return s.write(t.Context(), "cross", func(tx *sqlx.Tx) error {
			runs.Add(1)
			if _, err := tx.Exec(`UPDATE jobs SET cancel = cancel + 1 WHERE id = ?`, jobs[i]); err != nil {
				return err
			}
			arrived <- struct{}{}
			<-met
			_, err := tx.Exec(`UPDATE jobs SET cancel = cancel + 1 WHERE id = ?`, jobs[1-i])
			return err
		})
	})
	same(t, "transactions that committed", wins, 2)
	if n := runs.Load(); n < 3 {
		t.Errorf("%d runs: there was no deadlock", n)
	}
	var sum int
	ok(t, s.writer.Get(&sum, `SELECT SUM(cancel) FROM jobs`))
	same(t, "updates", sum, 4)
}

// A daemon killed in the middle of a migration leaves half the tables, as MySQL commits each
// by itself; the next one makes the rest.
func TestMySQLHalfMigrated(t *testing.T) {
	server := mariadb.Start(t)
	dsn := server.Database()
	s := openAt(t, dsn)
	for _, table := range []string{"job_events", "jobs", versionTable} {
		_, err := s.writer.Exec("DROP TABLE " + table)
		ok(t, err)
	}
	_, err := s.writer.Exec("DROP INDEX tenants_member ON tenants")
	ok(t, err)
	ok(t, s.InsertTenant(t.Context(), aTenant("acme")))

	again := openAt(t, dsn)
	same(t, "tenants", names(must(again.Tenants(t.Context(), fleet.TenantFilter{Member: "n1"}))(t)), "acme")
	claimed(t, again, 1)
	var n int
	ok(t, again.writer.Get(&n, `SELECT COUNT(*) FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'tenants_member'`))
	if n == 0 {
		t.Error("the index that was missing is still missing")
	}
}

func TestMySQLOpenRefused(t *testing.T) {
	server := mariadb.Start(t)
	host := "@tcp(" + server.Addr() + ")/"
	for name, test := range map[string]struct {
		dsn string
	}{
		"wrong password":    {"mysql://root:s3cret" + host + "mysql"},
		"no such user":      {"mysql://nobody:s3cret" + host + "mysql"},
		"no such database":  {"mysql://root" + host + "nothing"},
		"no such parameter": {"mysql://root" + host + "mysql?no_such_setting=1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), test.dsn)
			fails(t, err, fleet.Unavailable, "store.dsn", "check user")
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v holds the password", err)
			}
		})
	}
	dsn := server.Database()
	server.Stop()
	began := time.Now()
	_, err := Open(t.Context(), strings.Replace(dsn, "root@", "root:s3cret@", 1))
	fails(t, err, fleet.Unavailable, "", "does not answer")
	if took := time.Since(began); took > 5*time.Second || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("after %s: %v", took, err)
	}
}
