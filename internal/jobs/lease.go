package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// heartbeat keeps the lease until told to stop. While the store does not answer it tries
// more often, and when the lease has ended by our own clock it lets go: another runner may
// begin at any moment.
func (r *run) heartbeat(stop <-chan struct{}) {
	wait := r.e.opt.Heartbeat
	for {
		timer := time.NewTimer(max(min(wait, r.left()), 0))
		select {
		case <-stop:
			timer.Stop()
			return
		case <-r.lease.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		err := r.renew()
		switch {
		case err == nil:
			wait = r.e.opt.Heartbeat
			continue
		case errors.Is(err, errGone):
			return
		case r.left() <= 0:
			r.lose(err)
			return
		}
		wait = min(time.Second, r.e.opt.Heartbeat/2)
	}
}

// left is how long the lease lasts by our own clock, less a tenth in which steps can wind up.
func (r *run) left() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.until.Sub(r.e.opt.Clock()) - r.e.opt.LeaseTTL/10
}

// renew renews the lease once and heeds a request to cancel. errGone: the job is another's.
func (r *run) renew() error {
	ctx, cancel := context.WithTimeout(r.lease, max(r.left(), 0))
	defer cancel()
	until := r.e.opt.Clock().Add(r.e.opt.LeaseTTL)
	cancelled, err := r.e.store.RenewLease(ctx, r.id, r.epoch, until)
	switch {
	case errors.Is(err, fleet.Fenced), errors.Is(err, fleet.NotFound):
		if !r.isOver() { // else the job's last write, perhaps still under way, ended the lease
			r.lose(err)
		}
		return errGone
	case err != nil:
		return err
	}
	r.mu.Lock()
	r.until = until
	r.mu.Unlock()
	if cancelled {
		_ = r.cancel() // too late to cancel is nothing to report from here
	}
	return nil
}

// lose ends everything the runner does, without a word to the store.
func (r *run) lose(why error) {
	r.mu.Lock()
	over := r.over
	r.over = true
	r.mu.Unlock()
	if !over {
		r.log.Warn("lost the lease of a job; whoever gets it goes on", "error", why)
	}
	r.endLease()
	r.endBase(errGone)
}

func (r *run) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// release gives the lease back, so that the job can be claimed from the given time on.
func (r *run) release(notBefore time.Time) {
	ctx, cancel := context.WithTimeout(r.lease, min(5*time.Second, r.e.opt.LeaseTTL))
	defer cancel()
	err := r.e.store.ReleaseJob(ctx, r.id, r.epoch, notBefore)
	if err != nil && !errors.Is(err, fleet.Fenced) {
		r.log.Warn("cannot give back the lease of a job; it lapses soon", "error", err)
	}
}
