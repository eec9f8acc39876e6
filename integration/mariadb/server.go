package mariadb

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver of the connection that makes databases
)

const (
	startWithin = time.Minute
	stopWithin  = time.Minute
)

// Server is a running MariaDB. Its methods fail the test when they cannot do their work, and
// must be called from one goroutine at a time.
type Server struct {
	tb        testing.TB
	binary    string
	dir       string
	port      int
	process   *process
	databases atomic.Int64
}

// Start installs a data folder and starts a server on it. It fails the test with a message
// that says what to install where MariaDB is missing.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, binary: find(tb, "mariadbd")}
	var err error
	// Not tb.TempDir: its paths can be longer than a socket's may be.
	if s.dir, err = os.MkdirTemp("", "lxdfleet-mariadb-"); err != nil {
		tb.Fatalf("make a folder for MariaDB: %v", err)
	}
	tb.Cleanup(func() {
		if s.process != nil {
			s.Kill()
		}
		if err := os.RemoveAll(s.dir); err != nil {
			tb.Errorf("remove MariaDB's folder: %v", err)
		}
	})
	s.install()
	s.port = freePort(tb)
	s.Start()
	return s
}

// Database makes a new empty database and gives its address in the form of store.dsn.
func (s *Server) Database() string {
	s.tb.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	db, err := sql.Open("mysql", "root@tcp("+s.Addr()+")/")
	if err != nil {
		s.tb.Fatalf("connect to MariaDB: %v", err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(s.tb.Context(), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4"); err != nil {
		s.tb.Fatalf("make a database in MariaDB: %v", err)
	}
	return s.DSN(name)
}

// DSN gives the address of a database on this server, in the form of store.dsn.
func (s *Server) DSN(database string) string { return "mysql://root@tcp(" + s.Addr() + ")/" + database }

// Addr gives host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Start starts the server again after Stop or Kill, on the same port, and waits until it answers.
func (s *Server) Start() {
	s.tb.Helper()
	p, err := launch(s.binary, s.arguments())
	if err != nil {
		s.tb.Fatalf("start MariaDB: %v", err)
	}
	s.process = p
	if err := s.await(); err != nil {
		s.Kill()
		log, _ := os.ReadFile(filepath.Join(s.dir, "error.log"))
		s.tb.Fatalf("MariaDB did not start: %v\n%s", err, log)
	}
}

// Stop ends the server in order: it finishes what it has and closes its connections.
func (s *Server) Stop() { s.tb.Helper(); s.end(syscall.SIGTERM) }

// Kill ends the server at once, as a power cut would.
func (s *Server) Kill() { s.tb.Helper(); s.end(syscall.SIGKILL) }

// Pause freezes the server: connections stay open, and nothing answers.
func (s *Server) Pause() {
	s.tb.Helper()
	s.signal(syscall.SIGSTOP)
	// The signal is on its way for a moment after kill(2) has returned.
	for until := time.Now().Add(stopWithin); !s.process.stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			s.tb.Fatalf("MariaDB still runs %s after SIGSTOP", stopWithin)
		}
	}
}

// Resume lets a frozen server go on.
func (s *Server) Resume() { s.tb.Helper(); s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.process.signal(sig); err != nil {
		s.tb.Fatalf("send %v to MariaDB: %v", sig, err)
	}
}

func (s *Server) end(sig syscall.Signal) {
	s.tb.Helper()
	s.signal(sig)
	select {
	case <-s.process.ended:
		s.process = nil
	case <-time.After(stopWithin):
		s.tb.Fatalf("MariaDB did not end within %s of %v", stopWithin, sig)
	}
}

// install makes the data folder with the system's tables.
func (s *Server) install() {
	s.tb.Helper()
	args := append(asRoot(), "--datadir="+filepath.Join(s.dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db")
	args = append([]string{"--no-defaults"}, args...)
	cmd := exec.CommandContext(s.tb.Context(), find(s.tb, "mariadb-install-db"), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.tb.Fatalf("make MariaDB's data folder: %v\n%s", err, out)
	}
}

func (s *Server) arguments() []string {
	return append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--socket=" + filepath.Join(s.dir, "sock"),
		"--pid-file=" + filepath.Join(s.dir, "pid"), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.port),
		"--skip-log-bin", "--innodb-buffer-pool-size=64M", "--log-error=" + filepath.Join(s.dir, "error.log"),
	}, asRoot()...)
}

// await asks until the server answers or has ended.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	db, err := sql.Open("mysql", "root@unix("+filepath.Join(s.dir, "sock")+")/")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.ended:
			return fmt.Errorf("it ended: %w", s.process.err)
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// asRoot is what MariaDB asks for when it is run by root.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// find looks for a program, also where an unprivileged user's path does not lead.
func find(tb testing.TB, name string) string {
	tb.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	tb.Fatalf("%s is not installed: run scripts/install-deps mariadb", name)
	return ""
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
