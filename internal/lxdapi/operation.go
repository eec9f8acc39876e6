package lxdapi

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// waitSlice is how long one request waits for an operation: short enough that a connection
// lost without a word is noticed, and that progress shows.
const waitSlice, progressSlice = 30, 1 // seconds

// start makes a request that LXD answers with an operation.
func (c *Client) start(ctx context.Context, r request) (api.Operation, error) {
	var op api.Operation
	_, err := c.call(ctx, r, &op)
	return op, err
}

// busyTime is how long a request is made again while LXD still cleans up after another
// operation on the instance, and busyPause the time between two tries.
const busyTime, busyPause = 30 * time.Second, 200 * time.Millisecond

// run makes a request and waits for its operation to end well. It fails with errVanished when
// LXD has forgotten the operation. When ctx ends an operation that can be cancelled is.
func (c *Client) run(ctx context.Context, r request, progress func(fleet.Progress)) (api.Operation, error) {
	_, stream := r.body.(io.Reader) // gone once it was sent
	for deadline := time.Now().Add(busyTime); ; {
		op, err := c.start(ctx, r)
		if err == nil {
			op, err = c.wait(ctx, op, progress)
		}
		if !isBusy(err) || stream || time.Now().After(deadline) {
			return op, err
		}
		if err := pause(ctx, busyPause); err != nil {
			return op, err
		}
	}
}

// pause waits, or gives the reason why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// wait waits for an operation. One request does where it ends within waitSlice.
func (c *Client) wait(ctx context.Context, op api.Operation, progress func(fleet.Progress)) (api.Operation, error) {
	slice := waitSlice
	if progress != nil {
		slice = progressSlice
	}
	for !op.StatusCode.IsFinal() {
		var now api.Operation
		_, err := c.call(ctx, request{
			method: http.MethodGet, path: "/operations/" + op.ID + "/wait", member: op.Location,
			query: url.Values{"timeout": {strconv.Itoa(slice)}},
		}, &now)
		switch {
		case ctx.Err() != nil:
			c.cancel(op)
			return op, context.Cause(ctx)
		case isCode(err, fleet.NotFound):
			return op, errVanished
		case err != nil:
			return op, err
		}
		op = now
		if progress != nil {
			report(op, progress)
		}
	}
	if op.StatusCode != api.Success {
		return op, operationError(op)
	}
	return op, nil
}

// cancel asks LXD to end an operation whose caller has left.
func (c *Client) cancel(op api.Operation) {
	if !op.MayCancel {
		return
	}
	go func() {
		ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_, err := c.call(ctx, request{method: http.MethodDelete, path: "/operations/" + op.ID}, nil)
		if err != nil && !isCode(err, fleet.NotFound) {
			c.log.Debug("cancel an LXD operation", "operation", op.ID, "error", err)
		}
	}()
}

// report passes on what an operation tells of its progress: a text under a key such as
// create_instance_from_image_unpack_progress or download_progress.
func report(op api.Operation, progress func(fleet.Progress)) {
	for key, value := range op.Metadata {
		text, ok := value.(string)
		if ok && strings.HasSuffix(key, "_progress") {
			progress(fleet.Progress{Message: text, Percent: percentOf(text)})
		}
	}
}

// percentOf finds the number before a percent sign; 0 where there is none.
func percentOf(text string) int {
	before, _, found := strings.Cut(text, "%")
	if !found {
		return 0
	}
	start := len(before)
	for start > 0 && before[start-1] >= '0' && before[start-1] <= '9' {
		start--
	}
	n, err := strconv.Atoi(before[start:])
	if err != nil {
		return 0
	}
	return min(n, 100)
}

// settle waits until no operation works on the instance, and tells whether there was one.
func (c *Client) settle(ctx context.Context, name string) (waited bool, err error) {
	return c.settleSome(ctx, name, func(op api.Operation) bool { return op.Class == api.OperationClassTask })
}

// settleSome is settle for the operations that are wanted.
func (c *Client) settleSome(ctx context.Context, name string, wanted func(api.Operation) bool) (waited bool, err error) {
	var byStatus map[string][]api.Operation
	if _, err := c.get(ctx, "/operations", recursion("1"), &byStatus); err != nil {
		return false, err
	}
	for _, ops := range byStatus {
		for _, op := range ops {
			if op.StatusCode.IsFinal() || !wanted(op) || !touches(op, name) {
				continue
			}
			waited = true
			op.MayCancel = false // it is not ours
			if _, err := c.wait(ctx, op, nil); ctx.Err() != nil || isCode(err, fleet.Unavailable) {
				return waited, err
			}
		}
	}
	return waited, nil
}

func touches(op api.Operation, name string) bool {
	for _, paths := range op.Resources {
		if slices.ContainsFunc(paths, func(p string) bool {
			p, _, _ = strings.Cut(p, "?")
			return path.Base(p) == name
		}) {
			return true
		}
	}
	return false
}
