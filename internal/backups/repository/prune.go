package repository

import (
	"context"
	"errors"
	"os"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Pruned is what Prune found and did.
type Pruned struct {
	Before, After int64 // bytes in the repository
}

// Prune frees the room of what no backup uses any more: with kopia's maintenance, whose delays
// make it safe beside writers. Where it runs every day, what was deleted is marked by the first
// run that finds it older than a day, forgotten by the second after that, and removed by the third
// or fourth. Two at a time are kept apart by a lock: the error is then of code Busy.
func (r *Repository) Prune(ctx context.Context, progress func(fleet.Progress)) (Pruned, error) {
	var p Pruned
	err := r.exclusive(ctx, "prune", func(ctx context.Context) error {
		var err error
		if p.Before, err = r.bytes(ctx); err != nil {
			return err
		}
		if progress != nil {
			progress(fleet.Progress{Message: "pruning", Bytes: p.Before})
		}
		if err := r.maintain(ctx); err != nil {
			return err
		}
		p.After, err = r.bytes(ctx)
		return err
	})
	return p, err
}

// maintain runs kopia's maintenance.
func (r *Repository) maintain(ctx context.Context) error {
	rep, err := r.fresh(ctx)
	if err != nil {
		return fail(ctx, "prune", err)
	}
	// kopia's own lock keeps out who uses the same cache; ours, everybody.
	if err := os.Remove(r.config + ".mlock"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(ctx, "prune", err)
	}
	err = repo.DirectWriteSession(ctx, rep, repo.WriteSessionOptions{Purpose: "prune"}, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
		return snapshotmaintenance.Run(ctx, w, maintenance.ModeFull, true, maintenance.SafetyFull)
	})
	if err != nil {
		return fail(ctx, "prune", err)
	}
	_, err = r.fresh(ctx)
	return fail(ctx, "prune", err)
}
