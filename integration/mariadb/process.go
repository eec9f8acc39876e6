package mariadb

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// process is a child that the kernel kills when this process ends, however it ends.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has ended
	err   error         // how it ended; to be read after ended is closed
}

func launch(binary string, args []string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The kernel watches the thread that started the child, so that thread must live on.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.ended)
		}
	}()
	return p, <-started
}

// signal sends to the recorded process only; a paused one is woken so that it can die.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGTERM {
		return p.cmd.Process.Signal(syscall.SIGCONT)
	}
	return nil
}

// stopped reports whether SIGSTOP has reached every thread.
func (p *process) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			continue // it has just ended
		}
		// proc(5): the state follows the name in brackets, which may hold anything.
		if _, rest, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " "); !ok || rest[0] != 'T' {
			return false
		}
	}
	return true
}
