package certs

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

// GetCertificate is that of a tls.Config. A host that has none (yet) gets the certificate for
// unknown hosts, so that a page can be shown to who insists. Its only error is that of the
// handshake's context.
func (k *Keeper) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := canonical(hello.ServerName)
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == challengeProtocol {
		return k.answerTLS(host, hello)
	}
	if host == "" {
		return k.fallback, nil
	}
	route, ok := k.cfg.Lookup(host)
	if !ok {
		return k.fallback, nil
	}
	p := k.plan(host, route)
	if cert := k.cached(p); cert != nil {
		return cert, nil
	}
	ctx := hello.Context()
	if ctx == nil {
		ctx = k.base // a hello that no crypto/tls server made has none
	}
	// Twice, because the first may join one who only looked at the storage.
	for range 2 {
		err := k.ensure(ctx, p)
		if cert := k.cached(p); cert != nil {
			return cert, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			k.log.Debug("no certificate for a tenant's host", "host", host, "error", err)
			break
		}
	}
	return k.fallback, nil
}

// canonical brings a server name to the form of a fleet.Domain, as far as that costs nothing:
// names of any other form are in no table.
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// cached gives the certificate that ends last of those in memory for p; nil where there is none.
func (k *Keeper) cached(p plan) *tls.Certificate {
	if best := k.newest(p); best != nil {
		return &best.Certificate
	}
	return nil
}

func (k *Keeper) newest(p plan) *certmagic.Certificate {
	var best *certmagic.Certificate
	all := k.cache.AllMatchingCertificates(p.subject)
	for i := range all {
		c := &all[i]
		if c.Leaf == nil || !slices.Contains(c.Names, p.subject) {
			continue
		}
		if best == nil || c.Leaf.NotAfter.After(best.Leaf.NotAfter) {
			best = c
		}
	}
	return best
}

// ensure sees that p's certificate is in memory, or says why it cannot be. Callers for one
// subject share the work, which goes on when they leave.
func (k *Keeper) ensure(ctx context.Context, p plan) error {
	r := k.begin(p, visited)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin has p worked on, or joins those who do. What is known to fail for now is not tried.
func (k *Keeper) begin(p plan, why purpose) *run {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.entries[p.subject]
	if e == nil {
		e = &entry{}
		k.entries[p.subject] = e
	}
	if e.run != nil {
		return e.run
	}
	e.plan = p
	r := &run{done: make(chan struct{})}
	if err := e.hopeless(k.cfg.Now()); err != nil || k.base.Err() != nil {
		r.err = err
		close(r.done)
		return r
	}
	e.run = r
	k.runs.Add(1)
	go func() {
		defer k.runs.Done()
		ctx, cancel := context.WithTimeout(k.base, runFor)
		defer cancel()
		r.err = k.work(ctx, e, r, p, why)
		k.mu.Lock()
		e.run = nil
		if why != visited {
			k.ahead--
		}
		k.mu.Unlock()
		close(r.done)
		k.left(p.subject, why)
		if why != visited {
			k.nudge()
		}
	}()
	if why != visited {
		k.ahead++
	}
	return r
}

// hopeless gives the reason why nothing can be had now, without a look at the storage.
func (e *entry) hopeless(now time.Time) error {
	switch {
	case e.plan.way == byNobody:
		return &waitingError{reason: e.plan.why}
	case now.Before(e.quiet):
		return &waitingError{until: e.quiet, reason: e.reason}
	case e.known && e.notAfter.IsZero() && now.Before(e.next) && now.Before(e.recheck):
		return &waitingError{until: e.next, reason: e.reason}
	}
	return nil
}
