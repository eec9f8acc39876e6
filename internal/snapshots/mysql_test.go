//go:build integration

package snapshots

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lxdfleet/lxdfleet/integration/mariadb"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// shop is a database that is written to all the time, one row after the other.
type shop struct {
	t    *testing.T
	db   *sql.DB
	cfg  *mysql.Config
	rows chan time.Time // when a write was done
}

func newShop(t *testing.T, server *mariadb.Server) *shop {
	t.Helper()
	s := &shop{t: t, cfg: mysql.NewConfig(), rows: make(chan time.Time, 100_000)}
	s.cfg.User, s.cfg.Net, s.cfg.Addr = "root", "tcp", server.Addr()
	connector, err := mysql.NewConnector(s.cfg)
	do(t, err)
	s.db = sql.OpenDB(connector)
	for _, statement := range []string{"CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB"} {
		_, err := s.db.Exec(statement)
		do(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if _, err := s.db.ExecContext(ctx, "INSERT INTO shop.orders VALUES ()"); err == nil {
				s.rows <- time.Now()
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended; _ = s.db.Close() })
	<-s.rows
	return s
}

// pauses gives the longest time without a write that ended after the given moment.
func (s *shop) longestPause(since time.Time) time.Duration {
	last, longest := time.Time{}, time.Duration(0)
	for {
		select {
		case at := <-s.rows:
			if !last.IsZero() && at.After(since) {
				longest = max(longest, at.Sub(last))
			}
			last = at
		default:
			return longest
		}
	}
}

func (s *shop) count() int {
	s.t.Helper()
	n := 0
	do(s.t, s.db.QueryRow("SELECT COUNT(*) FROM shop.orders").Scan(&n))
	return n
}

func TestMySQLQuiesce(t *testing.T) {
	server := mariadb.Start(t)
	s := newShop(t, server)
	t.Run("blocks commits until the release", func(t *testing.T) {
		h, err := lockMySQL(t.Context(), s.cfg, 5*time.Second)
		do(t, err)
		time.Sleep(50 * time.Millisecond) // a commit that was on its way
		before := s.count()
		time.Sleep(300 * time.Millisecond)
		if after := s.count(); after != before {
			t.Errorf("%d rows were written while the database was held", after-before)
		}
		held, err := h.release(t.Context())
		do(t, err)
		if held < 300*time.Millisecond || held > time.Second {
			t.Errorf("held for %s", held)
		}
		s.goesOn(t)
	})
	t.Run("lets go at the limit", func(t *testing.T) {
		began := time.Now()
		h, err := lockMySQL(t.Context(), s.cfg, time.Second)
		do(t, err)
		time.Sleep(1500 * time.Millisecond)
		s.goesOn(t)
		if pause := s.longestPause(began); pause < 500*time.Millisecond || pause > 1500*time.Millisecond {
			t.Errorf("writes were blocked for %s", pause)
		}
		if _, err := h.release(t.Context()); fleet.CodeOf(err) != fleet.Failed || !strings.Contains(err.Error(), "lost") {
			t.Errorf("release: %v", err)
		}
	})
	t.Run("lets go when the process is gone", func(t *testing.T) {
		h, err := lockMySQL(t.Context(), s.cfg, 5*time.Second)
		do(t, err)
		h.(*mysqlHold).close() // its connections end, as with the process
		s.goesOn(t)
	})
	t.Run("is not given in time", func(t *testing.T) {
		other, err := s.db.Conn(t.Context())
		do(t, err)
		defer other.Close()
		for _, statement := range []string{"BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"} {
			_, err = other.ExecContext(t.Context(), statement)
			do(t, err)
		}
		began := time.Now()
		_, err = lockMySQL(t.Context(), s.cfg, time.Second)
		if err == nil || time.Since(began) > 2*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		_, err = other.ExecContext(t.Context(), "BACKUP STAGE END")
		do(t, err)
		s.goesOn(t)
	})
	t.Run("job is cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h, err := lockMySQL(ctx, s.cfg, 5*time.Second)
		do(t, err)
		cancel()
		_, err = h.release(ctx)
		if err == nil {
			t.Error("released without an error")
		}
		s.goesOn(t)
	})
	t.Run("server hangs", func(t *testing.T) {
		server.Pause()
		began := time.Now()
		_, err := lockMySQL(t.Context(), s.cfg, time.Second)
		server.Resume()
		if err == nil || time.Since(began) > 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		s.goesOn(t)
	})
	t.Run("wrong password", func(t *testing.T) {
		cfg := s.cfg.Clone()
		cfg.User, cfg.Passwd = "nobody", "secret"
		_, err := lockMySQL(t.Context(), cfg, time.Second)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	})
	t.Run("server is gone", func(t *testing.T) {
		h, err := lockMySQL(t.Context(), s.cfg, 5*time.Second)
		do(t, err)
		server.Kill()
		if _, err := h.release(t.Context()); err == nil {
			t.Error("released without an error")
		}
		_, err = lockMySQL(t.Context(), s.cfg, time.Second)
		if err == nil {
			t.Error("locked a server that is gone")
		}
		server.Start()
	})
}

// goesOn waits until rows are written again.
func (s *shop) goesOn(t *testing.T) {
	t.Helper()
	for before, end := s.count(), time.Now().Add(5*time.Second); ; {
		if s.count() > before {
			return
		}
		if time.Now().After(end) {
			t.Fatal("nothing is written any more")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
