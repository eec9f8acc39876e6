package backups

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// propJob is the property of an image that says which job brought it.
const propJob = fleet.KeyJob

// fetch makes a stopped instance of a backup. The way is through an image, which goes again: LXD
// unpacks it on the member with all that tar can say of a file. Nothing is written on the daemon's
// own disk. from is the repository's location; empty: the daemon's own.
func (c *crew) fetch(ctx context.Context, run *jobs.Run, from string, b fleet.Backup, spec fleet.CloneSpec) error {
	if spec.Config == nil {
		spec.Config = map[string]string{}
	}
	spec.Config[fleet.KeyJob] = run.JobID
	fingerprint, err := c.imageOf(ctx, run.JobID)
	if err != nil {
		return err
	}
	if fingerprint == "" {
		if _, there, err := c.instance(ctx, spec.Name); err != nil {
			return err
		} else if there {
			// The image goes only when the instance is whole.
			return c.mine(ctx, run, spec.Name)
		}
		if err := c.room(ctx, spec.Member, b.Size); err != nil {
			return err
		}
		if fingerprint, err = c.download(ctx, run, from, b); err != nil {
			return err
		}
	}
	run.Progress(fleet.Progress{Message: "unpacking on " + spec.Member, Percent: 95})
	spec.Fingerprint = fingerprint
	if err := c.LXD.EnsureClone(ctx, spec, nil); err != nil {
		return fmt.Errorf("unpack backup %s on %s: %w", short(b.ID), spec.Member, err)
	}
	return c.dropImages(ctx, run)
}

// mine fails with fleet.Taken where the instance is not of this job.
func (c *crew) mine(ctx context.Context, run *jobs.Run, name string) error {
	inst, err := c.LXD.Instance(ctx, name)
	if err != nil {
		return fmt.Errorf("read instance %s: %w", name, err)
	}
	if inst.Config[fleet.KeyJob] != run.JobID {
		return fleet.Errorf(fleet.Taken, "LXD has an instance named %s already", name).
			WithField("name").WithHint("choose another name, or delete it: lxc delete %s", name)
	}
	return nil
}

// download streams a backup out of the repository into LXD, as an image.
func (c *crew) download(ctx context.Context, run *jobs.Run, from string, b fleet.Backup) (string, error) {
	repo, err := c.Vault.At(ctx, from)
	if err != nil {
		return "", err
	}
	progress := func(p fleet.Progress) {
		if p.Percent == 0 && b.Size > 0 {
			p.Percent = int(min(94, 95*p.Bytes/int64(b.Size)))
		}
		run.Progress(p)
	}
	fingerprint, err := pump(ctx, func(ctx context.Context, w io.Writer) error {
		_, err := pump(ctx, func(ctx context.Context, rootfs io.Writer) error {
			return repo.Read(ctx, b.ID, rootfs, progress)
		}, func(ctx context.Context, rootfs io.Reader) (struct{}, error) {
			return struct{}{}, unified(ctx, rootfs, run.JobID, w)
		})
		return err
	}, func(ctx context.Context, r io.Reader) (string, error) {
		return c.LXD.EnsureImported(ctx, r, map[string]string{propJob: run.JobID}, nil)
	})
	if damage, ok := errors.AsType[*Damage](err); ok {
		c.condemn(ctx, b.ID, damage.What)
		return "", fleet.Errorf(fleet.Failed, "backup %s of %s is damaged: %s", short(b.ID), b.Tenant, damage.What).
			WithHint("nothing was restored; choose another: lxdfleet backup list %s", b.Tenant)
	}
	if err != nil {
		return "", fmt.Errorf("read backup %s of %s: %w", short(b.ID), b.Tenant, err)
	}
	return fingerprint, nil
}

// condemn records that a backup is damaged, and tells.
func (c *crew) condemn(ctx context.Context, id, what string) {
	b, err := c.Store.EditBackup(ctx, id, func(b *fleet.Backup) { b.Damage = what })
	if fleet.CodeOf(err) == fleet.NotFound {
		return // it is of a repository that is not the daemon's own: the job tells
	}
	if err != nil {
		c.Log.Warn("damage of a backup cannot be recorded", "backup", id, "damage", what, "error", err)
		return
	}
	c.Log.Error("a backup is damaged", "backup", id, "tenant", b.Tenant, "damage", what)
	c.tell("backup.damaged", ofEntry(id), b)
}

// spare is the part of a pool that a restore leaves free.
const spare = 20

// room fails with fleet.Exhausted where the member's pool has no room for a backup of a size.
// LXD unpacks the image once and clones that; the image itself lies beside.
func (c *crew) room(ctx context.Context, member string, size fleet.Size) error {
	members, err := c.LXD.Members(ctx)
	if err != nil {
		return fmt.Errorf("read the members: %w", err)
	}
	for _, m := range members {
		if m.Name != member || m.PoolTotal == 0 {
			continue
		}
		if free := m.PoolTotal - m.PoolUsed - m.PoolTotal/spare; free < size {
			return fleet.Errorf(fleet.Exhausted, "the pool on member %s has room for %s, and the backup has %s", member, human(max(free, 0)), human(size)).
				WithHint("make room there, or restore into a new tenant on another member")
		}
	}
	return nil
}

// imageOf gives the fingerprint of the image the job brought; empty where there is none.
func (c *crew) imageOf(ctx context.Context, jobID string) (string, error) {
	all, err := c.LXD.Images(ctx)
	if err != nil {
		return "", fmt.Errorf("list LXD's images: %w", err)
	}
	for _, img := range all {
		if img.Properties[propJob] == jobID {
			return img.Fingerprint, nil
		}
	}
	return "", nil
}

// dropImages deletes the images the job brought.
func (c *crew) dropImages(ctx context.Context, run *jobs.Run) error {
	for range 10 {
		fingerprint, err := c.imageOf(ctx, run.JobID)
		if err != nil || fingerprint == "" {
			return err
		}
		if err := c.LXD.EnsureImageDeleted(ctx, fingerprint); err != nil {
			return fmt.Errorf("delete the image of the backup: %w", err)
		}
	}
	return fleet.Errorf(fleet.Unavailable, "the image of the backup is still there after it was deleted")
}

// unfetch is the undo of fetch.
func (c *crew) unfetch(ctx context.Context, run *jobs.Run, name string) error {
	return errors.Join(c.deleteOwn(ctx, run, name), c.dropImages(ctx, run))
}
