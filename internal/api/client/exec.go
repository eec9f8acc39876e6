package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/coder/websocket"
)

// The first byte of a binary message says which stream the rest belongs to.
const (
	frameStdin  = 0
	frameStdout = 1
	frameStderr = 2
)

// Streams are what a command reads and writes.
type Streams struct {
	Stdin          io.Reader // nil: empty. A read under way when the command ends is left behind
	Stdout, Stderr io.Writer
	Resize         <-chan ExecControl // new sizes of the terminal; nil: none
}

// Exec runs a command in a tenant's instance and gives its exit code. When ctx ends, the
// command is killed.
func (d *Daemon) Exec(ctx context.Context, tenant string, start ExecStart, s Streams) (int, error) {
	options := &websocket.DialOptions{HTTPClient: d.http}
	if d.token != "" {
		options.HTTPHeader = http.Header{"Authorization": {"Bearer " + d.token}}
	}
	conn, answer, err := websocket.Dial(ctx, d.base+"/v1/tenants/"+url.PathEscape(tenant)+"/exec", options)
	if err != nil {
		if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			_, err = Open(answer, nil)
		}
		return 0, err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(lineLimit)
	text, err := json.Marshal(start)
	if err != nil {
		return 0, fmt.Errorf("encode the command: %w", err)
	}
	if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
		return 0, fmt.Errorf("send the command: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go sendInput(ctx, conn, s.Stdin)
	go sendSizes(ctx, conn, s.Resize)
	return receive(ctx, conn, s)
}

// receive copies output until the result comes.
func receive(ctx context.Context, conn *websocket.Conn, s Streams) (int, error) {
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return 0, fmt.Errorf("the connection to the daemon ended before the command did: %w", err)
		}
		switch {
		case kind == websocket.MessageText:
			return resultOf(data)
		case len(data) > 0 && data[0] == frameStdout:
			_, err = s.Stdout.Write(data[1:])
		case len(data) > 0 && data[0] == frameStderr:
			_, err = s.Stderr.Write(data[1:])
		}
		if err != nil {
			return 0, fmt.Errorf("write output: %w", err)
		}
	}
}

func resultOf(text []byte) (int, error) {
	var result ExecResult
	if err := json.Unmarshal(text, &result); err != nil {
		return 0, fmt.Errorf("read the result: %w", err)
	}
	if result.Problem != nil {
		return 0, result.Problem.err()
	}
	if result.Exit == nil {
		return 0, fmt.Errorf("the result %q has no exit code", text)
	}
	return *result.Exit, nil
}

// sendInput sends stdin, and then its end. Failures show on the reading side.
func sendInput(ctx context.Context, conn *websocket.Conn, in io.Reader) {
	buf := make([]byte, 1+32<<10)
	buf[0] = frameStdin
	for in != nil {
		n, err := in.Read(buf[1:])
		if n > 0 && conn.Write(ctx, websocket.MessageBinary, buf[:1+n]) != nil {
			return
		}
		if err != nil {
			break
		}
	}
	_ = conn.Write(ctx, websocket.MessageBinary, buf[:1])
}

func sendSizes(ctx context.Context, conn *websocket.Conn, sizes <-chan ExecControl) {
	for {
		select {
		case size, open := <-sizes:
			text, err := json.Marshal(size)
			if !open || err != nil || conn.Write(ctx, websocket.MessageText, text) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
