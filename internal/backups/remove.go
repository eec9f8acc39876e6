package backups

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// deleteState is the state of backup.delete.
type deleteState struct {
	IDs []string `json:"ids"`
}

// remove deletes backups. What only they needed goes with the next prune.
func (c *crew) remove() jobs.Kind[deleteState] {
	return jobs.Kind[deleteState]{
		Name:    KindDelete,
		Version: 1,
		Steps: []jobs.Step[deleteState]{
			// The first sign that a repository cannot be written to comes before the commit point.
			{Name: "look", Do: c.canDelete},
			{Name: "delete", Do: c.deleteEntries},
		},
		Commit: "delete",
	}
}

func (c *crew) canDelete(ctx context.Context, _ *jobs.Run, s *deleteState) error {
	if _, err := c.Vault.Open(ctx); err != nil {
		return err
	}
	for _, id := range s.IDs {
		if _, err := c.Store.Backup(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) deleteEntries(ctx context.Context, _ *jobs.Run, s *deleteState) error {
	return c.forget(ctx, s.IDs)
}

// forget deletes backups from the repository, and then their records: a backup without a record
// would never be found again.
func (c *crew) forget(ctx context.Context, ids []string) error {
	repo, err := c.Vault.Open(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := repo.Delete(ctx, id); err != nil {
			return fmt.Errorf("delete backup %s from the repository: %w", short(id), err)
		}
		if err := c.Store.DeleteBackup(ctx, id); err != nil {
			return fmt.Errorf("forget backup %s: %w", short(id), err)
		}
		c.tell("backup.deleted", ofEntry(id), fleet.Backup{ID: id})
	}
	return nil
}
