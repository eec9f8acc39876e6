package mariadb

import (
	"os/exec"
	"runtime"
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
