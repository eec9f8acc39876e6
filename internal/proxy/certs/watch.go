package certs

import (
	"context"
	"time"

	"github.com/caddyserver/certmagic"
)

// Want has the certificates of t's hosts made and renewed ahead. It never blocks; only the last
// table counts.
func (k *Keeper) Want(t Table) {
	for {
		select {
		case k.wanted <- t:
			return
		case <-k.wanted: // an older table nobody has looked at
		}
	}
}

// nudge has the queue looked at.
func (k *Keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run makes and renews certificates ahead, and once a day removes long expired ones from
// storage, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(k.cfg.Every)
	defer tick.Stop()
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	k.tickets.refresh(ctx, k.log)
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-k.wanted:
			k.follow(t)
			k.enqueue()
		case <-tick.C:
			k.tickets.refresh(ctx, k.log)
			k.enqueue()
		case <-daily.C:
			k.clean(ctx)
		case <-k.wake:
		}
		k.pump()
	}
}

// follow forgets the hosts that t does not have, and learns those it has.
func (k *Keeper) follow(t Table) {
	plans := make(map[string]plan)
	for _, r := range t.Routes() {
		p := k.plan(string(r.Domain), r)
		plans[p.subject] = p
	}
	var gone []certmagic.SubjectIssuer
	k.mu.Lock()
	for subject, e := range k.entries {
		if _, ok := plans[subject]; !ok && e.run == nil {
			delete(k.entries, subject)
			gone = append(gone, certmagic.SubjectIssuer{Subject: subject})
		}
	}
	for subject, p := range plans {
		e := k.entries[subject]
		if e == nil {
			e = &entry{}
			k.entries[subject] = e
		}
		e.plan = p
	}
	k.plans = plans
	k.mu.Unlock()
	k.cache.RemoveManaged(gone)
}

// left forgets a host that left the table while it was worked on ahead. One that was visited
// may be in a table that is not followed yet: it is forgotten with the next one, and nothing is
// done ahead for it until then.
func (k *Keeper) left(subject string, why purpose) {
	k.mu.Lock()
	gone := why != visited && !k.followed(subject)
	if gone {
		delete(k.entries, subject)
	}
	k.mu.Unlock()
	if gone {
		k.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: subject}})
	}
}

// followed reports whether subject is of a host in the last table followed.
func (k *Keeper) followed(subject string) bool {
	_, ok := k.plans[subject]
	return ok
}

// enqueue makes the list of what has to be looked at now.
func (k *Keeper) enqueue() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.cfg.Now()
	k.queue = k.queue[:0]
	for _, e := range k.entries {
		if k.pressing(e, now) {
			k.queue = append(k.queue, e)
		}
	}
}

// pressing reports whether there is something to do for e that nobody waits for.
func (k *Keeper) pressing(e *entry, now time.Time) bool {
	switch {
	case e.run != nil, e.plan.way == byNobody, now.Before(e.quiet), !k.followed(e.plan.subject):
		return false
	case !e.known:
		return true
	case now.Before(k.due(e, e.plan)):
		return false
	case e.plan.acme() && e.notAfter.IsZero() && (now.Before(k.paused[""]) || now.Before(k.paused[e.plan.tenant])):
		return false // a limit is reached: each of them would find that out by itself
	}
	return !now.Before(e.next) || !now.Before(e.recheck)
}

// pump works on the queue, a few at a time; each that is done has it called again.
func (k *Keeper) pump() {
	for {
		k.mu.Lock()
		if len(k.queue) == 0 || k.ahead >= mostAhead {
			k.mu.Unlock()
			return
		}
		e := k.queue[len(k.queue)-1]
		k.queue = k.queue[:len(k.queue)-1]
		ready := k.pressing(e, k.cfg.Now()) && k.entries[e.plan.subject] == e
		p := e.plan
		k.mu.Unlock()
		if ready {
			k.begin(p, unasked)
		}
	}
}

// clean removes what has expired long ago.
func (k *Keeper) clean(ctx context.Context) {
	err := certmagic.CleanStorage(ctx, k.cfg.Storage, certmagic.CleanStorageOptions{
		Logger: zapToSlog(k.log), OCSPStaples: true, ExpiredCerts: true, ExpiredCertGracePeriod: 30 * 24 * time.Hour,
		Interval: 12 * time.Hour, // one of several proxies is enough
	})
	if err != nil && ctx.Err() == nil {
		k.log.Warn("expired certificates cannot be removed", "error", err)
	}
}
