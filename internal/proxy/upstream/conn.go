package upstream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	smallBuffer = 8 << 10  // every connection has one: most answers' headers and many whole answers
	largeBuffer = 32 << 10 // lent while a body fills the small one
)

// buffers lends large buffers.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[largeBuffer]byte {
	if buf, ok := b.pool.Get().(*[largeBuffer]byte); ok {
		return buf
	}
	return new([largeBuffer]byte)
}

func (b *buffers) put(buf *[largeBuffer]byte) { b.pool.Put(buf) }

// conn is a connection to a backend. It carries one request at a time.
type conn struct {
	nc        net.Conn
	backend   string
	used      bool // it has carried a request before
	idleSince time.Time
	deadline  time.Time // set on nc for reading and writing; zero: none

	in    []byte // in[r:w] was read and is not used yet
	r, w  int
	small [smallBuffer]byte
	large *buffers
	lent  *[largeBuffer]byte // that in is, or nil
	full  bool               // the last read filled in

	out  []byte // the request's header, and its body where that is small
	head head

	// Reading without waiting.
	raw    syscall.RawConn // nil where nc cannot
	try    func(fd uintptr) bool
	tried  int
	tryErr error
	say    func(fd uintptr) bool
	phase  phase
	wrote  int
	abort  func() // closes nc
}

// phase is how far converse has come.
type phase int

const (
	toLook phase = iota // whether the connection is still open
	toWrite
	toRead
	shut      // it was not open
	notAtOnce // not all could be written without waiting, or it failed
)

func newConn(nc net.Conn, backend string, large *buffers) *conn {
	cn := &conn{nc: nc, backend: backend, large: large}
	cn.in = cn.small[:]
	cn.abort = func() { nc.Close() }
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			cn.raw = raw
			cn.try = cn.readNow // made once, so that reading needs no memory
			cn.say = cn.sayNow
		}
	}
	return cn
}

// readNow reads what is there into the rest of in.
func (cn *conn) readNow(fd uintptr) bool {
	for {
		cn.tried, cn.tryErr = syscall.Read(int(fd), cn.in[cn.w:])
		if cn.tryErr != syscall.EINTR { //nolint:errorlint // as the system call gives it
			return true
		}
	}
}

var errNothingYet = errors.New("nothing to read yet")

// fillNow reads more without waiting; errNothingYet says that it would have to.
func (cn *conn) fillNow() error {
	if cn.raw == nil {
		return errNothingYet
	}
	cn.room()
	if err := cn.raw.Read(cn.try); err != nil {
		return err
	}
	switch {
	case cn.tryErr == syscall.EAGAIN: //nolint:errorlint // as the system call gives it
		return errNothingYet
	case cn.tryErr != nil:
		return cn.tryErr
	case cn.tried == 0:
		return io.EOF
	}
	cn.filled(cn.tried)
	return nil
}

