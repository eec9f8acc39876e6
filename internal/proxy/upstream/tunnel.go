package upstream

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// halfClosed is how long one direction of a tunnel goes on after the other has ended.
const halfClosed = time.Minute

// protocolOf gives the protocol of an extended CONNECT (RFC 8441, RFC 9220): net/http keeps it
// in a header, quic-go in Proto.
func protocolOf(r *http.Request) string {
	if v := r.Header[":protocol"]; len(v) == 1 {
		return v[0]
	}
	if r.ProtoMajor == 3 {
		return r.Proto
	}
	return ""
}

func webSocketKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// acceptOf is what a server answers to a key (RFC 6455, section 4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// mayswitch checks that the backend switches to what it was asked to.
func (x *exchange) mayswitch() error {
	h := &x.cn.head
	if x.upgrade == "" || !strings.EqualFold(h.upgrade, x.upgrade) {
		return malformed("it switches to protocol %.40q, wanted %.40q", h.upgrade, x.upgrade)
	}
	if x.key == "" {
		return nil
	}
	for _, f := range h.fields {
		if f.name == "Sec-Websocket-Accept" && f.value == acceptOf(x.key) {
			return nil
		}
	}
	return malformed("it does not accept the WebSocket")
}

// tunnel joins client and backend after a switch of protocols, until both directions have ended.
func (x *exchange) tunnel() error {
	if err := x.cn.noDeadline(); err != nil {
		return err
	}
	if x.key != "" {
		return x.tunnelStream()
	}
	nc, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return fmt.Errorf("take over the client's connection: %w", err)
	}
	defer nc.Close()
	if _, err := nc.Write(x.appendSwitch(nil)); err != nil {
		return nil // the client has left
	}
	cn := x.cn
	toBackend, toClient, done := x.untilLeave(cn.nc, nc, func() { cn.nc.Close(); nc.Close() })
	defer done()
	var wg sync.WaitGroup
	wg.Go(func() {
		err := x.stream(toBackend, &buffered{rw.Reader, nc})
		endHalf(cn.nc, nc, err)
	})
	err = x.stream(toClient, cn)
	endHalf(nc, cn.nc, err)
	wg.Wait()
	return nil
}

// goodbyeTime is how long both sides of a WebSocket that is closed have to say so, too.
const goodbyeTime = 2 * time.Second

// untilLeave gives what to write to backend and client by, so that the tunnel ends when
// Client.ForwardUntil's leave is closed: a WebSocket with a frame to both sides that says why,
// anything else by cut. done is to be called at the end of the tunnel.
func (x *exchange) untilLeave(backend, client io.Writer, cut func()) (toBackend, toClient io.Writer, done func()) {
	if x.leave == nil {
		return backend, client, func() {}
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	done = func() { close(over); wg.Wait() }
	var b, c *frameWriter
	toBackend, toClient = backend, client
	if strings.EqualFold(x.upgrade, "websocket") {
		b, c = newFrameWriter(backend, closeToBackend), newFrameWriter(client, closeToClient)
		toBackend, toClient = b, c
	}
	wg.Go(func() {
		select {
		case <-x.leave:
		case <-over:
			return
		}
		if b != nil {
			x.goodbye(b, c, cut, over)
		}
		cut()
	})
	return toBackend, toClient, done
}

// goodbye closes both directions and waits until both sides have agreed, or time is over.
func (x *exchange) goodbye(b, c *frameWriter, cut func(), over <-chan struct{}) {
	timer := time.AfterFunc(goodbyeTime, cut) // also ends a write that nobody takes
	defer timer.Stop()
	if errors.Join(c.leave(), b.leave()) != nil {
		return
	}
	deadline := time.NewTimer(goodbyeTime)
	defer deadline.Stop()
	for _, agreed := range []<-chan struct{}{b.closed, c.closed} {
		select {
		case <-agreed:
		case <-deadline.C:
			return
		case <-over:
			return
		}
	}
}

// appendSwitch appends the header of the answer that grants the switch.
func (x *exchange) appendSwitch(b []byte) []byte {
	h := &x.cn.head
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"...)
	b = appendField(b, "Upgrade", h.upgrade)
	header := x.w.Header()
	setFields(header, h.fields)
	for name, values := range header {
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	return append(b, "\r\n"...)
}

// endHalf tells to that nothing more comes from from. After an error both are closed.
func endHalf(to, from net.Conn, err error) {
	closer, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || closer.CloseWrite() != nil {
		to.Close()
		from.Close()
		return
	}
	_ = to.SetReadDeadline(time.Now().Add(halfClosed)) // fails only if the connection does
}

// tunnelStream is tunnel for a client whose connection is a stream of HTTP/2 or 3.
func (x *exchange) tunnelStream() error {
	cn := x.cn
	h := &cn.head
	header := x.w.Header()
	setFields(header, h.fields)
	header.Del("Sec-Websocket-Accept")
	x.w.WriteHeader(http.StatusOK)
	if err := x.flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
	toBackend, toClient, done := x.untilLeave(cn.nc, flushing{x}, func() { cn.nc.Close() })
	defer done()
	var wg sync.WaitGroup
	wg.Go(func() {
		err := x.stream(toBackend, x.r.Body)
		endHalf(cn.nc, cn.nc, err)
	})
	err := x.stream(toClient, cn)
	cn.nc.Close()
	if http.NewResponseController(x.w).SetReadDeadline(time.Unix(1, 0)) != nil {
		x.r.Body.Close()
	}
	wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// flushing writes to the client at once.
type flushing struct{ x *exchange }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.x.w.Write(p)
	if err == nil {
		err = f.x.flush()
	}
	return n, err
}

// buffered reads what net/http had read ahead, then the connection itself.
type buffered struct {
	ahead *bufio.Reader
	net.Conn
}

func (b *buffered) Read(p []byte) (int, error) {
	if b.ahead != nil && b.ahead.Buffered() > 0 {
		return b.ahead.Read(p[:min(len(p), b.ahead.Buffered())])
	}
	b.ahead = nil
	return b.Conn.Read(p)
}

// Read reads from the backend, first what is there already.
func (cn *conn) Read(p []byte) (int, error) {
	if cn.r < cn.w {
		n := copy(p, cn.in[cn.r:cn.w])
		cn.r += n
		return n, nil
	}
	return cn.nc.Read(p)
}

// idleTunnel is the buffer of a tunnel that has little to carry, as most have for most of the
// time: ten thousand open WebSockets are not to take 600 MB.
const idleTunnel = 2 << 10

// stream copies until src ends, which is no error.
func (x *exchange) stream(dst io.Writer, src io.Reader) error {
	var small [idleTunnel]byte
	buf := small[:]
	var lent *[largeBuffer]byte
	large := &x.client.large
	defer func() {
		if lent != nil {
			large.put(lent)
		}
	}()
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if _, e := dst.Write(buf[:n]); e != nil {
				return e
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		switch {
		case n == len(buf) && lent == nil:
			lent = large.get()
			buf = lent[:]
		case n < idleTunnel && lent != nil:
			large.put(lent)
			lent, buf = nil, small[:]
		}
	}
}
