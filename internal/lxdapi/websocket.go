package lxdapi

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// socket is what we need of the library's websocket connections. One goroutine may read and
// one may write at a time.
type socket interface {
	NextReader() (messageType int, r io.Reader, err error)
	ReadMessage() (messageType int, p []byte, err error)
	WriteMessage(messageType int, data []byte) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	PingHandler() func(data string) error
	SetPingHandler(handle func(data string) error)
	Close() error
}

// Types of websocket messages (RFC 6455). LXD sends data as binary messages and the end of a
// stream as an empty text message.
const (
	textMessage   = 1
	binaryMessage = 2
)

// dialWebsocket connects to a websocket below /1.0. The library's dialler takes no context:
// a dial whose caller has left is closed when it is there, five seconds at most.
func (c *Client) dialWebsocket(ctx context.Context, path string) (socket, error) {
	type result struct {
		conn socket
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := c.server.RawWebsocket(path)
		if err == nil && conn == nil { // the library forgets the error of an odd answer
			err = fleet.Errorf(fleet.Unavailable, "LXD does not open a websocket")
		}
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, transportError(ctx, r.err)
		}
		return r.conn, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}
