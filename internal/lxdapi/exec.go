package lxdapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Exec runs a command in a running instance (fleet.Conflict when it does not run) and gives
// its exit code: 127 where the command is not found, 128 + N where signal N ended it. All
// output has been written when Exec returns.
//
// LXD 5.0 can lose the end of more than 64 KiB of stderr when the instance is on another member
// than the one we are connected to; where that happens stderr ends with a line that says so.
// Such a loss on stdout is an error, where Stdout is wanted.
//
// When ctx ends the command gets SIGKILL (processes it started do not) and Exec returns the
// cause; output may be cut off then. A read of Stdin that blocks is left behind.
func (c *Client) Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error) {
	op, err := c.startExec(ctx, name, spec)
	if err != nil {
		return -1, within(err, "run a command in %s", name)
	}
	s, err := c.attach(ctx, op, spec.TTY)
	if err != nil {
		c.abandon(op)
		return -1, within(err, "run a command in %s", name)
	}
	exit, err = c.converse(ctx, op, s, spec)
	return exit, within(err, "run a command in %s", name)
}

func (c *Client) startExec(ctx context.Context, name string, spec fleet.ExecSpec) (api.Operation, error) {
	post := api.InstanceExecPost{
		Command: spec.Command, Environment: spec.Env, WaitForWS: true,
		Interactive: spec.TTY, Width: spec.Width, Height: spec.Height,
	}
	op, err := c.start(ctx, request{method: http.MethodPost, path: instancePath(name) + "/exec", body: post})
	if err == nil || ctx.Err() != nil || isCode(err, fleet.Unavailable, fleet.Forbidden) {
		return op, err
	}
	now, _, look := c.instance(ctx, name)
	switch {
	case look != nil:
		return op, look
	case now.StatusCode != api.Running:
		return op, fleet.Errorf(fleet.Conflict, "the instance %s is not running", name).WithHint("start it")
	}
	return op, err
}

// attach opens the websockets of the operation. LXD starts the command when those of its
// streams are there; the control connection comes first, for a quick command may have ended
// before a later one is answered. The streams are opened at once.
func (c *Client) attach(ctx context.Context, op api.Operation, tty bool) (*streams, error) {
	secrets, _ := op.Metadata["fds"].(map[string]any)
	s := &streams{}
	dial := func(fd string, into *socket) error {
		secret, _ := secrets[fd].(string)
		conn, err := c.dialWebsocket(ctx, "/operations/"+op.ID+"/websocket?secret="+secret)
		if err == nil {
			*into = conn
		}
		return err
	}
	if err := dial("control", &s.control); err != nil {
		return nil, err
	}
	wanted := map[string]*socket{"0": &s.stdin, "1": &s.stdout, "2": &s.stderr}
	if tty {
		wanted = map[string]*socket{"0": &s.stdin}
	}
	errs := make(chan error, len(wanted))
	for fd, into := range wanted {
		go func() { errs <- dial(fd, into) }()
	}
	var err error
	for range wanted {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	if tty {
		s.stdout = s.stdin
		return s, nil
	}
	for _, conn := range []socket{s.stdout, s.stderr} {
		conn.SetPingHandler(unanswered)
	}
	return s, nil
}

// unanswered takes a ping of an output stream. LXD looks for no answer there, and one that comes when
// it has closed the connection already has its kernel throw away what we have not read yet.
func unanswered(string) error { return nil }

// converse moves the streams until the command ends, and gives its exit code.
func (c *Client) converse(ctx context.Context, op api.Operation, s *streams, spec fleet.ExecSpec) (int, error) {
	defer s.close()
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		s.kill()
		c.abandon(op)
	})
	defer func() {
		if !stop() {
			<-killed
		}
	}()
	ended := make(chan struct{})
	defer close(ended)
	s.send(spec, ended)
	output := s.receive(spec)
	now, err := c.wait(ctx, op, nil)
	if ctx.Err() != nil {
		return -1, context.Cause(ctx)
	}
	// The command has ended, so its output has an end; where LXD went away the connections
	// break, which ends it too.
	outputErr := output()
	if ctx.Err() != nil {
		return -1, context.Cause(ctx)
	}
	if code, ok := now.Metadata["return"].(float64); ok && (err == nil || code != 0) {
		return int(code), outputErr
	}
	switch {
	case err == nil:
		err = fleet.Errorf(fleet.Failed, "LXD does not tell how the command ended")
	case errors.Is(err, errVanished):
		err = fleet.Errorf(fleet.Unavailable, "LXD was restarted while the command ran").
			WithHint("see in the instance whether it still runs")
	}
	return -1, err
}

// abandon ends an exec operation whose streams are not all there.
func (c *Client) abandon(op api.Operation) {
	go func() {
		ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_, _ = c.call(ctx, request{method: http.MethodDelete, path: "/operations/" + op.ID}, nil)
	}()
}
