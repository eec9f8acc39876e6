package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"
)

// exchange is one request on its way to a backend, and its answer.
type exchange struct {
	client *Client
	w      http.ResponseWriter
	r      *http.Request
	leave  <-chan struct{} // closed when a tunnel is to end; nil: never

	// The plan, which holds for every attempt.
	length  int64  // of the body; 0: none, -1: not known
	expect  bool   // the client waits for "100 Continue" before it sends its body
	upgrade string // protocol to switch to, or ""
	key     string // made for an extended CONNECT, or ""

	// The attempt.
	cn     *conn
	stop   func() bool // ends the watch over the client's leaving
	up     *upload     // nil where no body is streamed
	asked  bool        // the body is still withheld: the client waits for "100 Continue"
	heard  bool        // something of an answer has come
	said   []byte      // the request and its small body, from an attempt that sent nothing
	bodyAt int         // where in it the body begins; 0: none was read
}

// errStale says that a kept-alive connection was closed before it carried anything back, and
// that the request may be sent over another.
var errStale = errors.New("the kept-alive connection was closed")

// run sends the request and passes the answer, over a second connection where a kept one fails.
func (x *exchange) run(backend string) error {
	defer x.drop() // what is left of an attempt, also when w panics
	err := x.over(backend, true)
	for errors.Is(err, errShut) {
		err = x.over(backend, true)
	}
	if errors.Is(err, errStale) {
		err = x.over(backend, false)
	}
	if errors.Is(err, ErrNotSent) {
		x.putBack()
	}
	return err
}

// over makes an attempt over a connection that is kept, if it may be, or over a new one.
func (x *exchange) over(backend string, kept bool) error {
	x.drop()
	if err := x.connect(backend, kept); err != nil {
		return err
	}
	return x.attempt()
}

// converses reports whether the request is written and its answer waited for in one: it has no
// body, so nothing else is to be done between the two.
func (x *exchange) converses(cn *conn) bool { return x.length == 0 && !x.expect && cn.raw != nil }

// connect takes a connection that is kept, or makes one.
func (x *exchange) connect(backend string, kept bool) error {
	c := x.client
	for kept {
		cn := c.pool.take(backend)
		if cn == nil {
			break
		}
		if cn.answerWithin(c.cfg.Answer) == nil && (x.converses(cn) || cn.open()) {
			x.use(cn)
			return nil
		}
		cn.discard()
	}
	nc, err := c.dial(x.r.Context(), backend)
	if err != nil {
		return err
	}
	cn := newConn(nc, backend, &c.large)
	x.use(cn)
	return cn.answerWithin(c.cfg.Answer)
}

func (x *exchange) use(cn *conn) {
	x.cn = cn
	x.stop = context.AfterFunc(x.r.Context(), cn.abort)
}

// drop ends an attempt and gives its connection up.
func (x *exchange) drop() {
	if x.cn == nil {
		return
	}
	x.stop()
	x.cn.nc.Close()
	_ = x.stopUpload() // was asked for before, where it matters
	x.cn.discard()
	x.cn, x.up = nil, nil
}

// release ends an attempt whose connection can be used again.
func (x *exchange) release() {
	cn := x.cn
	if !x.stop() {
		return // the client has left meanwhile, which closes it
	}
	x.cn = nil
	cn.used = true
	cn.settle()
	x.client.pool.put(cn, time.Now())
}

// attempt sends the request over x.cn and passes the answer.
func (x *exchange) attempt() error {
	cn := x.cn
	if x.said != nil {
		cn.out = append(cn.out[:0], x.said...)
	} else {
		cn.out = x.appendHead(cn.out[:0])
		if err := x.readSmallBody(); err != nil {
			x.release() // nothing was sent
			return err
		}
		if x.bodyAt > 0 && (cn.answerWithin(x.client.cfg.Answer) != nil || !cn.open()) {
			return x.unsent(io.EOF) // closed while the body was on its way here
		}
	}
	if err := x.send(); err != nil {
		return err
	}
	x.asked = x.expect
	if x.streams() && !x.asked {
		x.startUpload()
	}
	if err := x.readAnswer(); err != nil {
		return x.failed(err)
	}
	return x.answer()
}

