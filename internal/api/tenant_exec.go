package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// The first byte of a binary message says which stream the rest belongs to.
const (
	frameStdin  = 0
	frameStdout = 1
	frameStderr = 2
)

const execFrameLimit = 1 << 20 // largest message from a client

// ExecTenant runs a command in a tenant's instance over a WebSocket. What the command, its
// environment and its streams hold is never logged.
func (s *Server) ExecTenant(ctx context.Context, r ExecTenantRequestObject) (ExecTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	if _, err := s.Tenants.Get(ctx, name); err != nil {
		return nil, err
	}
	request := callOf(ctx).request
	if request.Header.Get("Upgrade") == "" {
		return nil, fleet.Errorf(fleet.Invalid, "this address speaks WebSocket only").WithField("Upgrade").
			WithHint("use lxdfleet tenant exec, or a WebSocket client")
	}
	return stream(func(w http.ResponseWriter) error {
		// The context of a request whose connection was taken over tells nothing any more.
		ctx, done := s.untilShutdown(context.WithoutCancel(ctx))
		defer done()
		conn, err := websocket.Accept(w, request, nil)
		if err != nil {
			return nil //nolint:nilerr // Accept has answered
		}
		defer func() { _ = conn.CloseNow() }()
		conn.SetReadLimit(execFrameLimit)
		session := &execSession{conn: conn, resize: make(chan [2]int, 1)}
		session.finish(ctx, s.run(ctx, name, session))
		return nil
	}), nil
}

// run reads what to run, runs it and gives what to tell the client. Reading goes on until the
// connection is closed: a read that is broken off breaks the connection.
func (s *Server) run(ctx context.Context, name fleet.Name, session *execSession) ExecResult {
	spec, err := session.start(ctx)
	if err == nil {
		command, cancel := context.WithCancel(ctx)
		defer cancel()
		go session.read(ctx, cancel)
		go session.keepAlive(command, s.KeepAlive, cancel)
		var exit int
		exit, err = s.Tenants.Exec(command, name, spec)
		_ = session.stdin.CloseWithError(io.ErrClosedPipe) // input that comes now is dropped
		if err == nil {
			return ExecResult{Exit: &exit}
		}
	}
	problem := problemOf(err)
	return ExecResult{Problem: &problem}
}

// execSession is one command's connection.
type execSession struct {
	conn   *websocket.Conn
	stdin  *io.PipeReader // the command's end
	input  *io.PipeWriter // the client's end
	resize chan [2]int
}

// start reads the client's first message.
func (e *execSession) start(ctx context.Context) (fleet.ExecSpec, error) {
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	kind, text, err := e.conn.Read(limited)
	if err != nil {
		return fleet.ExecSpec{}, fleet.Errorf(fleet.Invalid, "the first message did not come: %w", err).WithHint("send an ExecStart")
	}
	var start ExecStart
	if kind != websocket.MessageText || json.Unmarshal(text, &start) != nil || len(start.Command) == 0 {
		return fleet.ExecSpec{}, fleet.Errorf(fleet.Invalid, "the first message does not name a command").WithField("command").
			WithHint("send an ExecStart as text")
	}
	e.stdin, e.input = io.Pipe()
	return fleet.ExecSpec{
		Command: start.Command, Env: start.Env, TTY: start.Tty, Width: start.Width, Height: start.Height,
		Stdin: e.stdin, Stdout: frames{ctx, e.conn, frameStdout}, Stderr: frames{ctx, e.conn, frameStderr}, Resize: e.resize,
	}, nil
}

// read hands the client's messages to the command until the connection ends, which ends the
// command.
func (e *execSession) read(ctx context.Context, endCommand context.CancelFunc) {
	defer endCommand()
	defer close(e.resize)
	defer func() { _ = e.input.CloseWithError(io.ErrUnexpectedEOF) }() // no effect after a clean end
	for {
		kind, data, err := e.conn.Read(ctx)
		if err != nil {
			return
		}
		switch {
		case kind == websocket.MessageText:
			e.control(data)
		case len(data) == 1 && data[0] == frameStdin:
			_ = e.input.Close()
		case len(data) > 1 && data[0] == frameStdin:
			_, _ = e.input.Write(data[1:]) // a command that ended takes no more
		}
	}
}

// keepAlive sends an empty piece of output now and then. It shows that the client has left
// where reading does not, because the command takes no input.
func (e *execSession) keepAlive(command context.Context, every time.Duration, endCommand context.CancelFunc) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-command.Done():
			return
		case <-tick.C:
			// Not the command's context: a write that is broken off breaks the connection.
			err := e.conn.Write(context.WithoutCancel(command), websocket.MessageBinary, []byte{frameStdout})
			if err != nil {
				endCommand()
				return
			}
		}
	}
}

// control applies a new size of the terminal. Only the newest matters.
func (e *execSession) control(text []byte) {
	var c ExecControl
	if json.Unmarshal(text, &c) != nil || c.Width <= 0 || c.Height <= 0 {
		return
	}
	select {
	case <-e.resize:
	default:
	}
	e.resize <- [2]int{c.Width, c.Height}
}

// finish tells the client how it ended.
func (e *execSession) finish(ctx context.Context, result ExecResult) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	text, err := json.Marshal(result)
	if err != nil || e.conn.Write(ctx, websocket.MessageText, text) != nil {
		return // the client has left
	}
	_ = e.conn.Close(websocket.StatusNormalClosure, "")
}

// frames sends what is written to it as messages of one stream.
type frames struct {
	ctx    context.Context
	conn   *websocket.Conn
	stream byte
}

func (f frames) Write(p []byte) (int, error) {
	if err := f.conn.Write(f.ctx, websocket.MessageBinary, append([]byte{f.stream}, p...)); err != nil {
		return 0, fmt.Errorf("send output: %w", err)
	}
	return len(p), nil
}
