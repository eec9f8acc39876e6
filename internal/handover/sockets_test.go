package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programVariable makes this test binary the program that is handed over: it names the folder
// of its sockets.
const programVariable = "LXDFLEET_HANDOVER_TEST"

func TestMain(m *testing.M) {
	if dir := os.Getenv(programVariable); dir != "" {
		if err := program(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// program answers its process id, and is replaced on SIGHUP. It does not start where the file
// "broken" is.
func program(dir string) error {
	s, err := Open(filepath.Join(dir, "pid"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "broken")); err == nil {
		return errors.New("broken")
	}
	socket := filepath.Join(dir, "socket")
	ln, err := s.ListenBy("unix", socket, func() (net.Listener, error) { return net.Listen("unix", socket) })
	if err != nil {
		return err
	}
	packets, err := s.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var open sync.WaitGroup
	srv := &http.Server{ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Done()
		}
	}, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%d %t %s", os.Getpid(), s.Heir(), packets.LocalAddr())
	})}
	hup, term := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	signal.Notify(term, syscall.SIGTERM)
	served := make(chan struct{})
	go func() {
		srv.Serve(ln)
		close(served)
	}()
	if err := s.Ready(); err != nil {
		return err
	}
	for {
		select {
		case <-hup:
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			err := s.HandOver(ctx)
			cancel()
			if err != nil {
				fmt.Fprintln(os.Stderr, "hand over:", err)
				continue
			}
		case <-term:
		}
		ln.Close()
		<-served // what was accepted is known only now
		// What arrives on a connection after Shutdown has begun is not answered by http.Server.
		open.Wait()
		return srv.Shutdown(context.Background())
	}
}

// run starts the program and gives a client of it.
func run(t *testing.T) (dir string, ask func() (pid int, heir bool, udp string)) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), programVariable+"="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it and its successors
		_ = cmd.Wait()
	})
	web := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true, // each request asks who listens now
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "socket"))
		},
	}}
	ask = func() (pid int, heir bool, udp string) {
		t.Helper()
		res, err := web.Get("http://program/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(string(body), &pid, &heir, &udp); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		return pid, heir, udp
	}
	eventually(t, func() bool { return pidIn(dir) == cmd.Process.Pid })
	return dir, ask
}

func pidIn(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, "pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

func eventually(t *testing.T, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !check(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within a minute")
		}
	}
}

// Twice, because a successor has to be able to hand over, too.
func TestSuccessorsAnswerOnTheSameSockets(t *testing.T) {
	dir, ask := run(t)
	before, heir, udp := ask()
	if heir {
		t.Error("the first one believes to be a successor")
	}
	for range 2 {
		if err := syscall.Kill(before, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		var pid int
		var heir bool
		var address string
		eventually(t, func() bool { // for a moment both answer
			pid, heir, address = ask()
			return pid != before && pidIn(dir) == pid
		})
		if !heir || address != udp {
			t.Errorf("heir %t at %s, want %s", heir, address, udp)
		}
		before = pid
	}
}

func TestSuccessorThatDoesNotStartChangesNothing(t *testing.T) {
	dir, ask := run(t)
	before, _, _ := ask()
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(before, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if pid, _, _ := ask(); pid != before {
			t.Fatalf("%d answers, not %d", pid, before)
		}
		time.Sleep(10 * time.Millisecond) // for the attempt to fail
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		_ = syscall.Kill(before, syscall.SIGHUP) // an attempt may still be failing
		pid, _, _ := ask()
		return pid != before
	})
}
