package backups

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/listing"
)

// Lister lists the files of tenants and their snapshots; snapshots.Service is one.
type Lister interface {
	// Listing lists every file of a snapshot, or of the tenant as it is where snapshot is empty, by
	// path, and tells of which moment that is. fleet.NotFound.
	Listing(ctx context.Context, tenant fleet.Name, snapshot string) ([]fleet.FileInfo, time.Time, error)
}

// DiffTo is what a backup is compared with: the tenant as it is where both are empty.
type DiffTo struct {
	Backup   string // another one of the same tenant, by its id or a beginning of it
	Snapshot string
}

// Diff tells which files differ between a backup and what is named, by path. Of a folder its time
// and size do not count. No contents are read, but for those of a few files that changed within a
// second. Errors: fleet.NotFound, with field "to" or "snapshot" where it is what the backup is
// compared with; fleet.Failed where the backup is damaged.
func (s *Service) Diff(ctx context.Context, id string, to DiffTo) ([]fleet.FileChange, error) {
	if to.Backup != "" && to.Snapshot != "" {
		return nil, fleet.Errorf(fleet.Invalid, "a backup and a snapshot are named to compare with").WithField("to").
			WithHint("name one of them")
	}
	b, repo, err := s.reading(ctx, id)
	if err != nil {
		return nil, err
	}
	if to.Backup != "" {
		other, err := s.sibling(ctx, b, to.Backup)
		if err != nil {
			return nil, err
		}
		return diffBackups(ctx, repo, b, other)
	}
	t, err := s.Store.TenantByID(ctx, b.TenantID)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil, fleet.Errorf(fleet.NotFound, "tenant %s of backup %s is no more", b.Tenant, short(b.ID)).
			WithHint("compare with another of its backups")
	}
	if err != nil {
		return nil, fmt.Errorf("read tenant %s: %w", b.Tenant, err)
	}
	return s.diffTenant(ctx, repo, b, t.Name, to.Snapshot)
}

// sibling finds another backup of the same tenant. It looks at no others, so that it tells nothing
// of them.
func (s *Service) sibling(ctx context.Context, b fleet.Backup, id string) (fleet.Backup, error) {
	list, err := s.Store.Backups(ctx, fleet.BackupFilter{TenantID: b.TenantID})
	if err != nil {
		return fleet.Backup{}, err
	}
	found, err := byID(list, id, "to")
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Backup{}, fleet.Errorf(fleet.NotFound, "tenant %s has no backup %s", b.Tenant, id).WithField("to").
			WithHint("lxdfleet backup list %s shows them", b.Tenant)
	}
	return found, err
}

func diffBackups(ctx context.Context, repo Repository, older, newer fleet.Backup) ([]fleet.FileChange, error) {
	var before, after []fleet.FileInfo
	both, limited := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		before, err = list(limited, repo, older)
		return err
	})
	both.Go(func() (err error) {
		after, err = list(limited, repo, newer)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	return listing.Changes(before, after), nil
}

func (s *Service) diffTenant(ctx context.Context, repo Repository, b fleet.Backup, tenant fleet.Name, snapshot string) ([]fleet.FileChange, error) {
	var before, after []fleet.FileInfo
	var at time.Time
	both, limited := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		before, err = list(limited, repo, b)
		return err
	})
	both.Go(func() (err error) {
		after, at, err = s.Lister.Listing(limited, tenant, snapshot)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	if b.TakenAt.Before(at) {
		at = b.TakenAt
	}
	if err := sumAgain(ctx, repo, b, before, after, at); err != nil {
		return nil, err
	}
	return listing.Changes(before, after), nil
}

// list lists the files of a backup.
func list(ctx context.Context, repo Repository, b fleet.Backup) ([]fleet.FileInfo, error) {
	files, err := repo.Listing(ctx, b.ID)
	if err != nil {
		return nil, unreadable(b, err)
	}
	return files, nil
}

func unreadable(b fleet.Backup, err error) error {
	if damage, ok := errors.AsType[*Damage](err); ok {
		return fleet.Errorf(fleet.Failed, "backup %s of %s is damaged: %s", short(b.ID), b.Tenant, damage.What).
			WithHint("choose another: lxdfleet backup list %s", b.Tenant)
	}
	return fmt.Errorf("list the files of backup %s of %s: %w", short(b.ID), b.Tenant, err)
}

// clockSlack is how much later than a moment what was written before it may seem to be.
const clockSlack = 2 * time.Second

// sumAgain makes the sums of a backup's files, which are of the repository, ones that compare with
// those of a tenant. These exist where times are to the second: a file may have changed since the
// earlier moment and have the same time only if that is of this second. So only such files are read.
func sumAgain(ctx context.Context, repo Repository, b fleet.Backup, before, after []fleet.FileInfo, earlier time.Time) error {
	since := earlier.Truncate(time.Second).Add(-clockSlack)
	late := map[string]fleet.FileInfo{}
	for _, f := range after {
		if f.Sum != 0 && !f.ModTime.Before(since) {
			late[f.Path] = f
		}
	}
	for i, f := range before {
		before[i].Sum = 0
		now, is := late[f.Path]
		if !is || f.Sum == 0 || f.Size != now.Size || !f.ModTime.Equal(now.ModTime) {
			continue
		}
		content, _, err := repo.File(ctx, b.ID, f.Path)
		if fleet.CodeOf(err) == fleet.NotFound {
			continue // of a name that the repository's tree has no place for
		}
		if err != nil {
			return unreadable(b, err)
		}
		before[i].Sum, err = listing.Sum(content)
		_ = content.Close()
		if err != nil {
			return unreadable(b, err)
		}
	}
	return nil
}
