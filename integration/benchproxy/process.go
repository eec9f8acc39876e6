package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program on one core. It ends with this one at the latest: they are the processes
// of one PID namespace, whose first this is.
type process struct {
	name    string
	command []string
	env     []string // added
	core    int
	log     string // file for its output

	cmd   *exec.Cmd
	ended chan struct{}
}

// start runs the program and waits until it listens.
func (p *process) start(ctx context.Context, listens netip.AddrPort) error {
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(p.core)}, p.command...)...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(os.Environ(), p.env...)
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.ended = make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	for end := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", listens.String(), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return p.broken("ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			return p.broken("does not listen")
		}
	}
}

// broken is an error with the last lines of the program's log.
func (p *process) broken(what string) error {
	data, _ := os.ReadFile(p.log) // the error is that of the program
	return fmt.Errorf("%s %s; its log ends with:\n%s", p.name, what, data[max(0, len(data)-2000):])
}

// end ends the program, by SIGKILL after 10 s.
func (p *process) end() {
	if p.ended == nil {
		return
	}
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(s) // it may have ended already
		select {
		case <-p.ended:
			return
		case <-time.After(10 * time.Second):
		}
	}
}

// pids are the program's processes: itself and its children, such as nginx's workers.
func (p *process) pids() ([]int, error) {
	pid := p.cmd.Process.Pid
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, fmt.Errorf("list the processes of %s: %w", p.name, err)
	}
	all := []int{pid}
	for field := range strings.FieldsSeq(string(data)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("list the processes of %s: %w", p.name, err)
		}
		all = append(all, child)
	}
	return all, nil
}

// cpu is the CPU time that the program has used, user and system, of all its threads, also ended
// ones. It is read from the processes' own clocks, which count nanoseconds where /proc counts
// hundredths of a second.
func (p *process) cpu() (time.Duration, error) {
	pids, err := p.pids()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil { // clock_getcpuclockid(3)
			return 0, fmt.Errorf("read the CPU time of %s: %w", p.name, err)
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// resident is the program's memory in bytes.
func (p *process) resident() (int64, error) {
	pids, err := p.pids()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return 0, err
		}
		pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += pages * int64(os.Getpagesize())
	}
	return sum, nil
}

// quiet waits until the program has nothing to do: certificates are made, files are read.
func (p *process) quiet(ctx context.Context, longest time.Duration) error {
	const look, still = 500 * time.Millisecond, 3 // so often in a row less than a fiftieth
	before, err := p.cpu()
	if err != nil {
		return err
	}
	row := 0
	for end := time.Now().Add(longest); row < still; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return p.broken("ended")
		case <-time.After(look):
		}
		now, err := p.cpu()
		if err != nil {
			return err
		}
		row++
		if now-before > look/50 {
			row = 0
		}
		before = now
		if time.Now().After(end) {
			return errors.New(p.name + " is still busy with itself")
		}
	}
	return nil
}
