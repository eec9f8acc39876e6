package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// upload streams a request's body to the backend while the answer is read.
type upload struct {
	nc      net.Conn
	body    io.Reader
	left    int64       // still to be sent; -1: chunks
	trailer http.Header // filled by net/http at the end of body
	answer  time.Duration
	buffers *buffers

	done   chan struct{}
	whole  bool // all was sent; valid once done
	mu     sync.Mutex
	broke  error // reading from the client failed
	header bool  // the answer's header is there: no deadline is to be set any more
}

// startUpload sends the body from another goroutine. The time the backend has for its answer
// begins when it has it all.
func (x *exchange) startUpload() {
	cn := x.cn
	x.asked = false
	_ = cn.noDeadline()           // fails only if the connection does
	cn.deadline = time.Unix(1, 0) // there will be others, set by the upload
	x.up = &upload{
		nc: cn.nc, body: x.r.Body, left: x.length, trailer: x.r.Trailer, answer: x.client.cfg.Answer,
		buffers: &x.client.large, done: make(chan struct{}),
	}
	go x.up.run()
}

func (u *upload) run() {
	defer close(u.done)
	if u.send() != nil {
		return // the backend may have answered without wanting it all
	}
	u.whole = true
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.header {
		_ = u.nc.SetReadDeadline(time.Now().Add(u.answer)) // fails only if the connection does
	}
}

// chunkRoom is what a chunk's size takes in front of its data, at most.
const chunkRoom = len("8000\r\n")

func (u *upload) send() error {
	buf := u.buffers.get()
	defer u.buffers.put(buf)
	for u.left != 0 {
		data := buf[chunkRoom : len(buf)-2]
		if u.left > 0 {
			data = data[:min(int64(len(data)), u.left)]
		}
		n, err := u.body.Read(data)
		if n > 0 {
			if e := u.write(buf, n); e != nil {
				return e
			}
		}
		switch {
		case err == nil, u.left == 0:
		case errors.Is(err, io.EOF) && u.left < 0:
			return u.end(buf[:0])
		case errors.Is(err, io.EOF):
			return u.breakOff(io.ErrUnexpectedEOF)
		default:
			return u.breakOff(err)
		}
	}
	return nil
}

// breakOff ends the exchange because the client's side did: the backend must not take the body
// for whole.
func (u *upload) breakOff(err error) error {
	u.mu.Lock()
	u.broke = err // before the connection is closed, which whoever reads the answer notices
	u.mu.Unlock()
	u.nc.Close()
	return err
}

// write sends n bytes at buf[chunkRoom:].
func (u *upload) write(buf *[largeBuffer]byte, n int) error {
	from, to := chunkRoom, chunkRoom+n
	if u.left > 0 {
		u.left -= int64(n)
	} else {
		var size [chunkRoom]byte
		line := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
		from -= copy(buf[chunkRoom-len(line):], line)
		to += copy(buf[to:], "\r\n")
	}
	if err := u.nc.SetWriteDeadline(time.Now().Add(u.answer)); err != nil {
		return err
	}
	_, err := u.nc.Write(buf[from:to])
	return err
}

// end sends the last chunk and the trailer.
func (u *upload) end(b []byte) error {
	b = append(b, "0\r\n"...)
	for name, values := range u.trailer {
		canonical, ok := canonicalName(name)
		if !ok || removes(canonical, false) {
			continue
		}
		for _, value := range values {
			b = appendField(b, canonical, value)
		}
	}
	_, err := u.nc.Write(append(b, "\r\n"...))
	return err
}

// answered says that the answer's header is there, whose body has no time limit.
func (u *upload) answered() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.header = true
	return u.nc.SetReadDeadline(time.Time{})
}

// uploadGrace is how long an answer over HTTP/1 waits for the end of the request's body, which
// in the common case is just being noticed.
const uploadGrace = 50 * time.Millisecond

// early readies the client's side for an answer that comes before the end of the request's
// body. net/http would read on from the body by itself when an answer over HTTP/1 begins.
func (x *exchange) early() error {
	if err := x.up.answered(); err != nil {
		return fmt.Errorf("read the backend's answer: %w", err)
	}
	if x.r.ProtoMajor != 1 {
		return nil
	}
	grace := time.NewTimer(uploadGrace)
	defer grace.Stop()
	select {
	case <-x.up.done:
		if x.up.whole {
			return nil
		}
	case <-grace.C:
	}
	_ = http.NewResponseController(x.w).EnableFullDuplex() // where there is none nothing reads on, either
	x.w.Header().Set("Connection", "close")                // what is left of the body is not a request
	return nil
}

// settleTime is how long an upload has to say why it ended. It needs it only where the machine
// is busy.
const settleTime = time.Second

// settle waits for an upload whose request's context has ended. net/http ends the context when
// it cannot read from the client, before it says so to whoever reads the body: without the wait
// a body that was given up would be taken for a client that has left.
func (u *upload) settle() {
	late := time.NewTimer(settleTime)
	defer late.Stop()
	select {
	case <-u.done:
	case <-late.C:
	}
}

// stopUpload ends an upload that has not ended yet, together with the connection. It gives the
// error of the client's side, if that was what ended it.
func (x *exchange) stopUpload() error {
	u := x.up
	if u == nil {
		return nil
	}
	u.mu.Lock()
	broke := u.broke
	u.mu.Unlock()
	select {
	case <-u.done:
		return broke
	default:
	}
	u.nc.Close()
	if http.NewResponseController(x.w).SetReadDeadline(time.Unix(1, 0)) != nil {
		x.r.Body.Close()
	}
	<-u.done
	return broke
}
