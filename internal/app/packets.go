package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// packets is the right to read the HTTP/3 socket. Two processes may have the socket for a while;
// a packet read by the wrong one would be lost. The right is a lock on a file, so that the end
// of a process gives it up however it ends.
type packets struct {
	ready chan struct{} // closed when this process has it
	over  chan struct{}
	once  sync.Once
}

// awaitPackets asks for the right, in the background.
func awaitPackets(dir string) (*packets, error) {
	f, err := os.OpenFile(filepath.Join(dir, "http3.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dataDirError("open the lock of the HTTP/3 socket", err)
	}
	p := &packets{ready: make(chan struct{}), over: make(chan struct{})}
	has := func() (bool, error) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	}
	got, err := has()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the HTTP/3 socket: %w", err)
	}
	if got {
		close(p.ready)
	}
	go func() {
		defer f.Close()
		look := time.NewTicker(50 * time.Millisecond)
		defer look.Stop()
		for !got {
			select {
			case <-look.C:
				if got, _ = has(); got {
					close(p.ready)
				}
			case <-p.over:
				return
			}
		}
		<-p.over
	}()
	return p, nil
}

// release gives the right up.
func (p *packets) release() { p.once.Do(func() { close(p.over) }) }
