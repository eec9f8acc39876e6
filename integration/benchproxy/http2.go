package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Conn asks over one HTTP/2 connection, several streams at a time. It is one goroutine that
// writes whenever it has read all there was, which costs about a third of http2.Transport.
type http2Conn struct {
	host    string
	streams int // at a time

	conn    *tls.Conn
	reader  *bufio.Reader
	writer  *bufio.Writer
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	next    uint32 // stream
	taken   uint32 // bytes read that the other side may not send again yet

	open  map[uint32]*stream
	spare []*stream
}

// stream is one request under way.
type stream struct {
	began time.Time
	got   int // of the body
	ok    bool
}

// window is what the other side may send on a connection before it is told to go on.
const window = 64 << 20

func connectHTTP2(l *load, host string, streams int) (worker, error) {
	conn, err := l.dial(host, "h2")
	if err != nil {
		return nil, err
	}
	c := &http2Conn{
		host: host, streams: streams, conn: conn, next: 1, open: make(map[uint32]*stream),
		reader: bufio.NewReaderSize(conn, 32<<10), writer: bufio.NewWriterSize(conn, 16<<10),
	}
	c.framer = http2.NewFramer(c.writer, c.reader)
	c.framer.SetReuseFrames()
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	_, err = c.writer.WriteString(http2.ClientPreface)
	if err := errors.Join(
		err,
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}),
		c.framer.WriteWindowUpdate(0, window),
	); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *http2Conn) close() { c.conn.NetConn().Close() }

func (c *http2Conn) run(n int, times []time.Duration) ([]time.Duration, error) {
	sent := 0
	for sent < min(n, c.streams) {
		if err := c.send(); err != nil {
			return times, err
		}
		sent++
	}
	for len(c.open) > 0 {
		if c.reader.Buffered() == 0 {
			if err := c.writer.Flush(); err != nil {
				return times, fmt.Errorf("send requests: %w", err)
			}
		}
		done, err := c.read()
		if err != nil {
			return times, err
		}
		if done == nil {
			continue
		}
		times = append(times, time.Since(done.began))
		c.spare = append(c.spare, done)
		if sent < n {
			if err := c.send(); err != nil {
				return times, err
			}
			sent++
		}
	}
	return times, c.writer.Flush()
}

// send begins a stream.
func (c *http2Conn) send() error {
	c.block.Reset()
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", c.host}, {":path", requestPath}} {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	for _, f := range requestHeader {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	s := &stream{}
	if last := len(c.spare) - 1; last >= 0 {
		s, c.spare = c.spare[last], c.spare[:last]
	}
	*s = stream{began: time.Now()}
	c.open[c.next] = s
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
	c.next += 2
	return err
}

// read takes one frame. It gives the stream that ended with it, or nil.
func (c *http2Conn) read() (*stream, error) {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return nil, fmt.Errorf("read answers: %w", err)
	}
	id := frame.Header().StreamID
	s := c.open[id]
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		if s == nil || f.PseudoValue("status") != "200" {
			return nil, fmt.Errorf("not the answer that was asked for: %v", f.Fields)
		}
		s.ok = true
		if !f.StreamEnded() {
			return nil, nil
		}
	case *http2.DataFrame:
		data := f.Data()
		if s == nil || s.got+len(data) > bodySize || !bytes.Equal(data, body[s.got:s.got+len(data)]) {
			return nil, fmt.Errorf("another body than the backend's: %.100q", data)
		}
		s.got += len(data)
		if err := c.take(f.Length); err != nil || !f.StreamEnded() {
			return nil, err
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return nil, c.framer.WriteSettingsAck()
		}
		return nil, nil
	case *http2.PingFrame:
		if !f.IsAck() {
			return nil, c.framer.WritePing(true, f.Data)
		}
		return nil, nil
	case *http2.GoAwayFrame, *http2.RSTStreamFrame:
		return nil, fmt.Errorf("the proxy gave up: %v", f)
	default:
		return nil, nil
	}
	delete(c.open, id)
	if !s.ok || s.got != bodySize {
		return nil, fmt.Errorf("an answer of %d bytes", s.got)
	}
	return s, nil
}

// take lets the other side send on when half of the window is used.
func (c *http2Conn) take(n uint32) error {
	if c.taken += n; c.taken < window/2 {
		return nil
	}
	n, c.taken = c.taken, 0
	return c.framer.WriteWindowUpdate(0, n)
}
