package snapshots

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

const (
	preHook  = "pre-snapshot"
	postHook = "post-snapshot"
	// heldLine is what the hook prints once the application is still.
	heldLine = "held"
	// noHook is what probeScript prints where there is none.
	noHook = "lxdfleet-no-hook"
	// letGo is how long a hook may take to end once it was told to let go.
	letGo = 2 * time.Second
)

const probeScript = `if [ -x "$1" ]; then exec "$1"; fi; echo ` + noHook

// hookHold is an application that its image's hook holds still: as long as the hook runs or, of
// one that ended without a word, until postHook was run.
type hookHold struct {
	c      *crew
	run    *jobs.Run
	tenant fleet.Tenant
	hooks  imageHooks

	stdin  io.Closer
	kill   context.CancelCauseFunc
	ended  chan struct{} // closed when the hook has ended
	exit   int
	err    error
	errors *capped

	began, since time.Time
	limit        time.Duration
	older        bool // it holds until postHook was run
}

// holdByHook runs the hook and returns once it holds the application still. Whatever the hook
// does, it returns within the limit; the hook is killed when it does not hold by then.
func (c *crew) holdByHook(ctx context.Context, run *jobs.Run, t fleet.Tenant, hooks imageHooks, limit time.Duration) (hold, error) {
	command := []string{path.Join(fleet.HookDir, preHook)}
	if !hooks.known {
		command = []string{"sh", "-c", probeScript, "sh", command[0]}
	}
	// The hook outlives a ctx that ends: it is told to let go, and killed when it does not.
	life, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	in, stdin := io.Pipe()
	h := &hookHold{
		c: c, run: run, tenant: t, hooks: hooks, stdin: stdin, kill: kill, limit: limit,
		ended: make(chan struct{}), errors: &capped{most: 4 << 10}, began: c.Now(),
	}
	out := newLines()
	go func() {
		defer close(h.ended)
		h.exit, h.err = c.LXD.Exec(life, t.Name.String(), fleet.ExecSpec{
			Command: command, Stdin: in, Stdout: out, Stderr: h.errors,
			Env: map[string]string{"LXDFLEET_LIMIT": strconv.Itoa(int(limit / time.Second))},
		})
		_ = in.CloseWithError(io.EOF) // nobody reads any more
	}()
	over := time.NewTimer(limit)
	defer over.Stop()
	select {
	case <-out.saw(heldLine):
		h.since = c.Now()
		return h, nil
	case <-h.ended:
		h.since = h.began
		return h.quick(out)
	case <-over.C:
		h.abandon()
		return nil, fleet.Errorf(fleet.Failed, "the %s hook did not hold the application still within %s", preHook, limit)
	case <-ctx.Done():
		h.abandon()
		return nil, ctx.Err()
	}
}

// quick judges a hook that has ended: it failed, held and let go at once, or holds until
// postHook is run.
func (h *hookHold) quick(out *lines) (hold, error) {
	h.kill(nil)
	switch {
	case h.err != nil:
		return nil, fmt.Errorf("run the %s hook: %w", preHook, h.err)
	case h.exit != 0:
		h.after()
		return nil, fleet.Errorf(fleet.Failed, "the %s hook ended with exit code %d%s", preHook, h.exit, h.said())
	case out.has(noHook):
		return nil, fleet.Errorf(fleet.Unsupported, "there is no %s hook", preHook)
	case out.has(heldLine):
		h.after()
		return nil, fleet.Errorf(fleet.Failed, "the %s hook let go at once%s", preHook, h.said())
	}
	h.older = true
	return h, nil
}

// said is what the hook complained of.
func (h *hookHold) said() string {
	if text := strings.TrimSpace(h.errors.String()); text != "" {
		return ": " + text
	}
	return ""
}

// abandon lets go of a hook that was not seen to hold.
func (h *hookHold) abandon() {
	_ = h.stdin.Close()
	h.kill(errors.New("the hook is not waited for any longer"))
	h.after()
}

// release implements hold.
func (h *hookHold) release(ctx context.Context) (time.Duration, error) {
	if h.older {
		h.after()
		return h.c.Now().Sub(h.since), nil
	}
	select {
	case <-h.ended: // by itself
		held := min(h.c.Now().Sub(h.since), h.limit)
		h.kill(nil)
		h.after()
		return held, fleet.Errorf(fleet.Failed, "the %s hook let go before the snapshot was complete%s", preHook, h.said())
	default:
	}
	_ = h.stdin.Close()
	over := time.NewTimer(letGo)
	defer over.Stop()
	select {
	case <-h.ended:
	case <-over.C:
		_, _ = fmt.Fprintf(h.run.Output(), "The %s hook did not end within %s of being told to; it is killed.\n", preHook, letGo)
	case <-ctx.Done():
	}
	h.kill(errors.New("the hook is not waited for any longer"))
	held := h.c.Now().Sub(h.since)
	h.after()
	if h.done() && h.err == nil && h.exit != 0 {
		_, _ = fmt.Fprintf(h.run.Output(), "The %s hook ended with exit code %d%s\n", preHook, h.exit, h.said())
	}
	return held, nil
}

func (h *hookHold) done() bool {
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}

// after runs postHook, where there may be one. Of an older hook it is what lets go.
func (h *hookHold) after() {
	if h.hooks.known && !h.hooks.post {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.limit+letGo)
	defer cancel()
	out := &capped{most: 4 << 10}
	exit, err := h.c.LXD.Exec(ctx, h.tenant.Name.String(), fleet.ExecSpec{
		Command: []string{"sh", "-c", probeScript, "sh", path.Join(fleet.HookDir, postHook)}, Stdout: out, Stderr: out,
	})
	if err != nil {
		_, _ = fmt.Fprintf(h.run.Output(), "The %s hook failed: %v\n", postHook, err)
	} else if exit != 0 {
		_, _ = fmt.Fprintf(h.run.Output(), "The %s hook ended with exit code %d: %s\n", postHook, exit, strings.TrimSpace(out.String()))
	}
}

// capped is a writer that keeps the first of what it gets and drops the rest.
type capped struct {
	most int

	mu   sync.Mutex
	kept []byte
}

func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, p[:min(len(p), c.most-len(c.kept))]...)
	return len(p), nil
}

func (c *capped) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.ToValidUTF8(string(c.kept), "\uFFFD")
}

// lines is a writer that looks for short lines in what it gets, and keeps nothing else, however
// much it is.
type lines struct {
	mu    sync.Mutex
	part  []byte // of the last line, longest at most
	long  bool   // the last line is longer
	found map[string]chan struct{}
}

const longest = 64

func newLines() *lines {
	return &lines{found: map[string]chan struct{}{heldLine: make(chan struct{}), noHook: make(chan struct{})}}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		piece, after, whole := bytes.Cut(rest, []byte("\n"))
		if l.long = l.long || len(l.part)+len(piece) > longest; !l.long {
			l.part = append(l.part, piece...)
		}
		if whole {
			if seen := l.found[strings.TrimSpace(string(l.part))]; seen != nil && !l.long && !isClosed(seen) {
				close(seen)
			}
			l.part, l.long = l.part[:0], false
		}
		rest = after
	}
	return len(p), nil
}

// saw is closed when the line has come.
func (l *lines) saw(line string) <-chan struct{} { return l.found[line] }

func (l *lines) has(line string) bool { return isClosed(l.found[line]) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
