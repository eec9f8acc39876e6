package lxdapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/canonical/lxd/shared/api"
	"golang.org/x/time/rate"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// relay sends an instance's files through this process: the source waits for somebody to fetch
// them, the target for somebody to bring them, and each connection of the one is joined to that
// of the other.
func (l Link) relay(ctx context.Context, t transfer) error {
	from, err := l.offer(ctx, t)
	if err != nil {
		return err
	}
	t.post.Source.Mode = "push"
	to, err := l.Target.start(ctx, l.receive(t))
	if err != nil {
		l.Source.abandon(from)
		return err
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	lines, err := l.join(inner, from, to)
	if err != nil {
		l.Source.abandon(from)
		l.Target.abandon(to)
		return err
	}
	flow := &flow{tell: t.tell}
	if t.spec.BytesPerSecond > 0 {
		flow.limit = rate.NewLimiter(rate.Limit(t.spec.BytesPerSecond), int(min(t.spec.BytesPerSecond, maxBurst)))
	}
	var all sync.WaitGroup
	for name, line := range lines {
		all.Go(func() { line.carry(inner, name, flow) })
	}
	_, err = l.Target.wait(ctx, to, nil)
	if err != nil {
		l.Source.abandon(from)
		l.Target.abandon(to)
	} else {
		limited, cancel := context.WithTimeout(ctx, afterTransfer)
		_, _ = l.Source.wait(limited, from, nil) // its own view of the end matters no more
		cancel()
	}
	stop()
	all.Wait()
	return err
}

// afterTransfer is how long the source may take to end once the target has all.
const afterTransfer = 10 * time.Second

// line is a connection of the source's and the target's that belong together.
type line struct{ source, target socket }

// join opens the connections that both sides wait for.
func (l Link) join(ctx context.Context, from, to api.Operation) (map[string]line, error) {
	lines := map[string]line{}
	closeAll := func() {
		for _, line := range lines {
			_ = line.source.Close()
			_ = line.target.Close()
		}
	}
	given := secretsOf(to)
	for name, secret := range secretsOf(from) {
		source, err := l.Source.dialWebsocket(ctx, "/operations/"+from.ID+"/websocket?secret="+secret)
		if err != nil {
			closeAll()
			return nil, err
		}
		target, err := l.Target.dialWebsocket(ctx, "/operations/"+to.ID+"/websocket?secret="+given[name])
		if err != nil {
			_ = source.Close()
			closeAll()
			return nil, err
		}
		lines[name] = line{source, target}
	}
	return lines, nil
}

// carry passes on messages both ways until both sides have closed, or ctx ends.
func (n line) carry(ctx context.Context, name string, f *flow) {
	closeBoth := func() {
		_ = n.source.Close()
		_ = n.target.Close()
	}
	end := context.AfterFunc(ctx, closeBoth)
	defer end()
	defer closeBoth()
	counted := f
	if name == "control" {
		counted = nil
	}
	var both sync.WaitGroup
	both.Go(func() { passOn(ctx, n.source, n.target, counted) })
	both.Go(func() { passOn(ctx, n.target, n.source, nil) })
	both.Wait()
}

// closeMessage is the type of the message that ends a websocket, with the payload of a normal end.
const closeMessage = 8

var normalEnd = []byte{0x03, 0xe8} // 1000

// passOn passes on messages until the sender closes; the receiver is told then.
func passOn(ctx context.Context, from, to socket, f *flow) {
	for {
		kind, r, err := from.NextReader()
		if err == nil {
			var message []byte
			if message, err = io.ReadAll(r); err == nil {
				if err = f.await(ctx, len(message)); err == nil {
					err = to.WriteMessage(kind, message)
				}
			}
		}
		if err != nil {
			_ = to.WriteMessage(closeMessage, normalEnd)
			return
		}
	}
}

// maxBurst is how much may pass at once, in bytes, where the flow is limited.
const maxBurst = 1 << 20

// flow counts what passes, and holds it back.
type flow struct {
	limit *rate.Limiter // nil: no limit
	tell  func(fleet.Progress)

	mu    sync.Mutex
	bytes int64
	told  time.Time
}

func (f *flow) await(ctx context.Context, n int) error {
	if f == nil {
		return nil
	}
	if f.limit != nil {
		for left := n; left > 0; left -= f.limit.Burst() {
			if err := f.limit.WaitN(ctx, min(left, f.limit.Burst())); err != nil {
				return errors.Join(err, context.Cause(ctx))
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += int64(n)
	if now := time.Now(); now.Sub(f.told) >= time.Second {
		f.told = now
		f.tell(fleet.Progress{Message: fmt.Sprintf("sent %d MB", f.bytes/1e6), Bytes: f.bytes})
	}
	return nil
}
