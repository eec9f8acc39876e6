package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

const (
	runFor = 15 * time.Minute // a run in all, with its wait for locks and slots
	askFor = 3 * time.Minute  // one authority by a challenge
	// askDNSFor is longer: records take time to be seen.
	askDNSFor = 6 * time.Minute
)

// work looks at the storage and orders what is missing or due.
func (k *Keeper) work(ctx context.Context, e *entry, r *run, p plan, why purpose) error {
	found, err := k.look(ctx, p, why)
	if err != nil {
		k.update(func() {
			e.quiet, e.reason = k.cfg.Now().Add(storageWait), err.Error()
		})
		k.log.Warn("the certificate storage cannot be read", "host", p.subject, "error", err)
		return err
	}
	k.note(e, found)
	if err := k.freshen(ctx, p, found); err != nil {
		return err
	}
	now := k.cfg.Now()
	if found != nil && (!k.dueAt(e, p).Before(now) && !now.After(found.NotAfter) || why == visited && now.Before(found.NotAfter)) {
		return nil
	}
	if wait := k.waits(ctx, e, p, now); wait != nil {
		return wait
	}
	if p.acme() {
		select {
		case k.slots <- struct{}{}:
			defer func() { <-k.slots }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	k.update(func() { r.ordering = true })
	if p.acme() {
		return k.order(ctx, e, p, why)
	}
	return k.signOwn(ctx, e, p, why)
}

// look finds the newest certificate in storage, nil where there is none; for somebody who waits
// it also brings it to memory. An error means the storage fails.
func (k *Keeper) look(ctx context.Context, p plan, why purpose) (*x509.Certificate, error) {
	if why != visited {
		return k.peek(ctx, p)
	}
	cert, err := k.loading(p).CacheManagedCertificate(ctx, p.subject)
	if err == nil {
		return cert.Leaf, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	// What is there and makes no certificate is as good as nothing; a storage that fails is not.
	if _, perr := k.peek(ctx, p); perr != nil {
		return nil, err
	}
	k.log.Warn("a stored certificate cannot be used; it is replaced", "host", p.subject, "error", err)
	return nil, nil
}

func (k *Keeper) loading(p plan) *certmagic.Config {
	if p.acme() {
		return k.public
	}
	return k.internal
}

// peek reads the newest certificate for p from storage, without its key.
func (k *Keeper) peek(ctx context.Context, p plan) (*x509.Certificate, error) {
	_, newest, err := k.stored(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("load the certificate of %s: %w", p.subject, err)
	}
	return newest, nil
}

func (k *Keeper) issuers(p plan) []string {
	if !p.acme() {
		return []string{k.ca.IssuerKey()}
	}
	var keys []string
	for _, a := range k.asked {
		keys = append(keys, a.key)
	}
	return keys
}

func (k *Keeper) update(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

// note remembers what is in storage.
func (k *Keeper) note(e *entry, leaf *x509.Certificate) {
	k.update(func() {
		e.known, e.quiet = true, time.Time{}
		e.notBefore, e.notAfter = time.Time{}, time.Time{}
		if leaf != nil {
			e.notBefore, e.notAfter = leaf.NotBefore, leaf.NotAfter
		}
	})
}

// dueAt is when the certificate is to be renewed.
func (k *Keeper) dueAt(e *entry, p plan) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.due(e, p)
}

func (k *Keeper) due(e *entry, p plan) time.Time {
	if e.revoked || e.notAfter.IsZero() {
		return time.Time{}
	}
	part := 1.0 / 3
	if p.acme() {
		part = k.cfg.ACME.RenewBefore
	}
	return e.notAfter.Add(-time.Duration(part * float64(e.notAfter.Sub(e.notBefore))))
}

// waits gives the reason not to order now. The back-off is read again every now and then,
// because another proxy or an operator may have ended it.
func (k *Keeper) waits(ctx context.Context, e *entry, p plan, now time.Time) error {
	k.mu.Lock()
	next, recheck, reason := e.next, e.recheck, e.reason
	k.mu.Unlock()
	if !now.Before(next) {
		return nil
	}
	if p.acme() && !now.Before(recheck) {
		rec, err := k.loadRecord(ctx, p.subject)
		if err == nil && !now.Before(rec.NextTry) {
			return nil
		}
		k.update(func() { e.recheck = now.Add(recheckEvery) })
	}
	return &waitingError{until: next, reason: reason}
}

// order gets a certificate from the authorities: one proxy at a time, if the last failure is
// long enough ago, and within the limits.
func (k *Keeper) order(ctx context.Context, e *entry, p plan, why purpose) error {
	unlock, err := k.lock(ctx, "order_"+p.subject)
	if err != nil {
		return k.broken(ctx, e, p, err)
	}
	defer unlock()
	before := e.begin(k)
	found, err := k.look(ctx, p, why)
	if err != nil {
		return k.broken(ctx, e, p, err)
	}
	k.note(e, found)
	now := k.cfg.Now()
	if found != nil && found.NotBefore.After(before) { // another proxy was faster
		k.update(func() { e.revoked = false })
		if now.Before(k.dueAt(e, p)) {
			return k.done(ctx, e, p, why)
		}
	}
	rec, err := k.loadRecord(ctx, p.subject)
	if err != nil {
		return k.broken(ctx, e, p, err)
	}
	if now.Before(rec.NextTry) {
		return k.wait(e, rec.LastTry, &waitingError{until: rec.NextTry, reason: rec.LastError})
	}
	if whose, err := k.take(ctx, p, why, found != nil); err != nil {
		if w, ok := errors.AsType[*waitingError](err); ok {
			k.update(func() { k.paused[whose] = w.until })
			return k.wait(e, time.Time{}, w)
		}
		return k.broken(ctx, e, p, err)
	}
	tooOften, err := k.ask(ctx, p)
	if k.base.Err() != nil {
		return k.base.Err()
	}
	if err != nil {
		return k.failed(ctx, e, rec, err, tooOften)
	}
	if rec.Failures > 0 {
		if err := k.cfg.Storage.Delete(ctx, recordKey(p.subject)); err != nil {
			k.log.Warn("the record of failed orders cannot be removed", "host", p.subject, "error", err)
		}
	}
	return k.done(ctx, e, p, why)
}

// begin is when the certificate known so far began.
func (e *entry) begin(k *Keeper) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return e.notBefore
}

// ask asks the authorities in their order.
func (k *Keeper) ask(ctx context.Context, p plan) (tooOften bool, err error) {
	limit := askFor
	if p.way == byDNS {
		limit = askDNSFor
	}
	var reasons []string
	for _, a := range k.asked {
		within, cancel := context.WithTimeout(ctx, limit)
		err := a.by(p.way).RenewCertSync(within, p.subject, true) // obtains where there is none
		cancel()
		if err == nil {
			return false, nil
		}
		reason, often := explain(err)
		tooOften = tooOften || often
		reasons = append(reasons, a.directory+": "+reason)
	}
	return tooOften, errors.New(strings.Join(reasons, "; "))
}

// explain gives the part of an authority's error that people can use.
func explain(err error) (reason string, tooOften bool) {
	problem, ok := errors.AsType[acme.Problem](err)
	if !ok {
		if broken, ok := errors.AsType[*url.Error](err); ok {
			return "it cannot be reached: " + broken.Err.Error(), false
		}
		return err.Error(), false
	}
	reason = problem.Detail
	for _, sub := range problem.Subproblems {
		reason += "; " + sub.Detail
	}
	kind := problem.Type[strings.LastIndexByte(problem.Type, ':')+1:]
	return fmt.Sprintf("%s (%s)", reason, kind), problem.Type == acme.ProblemTypeRateLimited
}

// done remembers a new certificate and brings it to memory where it is wanted there.
func (k *Keeper) done(ctx context.Context, e *entry, p plan, why purpose) error {
	k.update(func() {
		e.next, e.recheck, e.reason, e.tried, e.failures, e.revoked = time.Time{}, time.Time{}, "", time.Time{}, 0, false
	})
	found, err := k.look(ctx, p, why)
	if err != nil {
		return err
	}
	k.note(e, found)
	return k.freshen(ctx, p, found)
}

// freshen keeps the newest certificate alone in memory, where there is one: this proxy has
// renewed it, or another has.
func (k *Keeper) freshen(ctx context.Context, p plan, stored *x509.Certificate) error {
	best := k.newest(p)
	if best == nil || stored == nil {
		return nil
	}
	if stored.NotAfter.After(best.Leaf.NotAfter) {
		cert, err := k.loading(p).CacheManagedCertificate(ctx, p.subject)
		if err != nil {
			return fmt.Errorf("load the new certificate of %s: %w", p.subject, err)
		}
		best = &cert
	}
	var old []string
	for _, c := range k.cache.AllMatchingCertificates(p.subject) {
		if slices.Contains(c.Names, p.subject) && c.Hash() != best.Hash() {
			old = append(old, c.Hash())
		}
	}
	k.cache.Remove(old)
	return nil
}

// failed writes down that all authorities refused.
func (k *Keeper) failed(ctx context.Context, e *entry, rec record, cause error, tooOften bool) error {
	rec.failed(k.cfg.Now(), cause.Error(), tooOften)
	err := k.storeRecord(ctx, rec)
	if err != nil {
		k.log.Warn("a failed order cannot be written down", "host", rec.Subject, "error", err)
	}
	k.log.Error("a certificate cannot be obtained", "host", rec.Subject, "failures", rec.Failures,
		"next_try", rec.NextTry, "error", cause)
	return k.wait(e, rec.LastTry, &waitingError{until: rec.NextTry, reason: rec.LastError})
}

func (k *Keeper) wait(e *entry, tried time.Time, w *waitingError) error {
	k.update(func() {
		e.next, e.reason, e.tried = w.until, w.reason, tried
		e.recheck = k.cfg.Now().Add(recheckEvery)
		if w.limited {
			e.recheck = w.until // nobody else can change that
		}
	})
	return w
}

// broken is an order that the storage did not let happen: nothing was asked of any authority.
func (k *Keeper) broken(ctx context.Context, e *entry, p plan, cause error) error {
	if k.base.Err() != nil {
		return ctx.Err()
	}
	var w *waitingError
	k.update(func() {
		e.failures++
		w = &waitingError{until: k.cfg.Now().Add(min(time.Second<<min(e.failures, 10), recheckEvery)), reason: cause.Error()}
	})
	k.log.Error("a certificate cannot be obtained: the storage fails", "host", p.subject, "next_try", w.until, "error", cause)
	return k.wait(e, k.cfg.Now(), w)
}

// signOwn has the internal CA sign. It answers in milliseconds and has no limits.
func (k *Keeper) signOwn(ctx context.Context, e *entry, p plan, why purpose) error {
	if err := k.internal.RenewCertSync(ctx, p.subject, false); err != nil {
		return k.broken(ctx, e, p, err)
	}
	return k.done(ctx, e, p, why)
}
