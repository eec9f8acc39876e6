package lxdapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	eventBackoffMin = 100 * time.Millisecond
	eventBackoffMax = 5 * time.Second
	// eventSilence: LXD pings every ten seconds; a stream silent for longer than this is dead.
	eventSilence = 45 * time.Second
)

// Events streams the lifecycle events of the project, from all members, in the order LXD
// sends them, until ctx ends or the client is closed; the channel is closed then. After each
// connect, the first included, it sends fleet.EventsResumed: what happened before must be
// read anew. A lost connection is made again by itself.
func (c *Client) Events(ctx context.Context) <-chan fleet.LXDEvent {
	out := make(chan fleet.LXDEvent, 256)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(out)
		defer cancel()
		go func() {
			select {
			case <-c.closed:
				cancel()
			case <-ctx.Done():
			}
		}()
		backoff := eventBackoffMin
		for ctx.Err() == nil {
			connected, err := c.listen(ctx, out)
			if ctx.Err() != nil {
				return
			}
			level := slog.LevelDebug
			if connected {
				backoff, level = eventBackoffMin, slog.LevelInfo
			}
			c.log.Log(ctx, level, "LXD event stream lost; connecting again", "error", err)
			if rest(ctx, backoff) != nil {
				return
			}
			backoff = min(2*backoff, eventBackoffMax)
		}
	}()
	return out
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// listen passes on events over one connection until it breaks.
func (c *Client) listen(ctx context.Context, out chan<- fleet.LXDEvent) (connected bool, err error) {
	q := url.Values{"type": {api.EventTypeLifecycle}, "project": {c.project}}
	conn, err := c.dialWebsocket(ctx, "/events?"+q.Encode())
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	extend := func() error { return conn.SetReadDeadline(time.Now().Add(eventSilence)) }
	pong := conn.PingHandler()
	conn.SetPingHandler(func(data string) error {
		_ = extend()
		return pong(data)
	})
	if !offer(ctx, out, fleet.LXDEvent{Action: fleet.EventsResumed, At: time.Now()}) {
		return true, ctx.Err()
	}
	for {
		_ = extend()
		_, text, err := conn.ReadMessage()
		if err != nil {
			return true, err
		}
		if e, ok := parseEvent(text); ok && !offer(ctx, out, e) {
			return true, ctx.Err()
		}
	}
}

func offer(ctx context.Context, out chan<- fleet.LXDEvent, e fleet.LXDEvent) bool {
	select {
	case out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// parseEvent reads a lifecycle event; ok is false for anything else.
func parseEvent(text []byte) (_ fleet.LXDEvent, ok bool) {
	var event api.Event
	if json.Unmarshal(text, &event) != nil || event.Type != api.EventTypeLifecycle {
		return fleet.LXDEvent{}, false
	}
	var life api.EventLifecycle
	if json.Unmarshal(event.Metadata, &life) != nil {
		return fleet.LXDEvent{}, false
	}
	e := fleet.LXDEvent{Action: life.Action, Member: event.Location, At: event.Timestamp}
	if e.Member == "" {
		e.Member = standAlone
	}
	// Source is /1.0/instances/NAME, with more behind it for snapshots and backups.
	source, _, _ := strings.Cut(life.Source, "?")
	if rest, ok := strings.CutPrefix(source, "/1.0/instances/"); ok {
		e.Name, _, _ = strings.Cut(rest, "/") // a name has no letter that would be escaped
	}
	if old, ok := life.Context["old_name"].(string); ok && life.Action == api.EventLifecycleInstanceRenamed {
		e.OldName = old
	}
	return e, true
}