// send writes the request. Where it can it waits for the beginning of the answer, too.
func (x *exchange) send() error {
	cn := x.cn
	wrote := 0
	if x.converses(cn) {
		var err error
		switch wrote, err = cn.converse(); {
		case errors.Is(err, errShut):
			return err
		case err != nil && wrote == 0:
			return x.unsent(err)
		case err != nil && wrote == len(cn.out):
			return x.failed(err)
		case wrote == len(cn.out):
			return nil
		}
	}
	// An error after a part was sent is left to the answer: the backend may have refused the
	// request early, said so and closed.
	if n, err := cn.nc.Write(cn.out[wrote:]); err != nil && wrote+n == 0 {
		return x.unsent(err)
	}
	return nil
}

// streams reports whether the body is sent while the answer is read.
func (x *exchange) streams() bool { return x.length < 0 || x.length > inlineBody || x.expect }

// readSmallBody appends a body that is not streamed to the header.
func (x *exchange) readSmallBody() error {
	if x.length == 0 || x.streams() {
		return nil
	}
	cn := x.cn
	n := len(cn.out)
	cn.out = append(cn.out, make([]byte, x.length)...)
	if _, err := io.ReadFull(x.r.Body, cn.out[n:]); err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	x.bodyAt = n
	return nil
}

// unsent is what becomes of a request of which nothing could be written.
func (x *exchange) unsent(err error) error {
	x.said = x.cn.out // which is not used again: the connection is given up
	if x.cn.used && x.r.Context().Err() == nil {
		return errStale
	}
	return fmt.Errorf("%w: %w", ErrNotSent, err)
}

// putBack makes the body whole again for another Forward.
func (x *exchange) putBack() {
	if x.bodyAt > 0 {
		x.r.Body = &wholeBody{Reader: bytes.NewReader(x.said[x.bodyAt:]), Closer: x.r.Body}
	}
}

// wholeBody is a body that was read and can be read again.
type wholeBody struct {
	io.Reader
	io.Closer
}

// readAnswer reads up to the final answer's header. It passes informational ones on, and has
// the body sent once the backend wants it or has been silent for a while.
func (x *exchange) readAnswer() error {
	cn, cfg := x.cn, &x.client.cfg
	if x.asked {
		cn.deadline = time.Now().Add(cfg.Continue)
		if err := cn.nc.SetReadDeadline(cn.deadline); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		err := cn.readHead(cfg.MaxHeader)
		x.heard = x.heard || cn.w > 0
		switch h := &cn.head; {
		case x.asked && errors.Is(err, os.ErrDeadlineExceeded):
			x.startUpload()
		case err != nil:
			return err
		case h.status == http.StatusSwitchingProtocols:
			return x.mayswitch()
		case h.status >= 200:
			return nil
		case n >= mostInformational:
			return malformed("more than %d informational answers", mostInformational)
		case h.status == http.StatusContinue:
			if x.asked {
				x.startUpload() // reading the body tells the client to send it
			}
		default:
			x.inform()
		}
	}
}

const mostInformational = 32

// failed says why there is no answer. Nothing was written to the client.
func (x *exchange) failed(err error) error {
	left := x.r.Context().Err() // before the upload is stopped, which may end it, too
	if left != nil && x.up != nil {
		x.up.settle()
	}
	if broke := x.stopUpload(); broke != nil {
		return fmt.Errorf("%w: %w", ErrRequest, broke)
	}
	switch {
	case left != nil:
		return fmt.Errorf("%w: %w", ErrLeft, left)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case x.cn.used && !x.heard && x.repeatable() && closed(err):
		return errStale
	}
	return fmt.Errorf("read the backend's answer: %w", err)
}

// closed reports whether err is what a connection gives that the other side has closed.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
