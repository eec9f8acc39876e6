package lxdapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// streams are the websockets of a command. With a terminal stdin and stdout are one.
type streams struct {
	control, stdin, stdout, stderr socket
	controlMu                      sync.Mutex
}

func (s *streams) close() {
	for _, conn := range []socket{s.stdin, s.stdout, s.stderr, s.control} {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// kill ends the command at once. LXD gets a second to be told.
func (s *streams) kill() {
	_ = s.control.SetWriteDeadline(time.Now().Add(time.Second))
	_ = s.tell(map[string]any{"command": "signal", "signal": 9})
	s.close()
}

// send passes on the input and the terminal's sizes, and reads the connections that carry
// nothing for us, until ended is closed or the streams are.
func (s *streams) send(spec fleet.ExecSpec, ended <-chan struct{}) {
	go discard(s.control)
	if !spec.TTY {
		go discard(s.stdin)
	}
	go sendInput(s.stdin, spec.Stdin, spec.TTY)
	if spec.TTY && spec.Resize != nil {
		go s.resize(spec.Resize, ended)
	}
}

// receive passes on the output. The function it gives waits for its end.
func (s *streams) receive(spec fleet.ExecSpec) (wait func() error) {
	var both sync.WaitGroup
	var outErr, errErr error
	both.Go(func() {
		outErr = receive(s.stdout, spec.Stdout)
		if spec.TTY { // a terminal ends by hanging up; LXD waits for us to do it too
			_ = s.stdout.Close()
		}
		if errors.Is(outErr, errCutOff) && (spec.TTY || spec.Stdout == nil) {
			outErr = nil // a terminal ends so; output that nobody wants has no end to lose
		}
	})
	if !spec.TTY {
		both.Go(func() { errErr = receiveErrors(s.stderr, spec.Stderr) })
	}
	return func() error {
		both.Wait()
		return errors.Join(outErr, errErr)
	}
}

// receiveErrors receives stderr, whose end LXD 5.0 may lose: it says so in w.
func receiveErrors(conn socket, w io.Writer) error {
	err := receive(conn, w)
	if !errors.Is(err, errCutOff) {
		return err
	}
	if w != nil {
		_, err = io.WriteString(w, "\n(LXD has lost the rest of this output)\n")
		return err
	}
	return nil
}

// errCutOff: a stream broke off before its end.
var errCutOff = errors.New("the output was cut off")

// receive copies a stream to w until LXD tells its end. What w refuses is dropped, so that
// the command is not held up; the error is told at the end. A stream that breaks off before
// its end is errCutOff.
func receive(conn socket, w io.Writer) error {
	var failed error
	if w == nil {
		w = io.Discard
	}
	for {
		kind, r, err := conn.NextReader()
		if err != nil {
			return cmp.Or(failed, fmt.Errorf("%w: %w", errCutOff, err))
		}
		if kind == textMessage {
			return failed
		}
		if _, err := io.Copy(w, r); err != nil && failed == nil {
			failed, w = err, io.Discard
		}
	}
}

// sendInput copies r to the command and tells the end. A terminal has no end of input: closing
// it would hang up.
func sendInput(conn socket, r io.Reader, tty bool) {
	buf := make([]byte, 32<<10)
	for r != nil {
		n, err := r.Read(buf)
		if n > 0 && conn.WriteMessage(binaryMessage, buf[:n]) != nil {
			return
		}
		if err != nil {
			break
		}
	}
	if !tty {
		_ = conn.WriteMessage(textMessage, nil)
	}
}

// discard reads a websocket that carries nothing for us: pings are answered while reading.
func discard(conn socket) {
	for {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

// tell sends a command to the one that runs the process.
func (s *streams) tell(command map[string]any) error {
	text, err := json.Marshal(command)
	if err != nil {
		return err
	}
	s.controlMu.Lock()
	defer s.controlMu.Unlock()
	return s.control.WriteMessage(textMessage, text)
}

func (s *streams) resize(sizes <-chan [2]int, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case size, ok := <-sizes:
			if !ok {
				return
			}
			args := map[string]string{"width": strconv.Itoa(size[0]), "height": strconv.Itoa(size[1])}
			if s.tell(map[string]any{"command": "window-resize", "args": args}) != nil {
				return
			}
		}
	}
}
