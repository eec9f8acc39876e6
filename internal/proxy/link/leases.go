package link

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// leases are the locks in the certificate storage that the controller holds for proxies. A lock
// is given back for a proxy that has not shown for a while that it lives.
type leases struct {
	storage certmagic.Storage
	span    time.Duration
	log     *slog.Logger

	mu   sync.Mutex
	held map[string]*lease // by name
	done bool
}

type lease struct {
	owner string // random, of one locking by one proxy
	timer *time.Timer
}

func newLeases(storage certmagic.Storage, span time.Duration, log *slog.Logger) *leases {
	return &leases{storage: storage, span: span, log: log, held: make(map[string]*lease)}
}

// lock takes a lock for owner, waiting as long as ctx allows.
func (l *leases) lock(ctx context.Context, name, owner string) error {
	if err := l.storage.Lock(ctx, name); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil || l.done { // whoever asked is gone
		l.unlock(name)
		return fleet.Errorf(fleet.Unavailable, "take lock %s: %w", name, context.Cause(ctx))
	}
	own := &lease{owner: owner}
	own.timer = time.AfterFunc(l.span, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.held[name] == own {
			l.log.Warn("a proxy is silent; its lock on the certificates is given back", "lock", name)
			delete(l.held, name)
			l.unlock(name)
		}
	})
	l.held[name] = own
	return nil
}

// unlock gives a lock back to the storage.
func (l *leases) unlock(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := l.storage.Unlock(ctx, name); err != nil {
		l.log.Warn("a lock on the certificates cannot be given back", "lock", name, "error", err)
	}
}

// keep shows that the owner lives. False where the lock is not the owner's any more.
func (l *leases) keep(name, owner string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.held[name]
	return own != nil && own.owner == owner && own.timer.Reset(l.span)
}

// give gives the owner's lock back; one that is not the owner's any more is left alone.
func (l *leases) give(name, owner string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if own := l.held[name]; own != nil && own.owner == owner {
		own.timer.Stop()
		delete(l.held, name)
		l.unlock(name)
	}
}

// close gives all locks back.
func (l *leases) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	for name, own := range l.held {
		own.timer.Stop()
		delete(l.held, name)
		l.unlock(name)
	}
}
