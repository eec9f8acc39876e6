package lxdapi

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// SetConfig sets configuration keys of an instance and leaves the others; an empty value
// removes the key. Nothing is written where all is so already; keys that others set at the
// same time are kept.
func (c *Client) SetConfig(ctx context.Context, name string, set map[string]string) error {
	err := c.edit(ctx, name, map[string]any{"config": set}, func(now *api.Instance) bool {
		for key, value := range set {
			if now.Config[key] != value {
				return false
			}
		}
		return true
	})
	return within(err, "set the configuration of %s", name)
}

// SetProfiles replaces the profiles of an instance. A missing profile is fleet.NotFound.
func (c *Client) SetProfiles(ctx context.Context, name string, profiles []string) error {
	err := c.edit(ctx, name, map[string]any{"profiles": profiles}, func(now *api.Instance) bool {
		return slices.Equal(now.Profiles, profiles)
	})
	if isCode(err, fleet.Failed, fleet.NotFound, fleet.Invalid) {
		if _, _, look := c.instance(ctx, name); look == nil {
			if trouble := c.profileTrouble(ctx, profiles); trouble != nil {
				err = trouble
			}
		}
	}
	return within(err, "set the profiles of %s", name)
}

// edit changes some of an instance where it is not so already. LXD merges the change with what
// is there (PATCH): a PUT of the whole instance loses what another writes between LXD's check
// of the ETag and the update. It refuses a change while another is under way; then, and when
// the instance is another than before, edit tries again.
func (c *Client) edit(ctx context.Context, name string, change any, isSo func(*api.Instance) bool) error {
	unlock, err := c.edits.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	var before api.Instance
	var failure error
	deadline := time.Now().Add(busyTime)
	for {
		now, _, err := c.instance(ctx, name)
		if err != nil {
			return err
		}
		if isSo(&now) {
			return nil
		}
		if failure != nil && sameConfig(&before, &now) {
			waited, err := c.settle(ctx, name)
			if err != nil {
				return err
			}
			switch {
			case waited:
			case !isBusy(failure) || time.Now().After(deadline):
				return failure
			default:
				if err := pause(ctx, busyPause); err != nil {
					return err
				}
			}
		}
		_, err = c.call(ctx, request{method: http.MethodPatch, path: instancePath(name), body: change}, nil)
		if err == nil || ctx.Err() != nil || !isCode(err, fleet.Failed, fleet.Conflict) {
			return err
		}
		before, failure = now, err
	}
}

func sameConfig(a, b *api.Instance) bool {
	return a.StatusCode == b.StatusCode && maps.Equal(a.Config, b.Config) && slices.Equal(a.Profiles, b.Profiles)
}

// locks makes those who edit the same instance wait for each other, so that they need not
// learn from LXD that it is busy.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the lock is free again
}

func (l *locks) lock(ctx context.Context, name string) (unlock func(), err error) {
	for {
		l.mu.Lock()
		busy, held := l.held[name]
		if !held {
			if l.held == nil {
				l.held = map[string]chan struct{}{}
			}
			free := make(chan struct{})
			l.held[name] = free
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				delete(l.held, name)
				close(free)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
