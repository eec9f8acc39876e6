package snapshots

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/listing"
)

// Lister lists every file of a snapshot, or of an instance as it is where snapshot is empty, by
// path. name is of an instance that it may make for that, and has deleted when it returns.
type Lister func(ctx context.Context, instance, snapshot, name string) ([]fleet.FileInfo, error)

// Diff tells which files differ between two snapshots or, where to is empty, between one and
// now, by path. Of a folder its time and size do not count.
func (s *Service) Diff(ctx context.Context, name fleet.Name, from, to string) ([]fleet.FileChange, error) {
	older, err := s.moment(ctx, name, from)
	if err != nil {
		return nil, err
	}
	newer, err := s.moment(ctx, name, to)
	if err != nil {
		return nil, err
	}
	var before, after []fleet.FileInfo
	both, limited := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		before, err = s.list(limited, older)
		return err
	})
	both.Go(func() (err error) {
		after, err = s.list(limited, newer)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	return listing.Changes(before, after), nil
}

// Listing lists every file of a snapshot, or of the tenant as it is where snapshot is empty, by
// path, and tells of which moment that is. fleet.NotFound, with field "snapshot" where there is no
// such snapshot.
func (s *Service) Listing(ctx context.Context, name fleet.Name, snapshot string) ([]fleet.FileInfo, time.Time, error) {
	m, err := s.moment(ctx, name, snapshot)
	if err != nil {
		return nil, time.Time{}, err
	}
	files, err := s.list(ctx, m)
	return files, m.at, err
}

// moment is a snapshot of an instance, or the instance as it is where snapshot is empty.
type moment struct {
	instance, snapshot string
	at                 time.Time
}

func (s *Service) moment(ctx context.Context, name fleet.Name, snapshot string) (moment, error) {
	if snapshot == "" {
		t, err := s.tenant(ctx, name)
		return moment{instance: t.Name.String(), at: s.Now()}, err
	}
	t, n, err := s.find(ctx, name, snapshot)
	return moment{instance: holder(t, n), snapshot: snapshot, at: n.CreatedAt}, err
}

func (s *Service) list(ctx context.Context, m moment) ([]fleet.FileInfo, error) {
	files, err := s.Lister(ctx, m.instance, m.snapshot, readerRule+fleet.NewID(s.Now()))
	if err != nil {
		return nil, fmt.Errorf("list the files of %s: %w", m.instance, err)
	}
	return files, nil
}
