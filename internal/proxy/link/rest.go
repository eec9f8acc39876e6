package link

import (
	"errors"
	"sync"
	"time"
)

// rest is how long a controller that did not answer is not asked again, so that handshakes do not
// wait for it one by one: two seconds, then twice as long with each failure, up to half a minute.
type rest struct {
	mu    sync.Mutex
	until time.Time
	span  time.Duration
	why   error
}

const (
	shortestRest = 2 * time.Second
	longestRest  = 30 * time.Second
)

// reason gives the reason not to ask now; nil: ask.
func (r *rest) reason() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().Before(r.until) {
		return r.why
	}
	return nil
}

// outcome notes how a request ended.
func (r *rest) outcome(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := errors.AsType[unanswered](err); !ok {
		r.span, r.until = 0, time.Time{}
		return
	}
	now := time.Now()
	if now.Before(r.until) {
		return // one of several that were under way together
	}
	r.span = min(max(shortestRest, r.span*2), longestRest)
	r.until, r.why = now.Add(r.span), err
}
