package images

import (
	"context"
	"fmt"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Recover writes a record for every golden image LXD has, and makes current what the alias
// NAME points at, so that a lost store can be rebuilt. Records that are there already stay.
// It gives the images it found. Where an image is unpacked is learned anew by the Distributor;
// recipes are not kept in LXD, so only their hashes come back.
func Recover(ctx context.Context, lxd LXD, store Store) ([]fleet.GoldenImage, error) {
	all, err := lxd.Images(ctx)
	if err != nil {
		return nil, fmt.Errorf("list LXD's images: %w", err)
	}
	// Oldest first, so that the newest is the last one current where several claim it.
	slices.SortFunc(all, func(a, b fleet.Image) int { return a.CreatedAt.Compare(b.CreatedAt) })
	var found []fleet.GoldenImage
	for _, img := range all {
		g, ok := goldenImage(img)
		if !ok {
			continue
		}
		if err := store.InsertImage(ctx, g); err != nil {
			return nil, fmt.Errorf("record image %s: %w", g.Ref(), err)
		}
		if slices.Contains(img.Aliases, g.Name) {
			if err := store.SetCurrentImage(ctx, g.Ref()); err != nil {
				return nil, fmt.Errorf("make image %s current: %w", g.Ref(), err)
			}
			g.Current = true
		}
		found = append(found, g)
	}
	return found, nil
}
