package daemon

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Daemon is a child process.
type Daemon struct {
	tb     testing.TB
	name   string
	binary string
	args   []string
	env    []string
	cmd    *exec.Cmd
	ended  chan struct{} // closed once it has ended
	out    *output
}

// output keeps what a process says, for when it fails.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Start starts the tool of that file name in bin/, with env added to the environment, and has it
// killed at the end of the test.
func Start(tb testing.TB, name string, env []string, args ...string) *Daemon {
	tb.Helper()
	d := &Daemon{tb: tb, name: name, binary: find(tb, name), args: args, env: env, out: &output{}}
	d.Start()
	tb.Cleanup(func() {
		d.Kill()
		if tb.Failed() && os.Getenv("DAEMON_OUTPUT") != "" {
			tb.Logf("%s said:\n%s", name, d.out)
		}
	})
	return d
}

// Start starts it again after Kill, with the same arguments.
func (d *Daemon) Start() {
	d.tb.Helper()
	d.cmd = exec.Command(d.binary, d.args...)
	d.cmd.Env = append(os.Environ(), d.env...)
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.ended = make(chan struct{})
	started := make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		// The kernel watches the thread that started the child, so that thread must live on.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(ended)
		}
	}(d.cmd, d.ended)
	if err := <-started; err != nil {
		d.tb.Fatalf("start %s: %v", d.name, err)
	}
}

// Kill ends it at once, if it runs.
func (d *Daemon) Kill() {
	_ = d.cmd.Process.Kill()
	<-d.ended
}

// Output is what it has said so far.
func (d *Daemon) Output() string { return d.out.String() }

// Await waits until ready reports true, and fails the test when the process ends before that.
func (d *Daemon) Await(ready func() bool) {
	d.tb.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-d.ended:
			d.tb.Fatalf("%s ended:\n%s", d.name, d.out)
		case <-deadline:
			d.tb.Fatalf("%s is not ready:\n%s", d.name, d.out)
		case <-tick.C:
		}
	}
}

// Answers reports whether something listens at a TCP address.
func Answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// FreeAddr gives a loopback address with a port that is free now.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// find looks for bin/name in the folder of the module.
func find(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			path := filepath.Join(dir, "bin", name)
			if _, e := os.Stat(path); e != nil {
				tb.Fatalf("bin/%s is not there: run make tools", name)
			}
			return path
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatalf("no go.mod above the working folder (%v)", err)
	return ""
}
