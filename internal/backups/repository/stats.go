package repository

import (
	"context"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
)

// Stats says what a repository holds.
type Stats struct {
	Backups int
	Size    int64 // of all backups' files, each counted in full
	// Unique is what of that is different, before compression; Used is what it takes, with what
	// Prune has not removed yet.
	Unique, Used int64
	Objects      int // packs and indexes
}

// Stats looks at all of the repository's indexes and lists its objects.
func (r *Repository) Stats(ctx context.Context) (Stats, error) {
	all, err := r.List(ctx)
	if err != nil {
		return Stats{}, err
	}
	s := Stats{Backups: len(all)}
	for _, b := range all {
		s.Size += b.Size
	}
	rep, err := r.fresh(ctx)
	if err != nil {
		return Stats{}, fail(ctx, "look at the repository", err)
	}
	err = rep.ContentReader().IterateContents(ctx, content.IterateOptions{}, func(i content.Info) error {
		s.Unique += int64(i.OriginalLength)
		return nil
	})
	if err == nil {
		err = r.store.ListBlobs(ctx, "", func(m blob.Metadata) error {
			s.Used += m.Length
			s.Objects++
			return nil
		})
	}
	return s, fail(ctx, "look at the repository", err)
}

// bytes gives what the repository's objects take.
func (r *Repository) bytes(ctx context.Context) (n int64, err error) {
	err = r.store.ListBlobs(ctx, "", func(m blob.Metadata) error {
		n += m.Length
		return nil
	})
	return n, fail(ctx, "list the repository's objects", err)
}
