package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/upstream"
)

const (
	firstPause   = 10 * time.Millisecond  // before a refused request is tried again
	longestPause = 200 * time.Millisecond // it grows up to this
	askEvery     = 100 * time.Millisecond // how often a failing tenant is reported
)

// visit is one request on its way to a tenant.
type visit struct {
	id      string // told to the backend; empty where nobody logs it
	host    string
	size    int64      // of the request's header, about
	tenant  fleet.Name // empty until known
	backend string     // last one tried
	tries   int        // forwards begun
	lasting bool       // it asks for an upgrade
	failed  bool       // its backend did, which the client is to know even if its context has ended
	waited  bool
	held    time.Duration

	// patience ends waiting of each kind; zero until it began.
	holdUntil, retryUntil time.Time
	pause                 time.Duration
}

// admit leads a request to its tenant: through the gate, to the backend that is published at
// that moment, and again as long as nothing was sent and patience lasts.
func (s *Server) admit(w *recorder, r *http.Request, v *visit) {
	leave, refused := s.admitted(w, r, v)
	if refused != nil {
		refused.show(w, r)
		return
	}
	defer leave()
	v.size = headerSize(r)
	for {
		gate, p := s.enter(r.Context(), v)
		if p == nil {
			p = s.attempt(gate, w, r, v)
		}
		switch {
		case p == nil:
			return
		case p == &again:
			continue
		}
		if w.status != 0 {
			return
		}
		if r.Context().Err() != nil && !v.failed {
			// A client that has closed only its own half still reads: without the abort it
			// would get net/http's empty 200.
			panic(http.ErrAbortHandler)
		}
		p.show(w, r)
		return
	}
}

// again is no page: it says that the request should be led to its tenant once more.
var again page

// enter takes v through the gate of its host's tenant. It gives the gate to leave, or the page
// to show.
func (s *Server) enter(ctx context.Context, v *visit) (*Gate, *page) {
	route, ok := s.router.Table().Lookup(v.host)
	if !ok {
		v.tenant = ""
		return nil, &pageUnknown
	}
	v.tenant = route.Tenant
	if route.State == fleet.RouteRedirect || route.State == fleet.RouteMaintenance {
		return nil, answerOf(route, s.publicPort, time.Now()) // whatever the tenant does, nobody waits for it
	}
	gate := s.router.gates.find(route.Tenant)
	if gate == nil {
		return nil, &again // the table has just changed
	}
	if gate.tryEnter() {
		return gate, nil // as nearly all do: the clock is not worth a look
	}
	start := time.Now()
	v.waited = true
	if v.holdUntil.IsZero() {
		v.holdUntil = start.Add(s.cfg.Held.Wait)
	}
	err := gate.Enter(ctx, v.size, v.holdUntil)
	v.held += time.Since(start)
	switch {
	case err == nil:
		return gate, nil
	case errors.Is(err, errGone):
		return nil, &again
	case errors.Is(err, fleet.Exhausted) && time.Now().Before(v.holdUntil):
		return nil, &pageBusy
	}
	return nil, &pageStarting
}

// attempt forwards a request that is inside the gate, and leaves the gate. The route is looked
// up only here: whatever was published before the gate let it in holds.
func (s *Server) attempt(gate *Gate, w *recorder, r *http.Request, v *visit) *page {
	route, ok := s.router.Table().Lookup(v.host)
	var err error
	func() {
		defer gate.Leave() // also when an answer breaks off
		if ok && route.Tenant == v.tenant && route.State == fleet.RouteServe {
			s.dismiss(w, r) // it may have been held for long
			v.tries++
			v.backend = route.Backend
			var leave <-chan struct{}
			if v.lasting {
				leave = gate.leaving()
			}
			err = s.forward.ForwardUntil(w, r, route.Backend, leave)
		}
	}()
	switch {
	case !ok || route.Tenant != v.tenant || route.State == fleet.RouteHold:
		return &again
	case route.State != fleet.RouteServe:
		return answerOf(route, s.publicPort, time.Now())
	case err == nil:
		return nil
	case errors.Is(err, upstream.ErrNotSent):
		return s.refused(r.Context(), gate, v, err)
	}
	return s.failed(v, err)
}

// refused waits a little before the next attempt at a backend that could not be connected to.
// It gives the page to show when patience is over.
func (s *Server) refused(ctx context.Context, gate *Gate, v *visit, err error) *page {
	now := time.Now()
	v.waited = true
	if v.retryUntil.IsZero() {
		v.retryUntil = now.Add(s.cfg.Retry)
		v.pause = firstPause
	}
	if ctx.Err() == nil && gate.mayAsk(now, askEvery) {
		s.cfg.Log.Debug("backend cannot be connected to", "tenant", v.tenant, "backend", v.backend, "error", err)
		s.cfg.Observe(v.tenant)
	}
	d := v.pause*3/4 + rand.N(v.pause/2) // spread, so that held requests do not knock all at once
	v.pause = min(v.pause*3/2, longestPause)
	err = gate.pause(ctx, v.size, d, v.retryUntil, func() bool {
		route, _ := s.router.Table().Lookup(v.host)
		return route.Backend != v.backend
	})
	v.held += time.Since(now)
	switch {
	case err == nil:
		return &again
	case errors.Is(err, fleet.Exhausted) && time.Now().Before(v.retryUntil):
		return &pageBusy
	}
	return &pageUnreachable
}

// failed gives the page for a request that was sent, or may have been. It is not sent again.
func (s *Server) failed(v *visit, err error) *page {
	if errors.Is(err, upstream.ErrLeft) || errors.Is(err, upstream.ErrRequest) {
		return s.badRequest(v, err)
	}
	v.failed = true
	s.cfg.Log.Warn("backend failed", "tenant", v.tenant, "backend", v.backend, "error", err)
	if errors.Is(err, upstream.ErrTimeout) {
		return &pageSlow
	}
	return &pageBroken
}

// headerSize is about what a held request's header takes in memory.
func headerSize(r *http.Request) int64 {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return int64(n)
}
