package accesslog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// output is the file that is written. Only the writer touches it.
type output struct {
	path     string
	patience time.Duration // with a pipe that nobody empties
	file     *os.File      // nil while there is none
	info     os.FileInfo   // of file; nil for the standard output
}

// open opens the file where none is open, and reports whether it did. It does not wait for
// somebody to read a named pipe.
func (o *output) open() (opened bool, err error) {
	if o.file != nil {
		return false, nil
	}
	if o.path == "stdout" {
		// A descriptor of its own: the process would end with one whose reader is gone.
		fd, err := unix.FcntlInt(os.Stdout.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return false, fmt.Errorf("open the standard output: %w", err)
		}
		o.file = os.NewFile(uintptr(fd), "stdout")
		return true, nil
	}
	// The tenants' visitors are nobody else's business.
	f, err := os.OpenFile(o.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o640)
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	o.file, o.info = f, info
	return true, nil
}

// write writes p, or as much of it as goes; a pipe is given some time.
func (o *output) write(p []byte) (int, error) {
	_ = o.file.SetWriteDeadline(time.Now().Add(o.patience)) // only pipes have one
	return o.file.Write(p)
}

// closeMoved closes the file if another one is, or none, where it was opened.
func (o *output) closeMoved() {
	if o.file == nil || o.info == nil {
		return
	}
	if now, err := os.Stat(o.path); err != nil || !os.SameFile(now, o.info) {
		o.close()
	}
}

func (o *output) close() {
	if o.file != nil {
		_ = o.file.Close() // what was written is in the system's hands
		o.file, o.info = nil, nil
	}
}
