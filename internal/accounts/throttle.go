package accounts

import (
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// throttle slows down who guesses. After freeTries failures in a row of one key (a user, or an
// address) each further try has to wait: 1 s, then twice as long each time, up to longestWait.
// It forgets a key after forgetAfter without a failure. Counts are of this process; they bound
// guessing by addresses, not by proof.
type throttle struct {
	mu   sync.Mutex
	keys map[string]*tries
}

type tries struct {
	failed int
	until  time.Time // no try before it
	last   time.Time
}

const (
	freeTries   = 5
	longestWait = 5 * time.Minute
	forgetAfter = time.Hour
	mostKeys    = 100_000
)

func newThrottle() *throttle { return &throttle{keys: map[string]*tries{}} }

// begin counts a try of the keys as failed until it is told otherwise (good), so that many at
// once do not slip through. fleet.Exhausted, with the wait, where one has to wait; then nothing
// is counted.
func (t *throttle) begin(now time.Time, keys ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		if e := t.keys[k]; e != nil && now.Before(e.until) {
			return &WaitError{Wait: e.until.Sub(now)}
		}
	}
	t.tidy(now)
	for _, k := range keys {
		e := t.keys[k]
		if e == nil || now.Sub(e.last) > forgetAfter {
			e = &tries{}
			t.keys[k] = e
		}
		e.failed++
		e.last = now
		if over := e.failed - freeTries; over >= 0 {
			e.until = now.Add(min(time.Second<<min(over, 20), longestWait))
		}
	}
	return nil
}

// spare takes back that the latest try of the keys was counted as failed.
func (t *throttle) spare(keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		if e := t.keys[k]; e != nil {
			e.failed--
			e.until = time.Time{}
			if e.failed <= 0 {
				delete(t.keys, k)
			}
		}
	}
}

// good forgets the failures of a key.
func (t *throttle) good(keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		delete(t.keys, k)
	}
}

// tidy bounds the memory. The lock is held.
func (t *throttle) tidy(now time.Time) {
	if len(t.keys) < mostKeys {
		return
	}
	for k, e := range t.keys {
		if now.Sub(e.last) > forgetAfter {
			delete(t.keys, k)
		}
	}
	for k := range t.keys { // any: an attacker with that many keys has been slowed down by their number
		if len(t.keys) < mostKeys {
			return
		}
		delete(t.keys, k)
	}
}

// WaitError is a login that was not even looked at, because too many failed before it.
type WaitError struct{ Wait time.Duration }

func (e *WaitError) Error() string { return e.Unwrap().Error() }

// Unwrap gives it the code Exhausted and a hint.
func (e *WaitError) Unwrap() error {
	return fleet.Errorf(fleet.Exhausted, "too many logins failed").
		WithHint("try again in %s", e.Wait.Round(time.Second)+time.Second)
}
