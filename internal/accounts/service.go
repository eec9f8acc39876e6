package accounts

import (
	"cmp"
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Options tune a Service. The zero value is good for production.
type Options struct {
	// SessionIdle ends a session that was not used for this long. Default 12 hours.
	SessionIdle time.Duration
	// SessionMost ends every session. Default 30 days.
	SessionMost time.Duration
	// LinkFor is how long a one-time link is good. Default a day.
	LinkFor time.Duration
	// Hash is how passwords are hashed. Default: argon2id with 64 MiB, 3 passes, 2 lanes.
	Hash Hashing
	// OpenID says who may log in by an OpenID provider, and as what.
	OpenID OpenIDRules
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Service manages accounts and tells who a request is from.
type Service struct {
	store    Store
	opt      Options
	throttle *throttle
	// nobody is a hash that is compared with where there is no user, so that this takes as long.
	nobody func() string
}

// NewService makes a Service.
func NewService(store Store, opt Options) *Service {
	opt.SessionIdle = cmp.Or(opt.SessionIdle, 12*time.Hour)
	opt.SessionMost = cmp.Or(opt.SessionMost, 30*24*time.Hour)
	opt.LinkFor = cmp.Or(opt.LinkFor, 24*time.Hour)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Hash == nil {
		opt.Hash = NewArgon2id(64*fleet.MiB, 3, 2)
	}
	return &Service{store: store, opt: opt, throttle: newThrottle(), nobody: lazyHash(opt.Hash)}
}

// Users lists the users by name.
func (s *Service) Users(ctx context.Context) ([]fleet.User, error) { return s.store.Users(ctx) }

// User gives a user; fleet.NotFound.
func (s *Service) User(ctx context.Context, name string) (fleet.User, error) {
	u, _, err := s.store.User(ctx, name)
	return u, err
}
