//go:build integration

package integration

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/pace"
)

// process is a daemon that runs, or has run.
type process struct {
	cmd  *exec.Cmd
	heir int           // process id of its successor; 0: it has none
	gone chan struct{} // closed when it and its successors have ended
	log  *lines
}

func (p *process) signal(sig syscall.Signal) {
	if p.heir != 0 {
		_ = syscall.Kill(p.heir, sig)
	} else {
		_ = p.cmd.Process.Signal(sig)
	}
}

// start starts the daemon and waits until it answers.
func (w *world) start(env ...string) {
	w.t.Helper()
	w.launch(env...)
	eventually(w.t, 30*time.Second, "the daemon answers", func() bool {
		select {
		case <-w.daemon.gone:
			w.t.Fatalf("the daemon ended at once:\n%s", w.daemon.log.tail(50))
		default:
		}
		return w.answers()
	})
}

// launch starts the daemon and does not wait.
func (w *world) launch(env ...string) {
	w.t.Helper()
	log := &lines{}
	if w.daemon != nil {
		log = w.daemon.log
	}
	cmd := exec.Command(binary, "--config", w.configFile(), "serve")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.daemon = &process{cmd: cmd, gone: make(chan struct{}), log: log}
	go func(p *process) {
		_ = p.cmd.Wait() // the exit code of a killed process tells nothing
		close(p.gone)
	}(w.daemon)
}

// kill ends the daemon as a power cut would.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.gone
}

// stop asks the daemon to end and waits, by force after 20 s.
func (p *process) stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(pace.Of(20 * time.Second)):
		p.kill()
	}
}

func (p *process) running() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// lines keeps what a process printed.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(l.text.String(), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// eventually waits until check holds, and fails the test when it does not in time.
func eventually(t *testing.T, within time.Duration, what string, check func() bool) {
	t.Helper()
	within = pace.Of(within)
	deadline := time.Now().Add(within)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
