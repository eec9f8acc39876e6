package api

import (
	"cmp"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// limitWindow is what the limit is counted over.
const limitWindow = time.Minute

// limits counts the requests of each caller. Who has made none for a while may make as many at once
// as the limit says; they come back evenly over the window.
type limits struct {
	most float64 // a window; 0: any number
	now  func() time.Time

	mu      sync.Mutex
	callers map[string]allowance
	swept   time.Time
}

// allowance is what a caller had left at a time.
type allowance struct {
	left float64
	at   time.Time
}

func newLimits(most int, now func() time.Time) *limits {
	return &limits{most: float64(most), now: now, callers: map[string]allowance{}}
}

// limitError is a request too many.
type limitError struct{ seconds int }

func (e *limitError) Error() string { return e.Unwrap().Error() }

// Unwrap gives it a code and a hint.
func (e *limitError) Unwrap() error {
	return fleet.Errorf(fleet.Exhausted, "too many requests: wait %d s", e.seconds).
		WithHint("wait as long as Retry-After says; follow /v1/events rather than ask again and again; api.rate_limit sets the limit")
}

// take counts a request and says in the headers what is left. A request too many is a limitError.
// Local users have no limit.
func (l *limits) take(h http.Header, caller fleet.Caller, address string) error {
	if l.most == 0 || caller.Kind == fleet.CallerSocket {
		return nil
	}
	left := l.count(callerKey(caller, address))
	perSecond := l.most / limitWindow.Seconds()
	h.Set("RateLimit-Limit", strconv.Itoa(int(l.most)))
	h.Set("RateLimit-Remaining", strconv.Itoa(max(0, int(left))))
	h.Set("RateLimit-Reset", strconv.Itoa(int(math.Ceil((l.most-max(0, left))/perSecond))))
	h.Set("RateLimit-Policy", strconv.Itoa(int(l.most))+";w="+strconv.Itoa(int(limitWindow.Seconds())))
	if left < 0 {
		return &limitError{max(1, int(math.Ceil(-left/perSecond)))}
	}
	return nil
}

// count gives what is left after this request; below 0 it is one too many, which is not counted.
func (l *limits) count(key string) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	a, known := l.callers[key]
	if !known {
		a = allowance{l.most, now}
	}
	a.left = min(l.most, a.left+max(0, now.Sub(a.at).Seconds())*l.most/limitWindow.Seconds())
	a.at = now
	left := a.left - 1
	if left >= 0 {
		a.left = left
	}
	l.callers[key] = a
	return left
}

// sweep forgets, once a window, who has all of its allowance again.
func (l *limits) sweep(now time.Time) {
	if now.Sub(l.swept) < limitWindow {
		return
	}
	l.swept = now
	for key, a := range l.callers {
		if now.Sub(a.at) >= limitWindow {
			delete(l.callers, key)
		}
	}
}

// callerKey is whose allowance a request takes from.
func callerKey(caller fleet.Caller, address string) string {
	switch caller.Kind {
	case fleet.CallerToken:
		return "token/" + caller.Name
	case fleet.CallerSession:
		return "user/" + caller.User
	}
	return "address/" + cmp.Or(caller.Address, address)
}
