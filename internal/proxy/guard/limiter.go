package guard

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LimiterConfig is what a Limiter is made of. Zero fields take the defaults named here.
type LimiterConfig struct {
	// General are the rules for what a tenant's own leave open, and for hosts that lead to no
	// tenant.
	General fleet.GuardRules
	// Addresses is how many client addresses are kept apart at once, over all tenants; default
	// 65,536, which takes 1 MiB.
	Addresses int
}

// Limiter decides who may make a request now. All its methods may be called at any time from
// any goroutine; those for each request allocate nothing and wait for nobody.
type Limiter struct {
	general   fleet.GuardRules
	addresses *addresses
	began     time.Time // bucket times count from here, by the clock that is never set back
	tenants   atomic.Pointer[map[fleet.Name]*Tenant]
	other     *Tenant // those without rules of their own; nil where there are no general ones

	mu sync.Mutex // one Configure at a time
}

// Tenant is what a Limiter knows of one tenant. It stays valid for requests that have it while
// the rules change.
type Tenant struct {
	limiter  *Limiter
	id       uint64 // to keep its clients apart from another tenant's
	rules    atomic.Pointer[rules]
	own      fleet.GuardRules // as configured; for Configure only
	bucket   bucket
	inflight atomic.Int64
}

// Verdict says whether a request is let in. The zero value is yes.
type Verdict struct {
	Reason     Reason // why not
	Status     int    // to answer with then: 403, 429 or 503
	RetryAfter time.Duration
}

// OK reports whether the request is let in.
func (v Verdict) OK() bool { return v.Reason == "" }

// NewLimiter makes a Limiter without tenants.
func NewLimiter(cfg LimiterConfig) *Limiter {
	if cfg.Addresses == 0 {
		cfg.Addresses = 1 << 16
	}
	// The hour lets the first requests have full buckets, whose time lies in the past.
	l := &Limiter{general: cfg.General, addresses: newAddresses(cfg.Addresses), began: time.Now().Add(-time.Hour)}
	if !cfg.General.Empty() {
		l.other = l.newTenant(fleet.GuardRules{})
	}
	l.tenants.Store(&map[fleet.Name]*Tenant{})
	return l
}

func (l *Limiter) newTenant(own fleet.GuardRules) *Tenant {
	t := &Tenant{limiter: l, id: rand.Uint64(), own: own}
	t.rules.Store(compile(own, l.general))
	return t
}

// Configure sets the tenants there are and their rules; nil is a tenant without own ones. What
// tenants have used up and who is in flight is kept.
func (l *Limiter) Configure(all map[fleet.Name]*fleet.GuardRules) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := *l.tenants.Load()
	next := make(map[fleet.Name]*Tenant, len(all))
	for name, own := range all {
		if own == nil {
			if l.other == nil {
				continue
			}
			own = &fleet.GuardRules{}
		}
		t := before[name]
		switch {
		case t == nil:
			t = l.newTenant(*own)
		case !t.own.Equal(*own):
			t.own = *own
			t.rules.Store(compile(*own, l.general))
		}
		next[name] = t
	}
	l.tenants.Store(&next)
}

// Tenant gives what is known of a tenant, or of all together that are none. It is nil where no
// rule holds, which costs a map read.
func (l *Limiter) Tenant(name fleet.Name) *Tenant {
	if t, ok := (*l.tenants.Load())[name]; ok {
		return t
	}
	return l.other
}

// Admit decides on one request of a client. Leave has to be called when a request that was let
// in is over. A request that is refused for one limit may have been counted by another.
func (t *Tenant) Admit(client netip.Addr, now time.Time) Verdict {
	r := t.rules.Load()
	if !r.deny.Empty() && r.deny.Contains(client) || !r.allow.Empty() && !r.allow.Contains(client) {
		return Verdict{Reason: ReasonDenied, Status: http.StatusForbidden}
	}
	at := int64(now.Sub(t.limiter.began))
	if r.address.each != 0 {
		if wait := t.limiter.addresses.take(r.address, t.id, keyOf(client), at); wait > 0 {
			return Verdict{Reason: ReasonAddressRate, Status: http.StatusTooManyRequests, RetryAfter: wait}
		}
	}
	if wait := t.bucket.take(r.tenant, at); wait > 0 {
		return Verdict{Reason: ReasonTenantRate, Status: http.StatusTooManyRequests, RetryAfter: wait}
	}
	if n := t.inflight.Add(1); r.inflight > 0 && n > r.inflight {
		t.inflight.Add(-1)
		return Verdict{Reason: ReasonInflight, Status: http.StatusServiceUnavailable, RetryAfter: time.Second}
	}
	return Verdict{}
}

// Leave ends what an Admit that let in began.
func (t *Tenant) Leave() { t.inflight.Add(-1) }

// Inflight is how many requests were let in and have not left.
func (t *Tenant) Inflight() int { return int(t.inflight.Load()) }

// MaxBody is the largest body of a request in bytes; 0: any.
func (t *Tenant) MaxBody() int64 { return t.rules.Load().maxBody }

// SetHeaders adds to an answer's header the security headers the tenant is to have, where the
// answer has none of its own. https says whether the client came by HTTPS, the only way HSTS may
// be said over.
func (t *Tenant) SetHeaders(h http.Header, https bool) { t.rules.Load().setHeaders(h, https) }
