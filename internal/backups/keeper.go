package backups

import (
	"cmp"
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Keeper asks for a prune every few hours, as the repository wants, and for a verification of all
// backups now and then.
type Keeper struct {
	Service *Service
	// PruneEvery is the time between two prunes. Default 6 hours.
	PruneEvery time.Duration
	// VerifyEvery is the time between two verifications that read all contents. Default 7 days;
	// negative: none by itself.
	VerifyEvery time.Duration
	// Look is the time between two looks. Default 5 minutes.
	Look time.Duration
}

// Run keeps until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for pause(ctx, cmp.Or(k.Look, 5*time.Minute)) == nil {
		if err := k.Once(ctx); err != nil && ctx.Err() == nil {
			k.Service.Log.Warn("the backups cannot be looked after", "error", err)
		}
	}
}

// Once asks for what is due. Without a repository that answers, or a backup, nothing is.
func (k *Keeper) Once(ctx context.Context) error {
	s := k.Service
	some, err := s.Store.Backups(ctx, fleet.BackupFilter{Limit: 1})
	if err != nil || len(some) == 0 {
		return err
	}
	if _, err := s.Vault.Open(ctx); err != nil {
		return nil //nolint:nilerr // the status tells, and every backup that fails
	}
	err = k.due(ctx, KindPrune, cmp.Or(k.PruneEvery, 6*time.Hour), func() error {
		_, err := s.Prune(ctx, Once{})
		return err
	})
	if err != nil || k.VerifyEvery < 0 {
		return err
	}
	return k.due(ctx, KindVerify, cmp.Or(k.VerifyEvery, 7*24*time.Hour), func() error {
		_, err := s.Verify(ctx, VerifyRequest{Deep: true}, Once{})
		return err
	})
}

// due begins a job of the kind where the last one for all backups was a while ago. What was never
// done is due when the oldest backup is that old.
func (k *Keeper) due(ctx context.Context, kind string, every time.Duration, begin func() error) error {
	s := k.Service
	subject := ofPrune
	if kind == KindVerify {
		subject = ofVerify
	}
	last, err := s.jobs.List(ctx, jobs.JobFilter{Kind: kind, Subject: subject, Limit: 1})
	if err != nil {
		return err
	}
	var since time.Time
	if len(last) > 0 {
		if since = last[0].CreatedAt; !last[0].State.Finished() {
			return nil
		}
	} else {
		all, err := s.Store.Backups(ctx, fleet.BackupFilter{})
		if err != nil || len(all) == 0 {
			return err
		}
		since = all[len(all)-1].DoneAt
	}
	if age := s.Now().Sub(since); age < every && age > -every {
		return nil
	}
	if err := begin(); err != nil && fleet.CodeOf(err) != fleet.Busy {
		return err
	}
	return nil
}
