package proxy

import (
	"errors"
	"math"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
	"github.com/lxdfleet/lxdfleet/internal/proxy/metrics"
	"github.com/lxdfleet/lxdfleet/internal/proxy/origin"
	"github.com/lxdfleet/lxdfleet/internal/proxy/upstream"
)

// GuardConfig bounds what anybody can take of the proxy. Zero fields set no limit, or take the
// defaults named here.
type GuardConfig struct {
	// Trusted are proxies in front, whose X-Forwarded and Forwarded headers are believed.
	Trusted []netip.Prefix
	// ProxyProtocol are peers whose connections begin with a PROXY header, version 1 or 2.
	ProxyProtocol []netip.Prefix
	// MaxConns is how many connections of clients may be open at once, MaxPerAddress how many
	// of one address (an IPv6 network of 64 bits is one); trusted proxies are not counted so.
	MaxConns, MaxPerAddress int
	// Body bounds how slowly a request's body may come. Its Max is not used; Rules has it.
	Body guard.BodyLimits
	// WriteStall is the longest a client may take in nothing of an answer; default 2 min.
	WriteStall time.Duration
	// Rules hold for what tenants' own leave open, and for hosts that lead nowhere.
	Rules fleet.GuardRules
}

func (c *GuardConfig) validate() error {
	if err := c.Rules.Validate(); err != nil {
		return err
	}
	if c.MaxConns < 0 || c.MaxPerAddress < 0 {
		return fleet.Errorf(fleet.Invalid, "a limit of connections cannot be negative").WithField("max_connections").
			WithHint("0 means no limit")
	}
	return nil
}

// protection is the guard of a Server.
type protection struct {
	trusted origin.Prefixes
	limiter *guard.Limiter
	conns   guard.Conns
	body    guard.BodyLimits
	traffic *metrics.Traffic // counts what is refused
}

func newProtection(cfg GuardConfig, traffic *metrics.Traffic) *protection {
	return &protection{
		trusted: origin.NewPrefixes(cfg.Trusted), body: cfg.Body, traffic: traffic,
		limiter: guard.NewLimiter(guard.LimiterConfig{General: cfg.Rules}),
	}
}

func (p *protection) refuse(why guard.Reason) { p.traffic.Refused(string(why)) }

// protect puts the guard in front of both servers. Connections of both are counted together.
func (s *Server) protect() {
	wrap := func(ln net.Listener, srv *http.Server, cfg guard.ListenerConfig) net.Listener {
		cfg.ProxyProtocol, cfg.Trusted = origin.NewPrefixes(s.cfg.Guard.ProxyProtocol), s.guard.trusted
		cfg.MaxConns, cfg.MaxPerAddress, cfg.Conns = s.cfg.Guard.MaxConns, s.cfg.Guard.MaxPerAddress, &s.guard.conns
		cfg.Header, cfg.WriteStall = s.cfg.ReadHeader, s.cfg.Guard.WriteStall
		cfg.Refused, cfg.HandshakeFailed, cfg.Log = s.guard.refuse, s.traffic.HandshakeFailed, s.cfg.Log
		l := guard.NewListener(ln, cfg)
		l.Attach(srv)
		return l
	}
	s.httpsLn = wrap(s.httpsLn, s.https, guard.ListenerConfig{TLS: s.certs.TLSConfig()})
	if s.httpLn != nil {
		s.httpLn = wrap(s.httpLn, s.http, guard.ListenerConfig{})
	}
	s.guard.configure(s.router.Table())
}

// configure takes the tenants' rules from a table.
func (p *protection) configure(t *Table) {
	rules := make(map[fleet.Name]*fleet.GuardRules)
	for _, r := range t.routes {
		if _, ok := rules[r.Tenant]; !ok || r.Guard != nil {
			rules[r.Tenant] = r.Guard
		}
	}
	p.limiter.Configure(rules)
}

// origin says who made a request.
func (s *Server) origin(r *http.Request) origin.Origin { return origin.Of(r, s.guard.trusted.Contains) }

// admitted applies the rules of v's tenant. It gives the page to show where they do not let the
// request in; otherwise leave has to be called when it is over.
func (s *Server) admitted(w *recorder, r *http.Request, v *visit) (leave func(), _ *page) {
	route, _ := s.router.Table().Lookup(v.host)
	limits := s.guard.body
	leave = func() {}
	if t := s.guard.limiter.Tenant(route.Tenant); t != nil {
		v.tenant = route.Tenant
		who := s.origin(r)
		w.guard, w.secure = t, who.Scheme == "https"
		if verdict := t.Admit(who.Client, time.Now()); !verdict.OK() {
			s.guard.refuse(verdict.Reason)
			return nil, pageOf(verdict)
		}
		leave = t.Leave
		limits.Max = t.MaxBody()
	}
	if refused := guard.Limit(w, r, limits); refused != nil {
		s.guard.refuse(refused.Reason)
		leave()
		return nil, &pageTooLarge
	}
	return leave, nil
}

func pageOf(v guard.Verdict) *page {
	p := pageBusy
	switch v.Status {
	case http.StatusForbidden:
		p = pageForbidden
	case http.StatusTooManyRequests:
		p = pageTooMany
	}
	if v.RetryAfter > 0 {
		p.Retry = max(1, int(math.Ceil(v.RetryAfter.Seconds())))
	}
	return &p
}

// badRequest gives the page for a request that is at fault itself.
func (s *Server) badRequest(v *visit, err error) *page {
	if errors.Is(err, upstream.ErrLeft) {
		return &pageBroken // nobody is there to see it
	}
	v.failed = true // a body that is given up ends the request's context
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		s.guard.refuse(guard.ReasonBodySize)
		return &pageTooLarge
	case errors.Is(err, guard.ErrSlow):
		s.guard.refuse(guard.ReasonBodySlow)
		return &pageTooSlow
	}
	return &pageBadRequest
}
