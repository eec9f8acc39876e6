package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// imports makes a version from an image that exists already, as a tarball on the daemon's host.
// The tarball belongs to the job and goes when the job is over.
func (c *crew) imports() jobs.Kind[edition] {
	return jobs.Kind[edition]{
		Name:    KindImport,
		Version: 1,
		Steps: []jobs.Step[edition]{
			// Undo: the tarball goes. It is the last undo, so those before it can still read it.
			{Name: "plan", Do: c.planImport, Undo: c.dropTarball},
			// Undo: the image goes, if this job brought it.
			{Name: "import", Do: c.importTarball, Undo: c.unpublish},
			{Name: "verify", Do: c.verify, Undo: c.dropCheck},
			{Name: "unpack", Do: c.unpackNew, Undo: c.forgetImported},
			{Name: "record", Do: c.record, Undo: c.unrecord},
			// From here new tenants get this version.
			{Name: "activate", Do: c.activate},
			{Name: "cleanup", Do: c.dropTarball},
		},
		Commit: "activate",
	}
}

func (c *crew) planImport(ctx context.Context, run *jobs.Run, e *edition) error {
	if _, err := os.Stat(e.Path); err != nil {
		return noTarball(e.Path, err)
	}
	e.Image.JobID = run.JobID
	return c.free(ctx, run.JobID, e.ref())
}

func noTarball(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fleet.Errorf(fleet.NotFound, "the tarball %s does not exist on the daemon's host", path).WithField("path").
			WithHint("send the image again")
	}
	return fleet.Errorf(fleet.Failed, "read the tarball: %w", err).WithField("path")
}

func (c *crew) importTarball(ctx context.Context, run *jobs.Run, e *edition) error {
	f, err := os.Open(e.Path)
	if err != nil {
		return noTarball(e.Path, err)
	}
	defer f.Close()
	own := map[string]string{PropName: e.Image.Name, PropVersion: e.Image.Version, PropJob: run.JobID}
	if e.Image.Description != "" {
		own[propDescription] = e.Image.Description
	}
	fingerprint, err := c.LXD.EnsureImported(ctx, f, own, run.Progress)
	if err != nil {
		return fmt.Errorf("import %s: %w", e.ref(), err)
	}
	img, err := c.LXD.Image(ctx, fingerprint)
	if err != nil {
		return fmt.Errorf("read the image of %s: %w", e.ref(), err)
	}
	if err := c.unclaimed(ctx, run.JobID, e.ref(), fingerprint); err != nil {
		return err
	}
	said := described(img)
	said.Name, said.Version, said.JobID = e.Image.Name, e.Image.Version, run.JobID
	if e.Image.Description != "" {
		said.Description = e.Image.Description
	}
	e.Image = said
	return nil
}

// unclaimed fails with fleet.Taken where another version is this very image: LXD knows an
// image by its content, and a version is deleted with its image.
func (c *crew) unclaimed(ctx context.Context, jobID string, ref fleet.ImageRef, fingerprint string) error {
	all, err := c.Store.GoldenImages(ctx)
	if err != nil {
		return fmt.Errorf("list the images: %w", err)
	}
	for _, g := range all {
		if g.Fingerprint == fingerprint && g.JobID != jobID {
			return fleet.Errorf(fleet.Taken, "this tarball is image %s already", g.Ref()).WithField("image").
				WithHint("use %s, or delete it before you import it as %s", g.Ref(), ref)
		}
	}
	return nil
}

// forgetImported is the undo of unpackNew for an image that may have been there before: then
// it stays unpacked.
func (c *crew) forgetImported(ctx context.Context, run *jobs.Run, e *edition) error {
	img, err := c.LXD.Image(ctx, e.Image.Fingerprint)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("read the image of %s: %w", e.ref(), err)
	}
	if err == nil && img.Properties[PropJob] != run.JobID {
		return nil
	}
	return c.forgetUnpacked(ctx, run, e)
}

func (c *crew) dropTarball(_ context.Context, _ *jobs.Run, e *edition) error {
	if err := os.Remove(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete the tarball: %w", err)
	}
	return nil
}
