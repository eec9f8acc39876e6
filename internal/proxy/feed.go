package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Source lists all routes there are now.
type Source interface {
	Routes(ctx context.Context) ([]fleet.Route, error)
}

// Generations is what a Source may have besides: a number, cheap to read, that grows with every
// change, so that the changes of other processes are seen soon.
type Generations interface {
	Generation(ctx context.Context) (int64, error)
}

// Publisher takes all routes there are and returns the generation that has them. Router is one.
type Publisher interface {
	Publish(routes []fleet.Route) int64
}

// FeedConfig says how often a Feed looks by itself. Zero fields take the defaults.
type FeedConfig struct {
	Relist time.Duration // full list even if nothing was signalled; default 30 s
	Poll   time.Duration // reading of the generation; default 250 ms
	List   time.Duration // longest one list or read may take; default 10 s
	Log    *slog.Logger  // default: nothing is logged
}

// Feed keeps a publisher in step with a source by list-then-signal: any signal (a nudge, the
// timer, a changed generation) causes a full list, so a lost signal costs time and nothing
// else. While the source fails the publisher keeps its last routes.
type Feed struct {
	source Source
	to     Publisher
	cfg    FeedConfig
	nudge  chan struct{}
	asked  chan chan<- error

	generation int64        // of the source, read before the last good list
	published  atomic.Int64 // generation of what was published last
	failing    bool
	due        bool // the last list failed, so try again at the next poll
}

// NewFeed makes a feed of to from source. It does nothing until Run.
func NewFeed(source Source, to Publisher, cfg FeedConfig) *Feed {
	if cfg.Relist == 0 {
		cfg.Relist = 30 * time.Second
	}
	if cfg.Poll == 0 {
		cfg.Poll = 250 * time.Millisecond
	}
	if cfg.List == 0 {
		cfg.List = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Feed{source: source, to: to, cfg: cfg, nudge: make(chan struct{}, 1), asked: make(chan chan<- error)}
}

// Nudge says that routes may have changed. It never blocks. Nudges that come while a list runs
// cause one more list after it, however many they are.
func (f *Feed) Nudge() {
	select {
	case f.nudge <- struct{}{}:
	default:
	}
}

// Refresh lists and publishes now, and returns the generation that has all that the source had
// when it was called. It works while Run does. When the source fails the error is the source's; when
// ctx ends first it is of code Unavailable.
func (f *Feed) Refresh(ctx context.Context) (int64, error) {
	answer := make(chan error, 1)
	select {
	case f.asked <- answer:
	case <-ctx.Done():
		return 0, notListed(ctx)
	}
	select {
	case err := <-answer:
		return f.published.Load(), err
	case <-ctx.Done():
		return 0, notListed(ctx)
	}
}

func notListed(ctx context.Context) error {
	return fleet.Errorf(fleet.Unavailable, "the routes are not listed yet: %w", context.Cause(ctx)).
		WithHint("the daemon's log says what it waits for; then say it again")
}

// Run lists and publishes until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	relist := time.NewTicker(f.cfg.Relist)
	defer relist.Stop()
	poll := time.NewTicker(f.cfg.Poll)
	defer poll.Stop()
	_ = f.list(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.nudge:
			_ = f.list(ctx) // it was logged, and is tried again
		case answer := <-f.asked:
			answer <- f.list(ctx)
		case <-relist.C:
			_ = f.list(ctx)
		case <-poll.C:
			if f.due || f.changed(ctx) {
				_ = f.list(ctx)
			}
		}
	}
}

// list publishes all routes. The generation is read first: a change between the two reads makes
// the next poll list once more, never once too few.
func (f *Feed) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.List)
	defer cancel()
	generation, err := f.read(ctx)
	var routes []fleet.Route
	if err == nil {
		routes, err = f.source.Routes(ctx)
	}
	f.due = err != nil
	if err != nil {
		err = fmt.Errorf("list routes: %w", err)
		f.failed(ctx, err)
		return err
	}
	if f.failing {
		f.failing = false
		f.cfg.Log.Info("routes are listed again")
	}
	f.generation = generation
	f.published.Store(f.to.Publish(routes))
	return nil
}

func (f *Feed) changed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.List)
	defer cancel()
	generation, err := f.read(ctx)
	if err != nil {
		f.failed(ctx, fmt.Errorf("read the generation of routes: %w", err))
		return false
	}
	return generation != f.generation
}

func (f *Feed) read(ctx context.Context) (int64, error) {
	if g, ok := f.source.(Generations); ok {
		return g.Generation(ctx)
	}
	return 0, nil
}

// failed logs the first failure of a row.
func (f *Feed) failed(ctx context.Context, err error) {
	if f.failing || errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	f.failing = true
	f.cfg.Log.Warn("routes cannot be read; the last table stays in use", "error", err, "generation", f.published.Load())
}
