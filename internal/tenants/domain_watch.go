package tenants

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// How long until a proof that was not found is looked for again: twice as long each time.
const (
	firstLook   = 15 * time.Second
	longestLook = time.Hour
)

// CheckDomain looks the domain up again now: a pending one is served from now on if its proof
// is found, and an order for a certificate that failed is tried again.
func (s *Service) CheckDomain(ctx context.Context, name string) (DomainView, error) {
	t, d, err := s.owner(ctx, name)
	if err != nil {
		return DomainView{}, err
	}
	if t.DomainSettings[d].Pending && t.Ready {
		// The pauses between looks begin anew: whoever asks is about to set the record.
		if t, err = s.verify(ctx, t, d, fleet.DomainCheck{}); err != nil {
			return DomainView{}, err
		}
	}
	if s.Certificates != nil && !t.DomainSettings[d].Pending {
		s.Certificates.Retry(d.String())
	}
	return s.look(ctx, t, d, true)
}

// verify looks for the proof of a pending domain, and has it served when it is found or not
// wanted any more.
func (s *Service) verify(ctx context.Context, t fleet.Tenant, d fleet.Domain, last fleet.DomainCheck) (fleet.Tenant, error) {
	why, err := s.proofNeeded(ctx, t, d)
	if err != nil {
		return t, err
	}
	verified := time.Time{}
	if why != "" {
		if missing := s.proven(ctx, t.ID, d); missing != "" {
			return t, s.missed(ctx, t.ID, d, last, missing)
		}
		verified = s.opt.Now()
	}
	t, err = s.alter(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		if !slices.Contains(t.Domains, d) {
			return false, gone(d)
		}
		setting := t.DomainSettings[d]
		was := setting.Pending
		setting.Pending, setting.VerifiedAt = false, verified
		t.SetDomain(d, setting)
		return was, nil
	})
	if err != nil {
		return t, err
	}
	if err := s.Store.SaveDomainCheck(ctx, t.ID, d, fleet.DomainCheck{At: s.opt.Now()}); err != nil {
		return t, fmt.Errorf("keep the check of %s: %w", d, err)
	}
	return t, nil
}

// missed keeps that the proof was not found, and when to look again.
func (s *Service) missed(ctx context.Context, id string, d fleet.Domain, last fleet.DomainCheck, why string) error {
	if ctx.Err() != nil {
		return ctx.Err() //nolint:wrapcheck // the caller gave up; DNS was not heard
	}
	now := s.opt.Now()
	check := fleet.DomainCheck{
		At: now, Fails: last.Fails + 1, Error: why,
		Next: now.Add(min(firstLook<<min(last.Fails, 20), longestLook)),
	}
	if err := s.Store.SaveDomainCheck(ctx, id, d, check); err != nil {
		return fmt.Errorf("keep the check of %s: %w", d, err)
	}
	return nil
}

// DomainWatch looks for the proofs of pending domains, each less often the longer it is missing.
type DomainWatch struct {
	Service *Service
	// Every is the time between two looks at what is due. Default 5 s.
	Every time.Duration
	// Logger gets domains that were proven, and failures. Default: nothing is logged.
	Logger *slog.Logger
}

// Run watches until ctx ends.
func (w *DomainWatch) Run(ctx context.Context) {
	if w.Every <= 0 {
		w.Every = 5 * time.Second
	}
	every(ctx, w.Every, w.Logger, "pending domains cannot be checked", w.Once)
}

// dueDomain is a pending domain whose proof is to be looked for.
type dueDomain struct {
	tenant fleet.Tenant
	domain fleet.Domain
	last   fleet.DomainCheck
}

// Once looks for the proofs that are due now.
func (w *DomainWatch) Once(ctx context.Context) error {
	list, err := w.due(ctx)
	if err != nil {
		return err
	}
	var looking sync.WaitGroup
	failed := make([]error, len(list))
	hands := make(chan struct{}, 8) // a DNS that does not answer holds up some, not all
	for i, x := range list {
		hands <- struct{}{}
		looking.Go(func() {
			defer func() { <-hands }()
			failed[i] = w.look(ctx, x)
		})
	}
	looking.Wait()
	return errors.Join(failed...)
}

// due lists the pending domains whose time has come.
func (w *DomainWatch) due(ctx context.Context) ([]dueDomain, error) {
	s := w.Service
	now, err := s.Observer.roster.read(ctx)
	if err != nil {
		return nil, err
	}
	var list []dueDomain
	for _, t := range now.all {
		if !t.Ready || t.Desired == fleet.DesiredRemoved {
			continue
		}
		for d, setting := range t.DomainSettings {
			if setting.Pending {
				list = append(list, dueDomain{tenant: t, domain: d})
			}
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	checks, err := s.Store.PendingChecks(ctx)
	if err != nil {
		return nil, fmt.Errorf("list pending domains: %w", err)
	}
	var due []dueDomain
	for _, x := range list {
		var there bool
		if x.last, there = checks[x.domain]; there && !x.last.Next.After(s.opt.Now()) {
			due = append(due, x)
		}
	}
	return due, nil
}

func (w *DomainWatch) look(ctx context.Context, x dueDomain) error {
	after, err := w.Service.verify(ctx, x.tenant, x.domain, x.last)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound { // removed meanwhile
		return err
	}
	if err == nil && w.Logger != nil && !after.DomainSettings[x.domain].Pending {
		w.Logger.Info("a domain was proven and is served now", "domain", x.domain, "tenant", x.tenant.Name)
	}
	return nil
}