// fill reads more and waits for it.
func (cn *conn) fill() error {
	cn.room()
	n, err := cn.nc.Read(cn.in[cn.w:])
	if n > 0 {
		cn.filled(n)
		return nil // err, if any, comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

func (cn *conn) filled(n int) {
	cn.w += n
	cn.full = cn.w == len(cn.in)
}

// room makes place for at least one more byte.
func (cn *conn) room() {
	if cn.r == cn.w {
		cn.r, cn.w = 0, 0
		if cn.full && cn.lent == nil && len(cn.in) < largeBuffer {
			cn.borrow()
		}
		return
	}
	if cn.w < len(cn.in) {
		return
	}
	if cn.r > 0 {
		cn.w = copy(cn.in, cn.in[cn.r:cn.w])
		cn.r = 0
		return
	}
	old := cn.in
	if cn.lent == nil && len(old) < largeBuffer {
		cn.borrow()
	} else {
		cn.in = make([]byte, 2*len(old)) // a large header; its reader sets the limit
	}
	copy(cn.in, old)
}

func (cn *conn) borrow() {
	cn.lent = cn.large.get()
	cn.in = cn.lent[:]
}

// settle readies an unread-free connection for being unused: nothing large is kept.
func (cn *conn) settle() {
	if cn.lent != nil {
		cn.large.put(cn.lent)
		cn.lent = nil
	}
	cn.in, cn.r, cn.w, cn.full = cn.small[:], 0, 0, false
	if cap(cn.out) > smallBuffer {
		cn.out = nil
	}
	if cap(cn.head.fields) > 64 {
		cn.head.fields = nil
	}
	clear(cn.head.fields[:cap(cn.head.fields)])
	cn.head = head{fields: cn.head.fields[:0]}
}

// discard closes the connection for good.
func (cn *conn) discard() {
	cn.nc.Close()
	if cn.lent != nil {
		cn.large.put(cn.lent)
		cn.lent = nil
	}
}

// open reports whether an unused connection still is: the backend has neither closed it nor
// sent anything that nobody asked for.
func (cn *conn) open() bool {
	return cn.raw == nil || errors.Is(cn.fillNow(), errNothingYet)
}

// errShut says that an unused connection was found not to be open, before anything was sent.
var errShut = errors.New("the kept-alive connection is not open")

// converse writes out and reads the beginning of what comes back. It does so in one visit to the
// poller, looking first whether a kept connection is open: the usual way takes two reads more,
// which find nothing. It gives how much of out was written; where that is not all, with no error,
// the rest is to be written and the answer to be read in the usual way.
func (cn *conn) converse() (wrote int, err error) {
	cn.room()
	cn.wrote = 0
	if cn.phase = toWrite; cn.used {
		cn.phase = toLook
	}
	err = cn.raw.Read(cn.say)
	switch {
	case cn.phase == shut:
		return 0, errShut
	case cn.phase == notAtOnce && cn.tryErr != nil && cn.tryErr != syscall.EAGAIN: //nolint:errorlint // as the system call gives it
		return cn.wrote, cn.tryErr
	case cn.phase == notAtOnce:
		return cn.wrote, nil
	case err != nil:
		return cn.wrote, err
	case cn.tryErr != nil:
		return cn.wrote, cn.tryErr
	case cn.tried == 0:
		return cn.wrote, io.EOF
	}
	cn.filled(cn.tried)
	return cn.wrote, nil
}

// sayNow goes on with converse as far as that needs no waiting. Only then it reports false, to
// be called again when there is something to read: also if that came since the first look.
func (cn *conn) sayNow(fd uintptr) bool {
	if cn.phase == toLook {
		if cn.readNow(fd); cn.tryErr != syscall.EAGAIN { //nolint:errorlint // as the system call gives it
			cn.phase = shut
			return true
		}
		cn.phase = toWrite
	}
	if cn.phase == toWrite {
		n, err := syscall.Write(int(fd), cn.out)
		cn.wrote, cn.tryErr = max(n, 0), err
		if cn.wrote < len(cn.out) {
			cn.phase = notAtOnce
			return true
		}
		cn.phase = toRead
		return false
	}
	cn.readNow(fd)
	return cn.tryErr != syscall.EAGAIN //nolint:errorlint // as the system call gives it
}

// answerWithin sets a deadline d from now, or a little later: an older one that is near enough
// is left in place.
func (cn *conn) answerWithin(d time.Duration) error {
	now := time.Now()
	if left := cn.deadline.Sub(now); left >= d && left <= d+d/8 {
		return nil
	}
	cn.deadline = now.Add(d + d/8)
	return cn.nc.SetDeadline(cn.deadline)
}

// noDeadline takes the deadline away.
func (cn *conn) noDeadline() error {
	if cn.deadline.IsZero() {
		return nil
	}
	cn.deadline = time.Time{}
	return cn.nc.SetDeadline(time.Time{})
}

var errLargeHead = errors.New("the header of the backend's answer is too large")

// readHead reads the beginning of an answer of at most limit bytes. It can be called again
// after a deadline: what was read is kept.
func (cn *conn) readHead(limit int) error {
	scanned := 0 // of in[r:], all whole lines
	for {
		have := cn.in[cn.r:cn.w]
		if n := min(len(have), 7); string(have[:n]) != "HTTP/1."[:n] {
			return malformed("it begins with %.20q", have)
		}
		for {
			i := bytes.IndexByte(have[scanned:], '\n')
			if i < 0 {
				break
			}
			if i == 0 || have[scanned+i-1] != '\r' {
				return malformed("a line ends without a carriage return")
			}
			scanned += i + 1
			if scanned > limit {
				return errLargeHead
			}
			if i == 1 {
				cn.r += scanned
				return cn.head.parse(string(have[:scanned]))
			}
		}
		if len(have) >= limit {
			return errLargeHead
		}
		if err := cn.fill(); err != nil {
			return err
		}
	}
}
