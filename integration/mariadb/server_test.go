//go:build integration

package mariadb

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServerKeepsDataThroughStopAndKill(t *testing.T) {
	s := Start(t)
	dsn := strings.TrimPrefix(s.Database(), "mysql://")
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("CREATE TABLE t (n INT)"); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(){s.Stop, s.Kill} {
		if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		end()
		if err := db.Ping(); err == nil {
			t.Error("a server that was ended answers")
		}
		s.Start()
	}
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM t").Scan(&n); err != nil || n != 2 {
		t.Errorf("rows after a stop and a kill: %d, %v; want 2", n, err)
	}
}

func TestPausedServerDoesNotAnswer(t *testing.T) {
	s := Start(t)
	db, err := sql.Open("mysql", strings.TrimPrefix(s.Database(), "mysql://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := db.PingContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ping of a paused server: %v", err)
	}
	s.Resume()
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("ping of a resumed server: %v", err)
	}
}

func TestServerLeavesNothing(t *testing.T) {
	var dir string
	var pid int
	t.Run("use", func(t *testing.T) {
		s := Start(t)
		dir, pid = s.dir, s.process.cmd.Process.Pid
	})
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}
