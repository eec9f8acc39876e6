package images

import (
	"context"
	"fmt"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// removal is the state of image.delete. Image is the record as it was when the job was asked
// for, so that the undo can write it back.
type removal struct {
	Image fleet.GoldenImage `json:"image"`
}

// remove deletes a version nobody uses. It is withdrawn first, so that no new tenant can
// take it, and only then found to be unused.
func (c *crew) remove() jobs.Kind[removal] {
	return jobs.Kind[removal]{
		Name:    KindDelete,
		Version: 1,
		Steps: []jobs.Step[removal]{
			// Undo: the record is written back.
			{Name: "withdraw", Do: c.withdraw, Undo: c.putBack},
			{Name: "check", Do: c.checkUnused},
			// An image that is gone cannot be brought back.
			{Name: "delete", Do: c.deleteImage},
		},
		Commit: "delete",
	}
}

func (c *crew) withdraw(ctx context.Context, _ *jobs.Run, r *removal) error {
	if err := c.Store.DeleteImage(ctx, r.Image.Ref()); err != nil {
		return fmt.Errorf("withdraw image %s: %w", r.Image.Ref(), err)
	}
	return nil
}

func (c *crew) putBack(ctx context.Context, _ *jobs.Run, r *removal) error {
	if err := c.Store.InsertImage(ctx, r.Image); err != nil {
		return fmt.Errorf("put image %s back: %w", r.Image.Ref(), err)
	}
	if !r.Image.Current {
		return nil
	}
	if err := c.Store.SetCurrentImage(ctx, r.Image.Ref()); err != nil {
		return fmt.Errorf("make image %s current again: %w", r.Image.Ref(), err)
	}
	return nil
}

func (c *crew) checkUnused(ctx context.Context, _ *jobs.Run, r *removal) error {
	if err := unused(ctx, c.Store, r.Image); err != nil {
		return err
	}
	members, err := c.LXD.Members(ctx)
	if err != nil {
		return fmt.Errorf("list the members: %w", err)
	}
	for _, m := range members {
		if !m.Online {
			return fleet.Errorf(fleet.Unavailable, "member %s is offline, and LXD has to delete its copy of %s", m.Name, r.Image.Ref()).
				WithHint("bring the member back, or remove it from the cluster, and try again")
		}
	}
	return nil
}

// deleteImage removes the aliases, and the image unless another version is the same one.
func (c *crew) deleteImage(ctx context.Context, _ *jobs.Run, r *removal) error {
	ref := r.Image.Ref()
	aliases := []string{ref.String()}
	if r.Image.Current {
		aliases = append(aliases, ref.Name)
	}
	for _, alias := range aliases {
		img, err := c.LXD.Image(ctx, alias)
		if err == nil && img.Fingerprint == r.Image.Fingerprint {
			err = c.LXD.EnsureAliasDeleted(ctx, alias)
		}
		if err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return fmt.Errorf("delete the alias %s: %w", alias, err)
		}
	}
	all, err := c.Store.GoldenImages(ctx)
	if err != nil {
		return fmt.Errorf("list the images: %w", err)
	}
	for _, g := range all {
		if g.Fingerprint == r.Image.Fingerprint {
			return nil
		}
	}
	if err := c.LXD.EnsureImageDeleted(ctx, r.Image.Fingerprint); err != nil {
		return fmt.Errorf("delete image %s: %w", ref, err)
	}
	c.Changed(ref.Name)
	return nil
}

// usersNamed is how many tenants an error names.
const usersNamed = 5

// unused fails with fleet.Conflict while the version may not be deleted: a tenant uses it, or
// it is the current one and there are others.
func unused(ctx context.Context, store Store, g fleet.GoldenImage) error {
	users, err := store.Tenants(ctx, fleet.TenantFilter{Image: g.Name, Version: g.Version, Limit: usersNamed + 1})
	if err != nil {
		return fmt.Errorf("look for tenants of image %s: %w", g.Ref(), err)
	}
	if len(users) > 0 {
		var names []string
		for _, t := range users[:min(len(users), usersNamed)] {
			names = append(names, t.Name.String())
		}
		more := ""
		if len(users) > usersNamed {
			more = " and others"
		}
		return fleet.Errorf(fleet.Conflict, "image %s is used by %s%s", g.Ref(), strings.Join(names, ", "), more).
			WithField("image").WithHint("delete those tenants first; one in the trash counts until it is purged")
	}
	if !g.Current {
		return nil
	}
	all, err := store.GoldenImages(ctx)
	if err != nil {
		return fmt.Errorf("list the images: %w", err)
	}
	for _, other := range all {
		if other.Name == g.Name && other.Version != g.Version {
			return fleet.Errorf(fleet.Conflict, "image %s is the current version of %s, which has others", g.Ref(), g.Name).
				WithField("image").WithHint("build or import a newer version, or delete the other versions first")
		}
	}
	return nil
}
