package images

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func (c *crew) publish(ctx context.Context, run *jobs.Run, e *edition) error {
	p, err := properties(e.Image)
	if err != nil {
		return err
	}
	fingerprint, err := c.LXD.EnsurePublished(ctx, builderName(run.JobID), p, run.Progress)
	if err != nil {
		return fmt.Errorf("publish %s: %w", e.ref(), err)
	}
	return c.readImage(ctx, e, fingerprint)
}

// readImage takes over what LXD says of the image.
func (c *crew) readImage(ctx context.Context, e *edition, fingerprint string) error {
	img, err := c.LXD.Image(ctx, fingerprint)
	if err != nil {
		return fmt.Errorf("read the image of %s: %w", e.ref(), err)
	}
	e.Image.Fingerprint, e.Image.Size, e.Image.CreatedAt = img.Fingerprint, img.Size, img.CreatedAt
	return nil
}

func (c *crew) unpublish(ctx context.Context, run *jobs.Run, _ *edition) error {
	return c.deleteOwn(ctx, run.JobID)
}

// record makes the version known: under its alias in LXD, and in the store. It comes after
// verify, so that nobody can use a version that was not found good.
func (c *crew) record(ctx context.Context, run *jobs.Run, e *edition) error {
	if err := c.free(ctx, run.JobID, e.ref()); err != nil {
		return err
	}
	if err := c.LXD.EnsureAlias(ctx, e.ref().String(), e.Image.Fingerprint); err != nil {
		return fmt.Errorf("name the image %s: %w", e.ref(), err)
	}
	if err := c.Store.InsertImage(ctx, e.Image); err != nil {
		return fmt.Errorf("record image %s: %w", e.ref(), err)
	}
	return nil
}

// unrecord takes back alias and record, where they are this job's.
func (c *crew) unrecord(ctx context.Context, run *jobs.Run, e *edition) error {
	have, err := c.Store.GoldenImage(ctx, e.ref())
	if err == nil && have.JobID == run.JobID {
		err = c.Store.DeleteImage(ctx, e.ref())
	}
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("take back the record of image %s: %w", e.ref(), err)
	}
	img, err := c.LXD.Image(ctx, e.ref().String())
	if err == nil && img.Fingerprint == e.Image.Fingerprint {
		err = c.LXD.EnsureAliasDeleted(ctx, e.ref().String())
	}
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("take back the alias %s: %w", e.ref(), err)
	}
	return nil
}

// activate makes the version the one that NAME means.
func (c *crew) activate(ctx context.Context, _ *jobs.Run, e *edition) error {
	if err := c.LXD.EnsureAlias(ctx, e.Image.Name, e.Image.Fingerprint); err != nil {
		return fmt.Errorf("move the alias %s: %w", e.Image.Name, err)
	}
	if err := c.Store.SetCurrentImage(ctx, e.ref()); err != nil {
		return fmt.Errorf("make image %s current: %w", e.ref(), err)
	}
	c.Changed(e.Image.Name)
	return nil
}
