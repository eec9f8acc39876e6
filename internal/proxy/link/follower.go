package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
)

// FollowerConfig is what a Follower is made of. Zero fields take the defaults named here.
type FollowerConfig struct {
	Client *Client // has to be set
	Router Router  // has to be set
	// HoldsFile is where holds are saved for a restart; empty: they are not.
	HoldsFile string
	// Saved returns when the proxy has saved the routes that are in use: they are confirmed to the
	// controller after that. Default: it need not.
	Saved   func(ctx context.Context) error
	Version string // of lxdfleet
	// Lease is how long a silent controller is waited for; default DefaultLease.
	Lease time.Duration
	// Pause is the longest time between two attempts to connect; default 5 s.
	Pause time.Duration
	// Log takes what goes wrong; default: nothing is logged.
	Log *slog.Logger
}

// Follower keeps a proxy's router as its controller says. While the controller cannot be reached
// everything stays as it was said last.
type Follower struct {
	cfg     FollowerConfig
	log     *slog.Logger
	observe chan fleet.Name

	// Of the goroutine of Run only:
	state  *state    // what the router has
	failed time.Time // when a failure was logged last
	why    string    // that failure

	mu         sync.Mutex
	connected  bool
	generation int64
}

// NewFollower makes a follower, and holds in the router what was held when the proxy stopped.
func NewFollower(cfg FollowerConfig) *Follower {
	if cfg.Lease == 0 {
		cfg.Lease = DefaultLease
	}
	if cfg.Pause == 0 {
		cfg.Pause = 5 * time.Second
	}
	if cfg.Saved == nil {
		cfg.Saved = func(context.Context) error { return nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{cfg: cfg, log: cfg.Log, observe: make(chan fleet.Name, 64), state: newState()}
	for _, h := range f.loadHolds() {
		f.state.hold(h)
		cfg.Router.Hold(h.Tenant, h.Reason)
	}
	return f
}

// Observe asks the controller to look at a tenant again. It never blocks; while the controller
// cannot be reached it does nothing.
func (f *Follower) Observe(tenant fleet.Name) {
	f.mu.Lock()
	connected := f.connected
	f.mu.Unlock()
	if !connected {
		return
	}
	select {
	case f.observe <- tenant:
	default:
	}
}

// Status is whether the controller is connected, and the generation that was put to use last.
func (f *Follower) Status() (connected bool, generation int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connected, f.generation
}

// Run connects and follows until ctx ends, and connects again after every failure: after a
// tenth of a second, then up to Pause, each time spread at random.
func (f *Follower) Run(ctx context.Context) {
	pause := f.cfg.Pause / 50
	for ctx.Err() == nil {
		began := time.Now()
		worked, err := f.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if worked {
			pause = f.cfg.Pause / 50
			f.why = ""
		}
		f.report(err)
		if time.Since(began) > f.cfg.Lease {
			pause = f.cfg.Pause / 50
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(pause*2, f.cfg.Pause)
	}
}

// report logs a failure that is not the one before, and the same one once in a minute.
func (f *Follower) report(err error) {
	if expired := f.cfg.Client.current().expired(f.cfg.Client.now()); expired != nil {
		err = expired
	}
	why := err.Error()
	if why == f.why && time.Since(f.failed) < time.Minute {
		return
	}
	f.failed, f.why = time.Now(), why
	f.log.Warn("the controller is not connected; what it said last stays in use", "controller", f.cfg.Client.Controller(), "reason", err)
}

// attempt follows one stream until it ends. It reports whether a snapshot came.
func (f *Follower) attempt(run context.Context) (worked bool, err error) {
	if _, err := f.cfg.Client.renew(run); err != nil {
		f.log.Warn("the certificate of this proxy is not renewed yet", "error", err)
	}
	identity := f.cfg.Client.current()
	c, err := newCaller(identity.Controller, identity.tls(f.cfg.Client.now)) // a connection of its own for each stream
	if err != nil {
		return false, err
	}
	defer c.close()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(run))
	defer cancel(nil)
	body, pipe := io.Pipe()
	s := &stream{follower: f, pipe: pipe, drains: make(chan up, 16)}
	defer s.work.Wait()
	defer cancel(nil)
	defer body.Close()
	s.watch = time.AfterFunc(f.cfg.Lease, func() { cancel(fmt.Errorf("the controller was silent for %s", f.cfg.Lease)) })
	defer s.watch.Stop()
	defer context.AfterFunc(run, func() { s.goodbye(cancel) })()
	s.work.Go(func() {
		_ = s.say(up{Hello: &hello{Protocol: protocol, Version: f.cfg.Version}}) // a failure ends the request too
	})
	res, err := c.do(ctx, http.MethodPost, pathFollow, nil, body)
	if err != nil {
		return false, reason(ctx, err)
	}
	defer res.Body.Close()
	s.open.Store(true)
	if run.Err() != nil {
		return false, run.Err()
	}
	s.work.Go(func() { s.talk(ctx) })
	err = s.listen(ctx, newLines(res.Body, longestDown))
	f.note(false)
	return s.worked, reason(ctx, err)
}

// reason prefers why the connection was given up to what that led to.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the controller closed the connection")
	}
	return err
}

func (f *Follower) note(connected bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.connected = connected
}

// saveTime is how long a confirmation waits for a slow disk.
const saveTime = 5 * time.Second

// take puts a whole snapshot or change to use. When it returns nil, requests see it, and will
// after a restart.
func (f *Follower) take(ctx context.Context, d down) error {
	next, err := f.state.after(d)
	if err != nil {
		return err
	}
	held, resumed := d.Held, d.Resumed
	if d.Kind == kindSnapshot {
		held, resumed = next.held(), nil
		for _, h := range f.state.held() {
			if !next.holds[h] {
				resumed = append(resumed, h)
			}
		}
	}
	// Saved first: after a restart a gate that was confirmed as held is held.
	if len(held)+len(resumed) > 0 {
		if err := f.saveHolds(next.held()); err != nil {
			f.log.Warn("holds are not saved; a restart without the controller would forget them", "error", err)
		}
	}
	// Gates close before the routes change and open after, so nobody is let in between.
	for _, h := range held {
		f.cfg.Router.Hold(h.Tenant, h.Reason)
	}
	if d.Kind == kindSnapshot || len(d.Set)+len(d.Gone) > 0 {
		f.cfg.Router.Publish(next.list())
	}
	for _, h := range resumed {
		f.cfg.Router.Resume(h.Tenant, h.Reason)
	}
	// Last, so that nobody waits for the disk but the confirmation.
	short, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	if err := f.cfg.Saved(short); err != nil {
		f.log.Warn("a restart without the controller would not know the newest routes", "error", err)
	}
	f.state = next
	f.mu.Lock()
	f.generation, f.connected = d.Generation, true
	f.mu.Unlock()
	return nil
}

func (f *Follower) saveHolds(holds []Hold) error {
	if f.cfg.HoldsFile == "" {
		return nil
	}
	data, err := json.Marshal(holds)
	if err != nil {
		return fmt.Errorf("encode holds: %w", err)
	}
	return proxy.WriteDurably(f.cfg.HoldsFile, data)
}

func (f *Follower) loadHolds() []Hold {
	if f.cfg.HoldsFile == "" {
		return nil
	}
	var holds []Hold
	data, err := os.ReadFile(f.cfg.HoldsFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &holds)
	}
	if err != nil {
		f.log.Warn("the saved holds cannot be used", "error", err)
		return nil
	}
	return holds
}
