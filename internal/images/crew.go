package images

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// The kinds of jobs on a golden image. The subject of each is "image/NAME".
const (
	KindBuild  = "image.build"
	KindImport = "image.import"
	KindDelete = "image.delete"
)

// crew gives the steps their hands.
type crew struct {
	Deps
	making sync.Mutex // one debootstrap base at a time: the second build finds the first's
}

// Register makes every kind of job on images known to the engine.
func Register(reg *jobs.Registry, deps Deps) error {
	c := &crew{Deps: deps.withDefaults()}
	return cmp.Or(
		jobs.Register(reg, c.build()),
		jobs.Register(reg, c.imports()),
		jobs.Register(reg, c.remove()),
	)
}

// edition is the state of image.build and image.import: a version on its way. The service
// decides name and version; the steps fill in the rest.
type edition struct {
	// Image is the record as it will be stored.
	Image fleet.GoldenImage `json:"image"`
	// Path is the tarball to import, on the daemon's host.
	Path string `json:"path,omitempty"`
}

func (e *edition) ref() fleet.ImageRef { return e.Image.Ref() }

// The instances of a job bear its id, so that no two jobs share one and an undo needs no state.
func builderName(jobID string) string { return fleet.ReservedPrefix + "build-" + jobID }
func checkName(jobID string) string   { return fleet.ReservedPrefix + "check-" + jobID }

// say tells watchers, and keeps it with the job.
func say(run *jobs.Run, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	run.Progress(fleet.Progress{Message: line})
	fmt.Fprintln(run.Output(), line)
}

// free fails with fleet.Taken where the version exists, in the store or in LXD, and is not this
// job's own.
func (c *crew) free(ctx context.Context, jobID string, ref fleet.ImageRef) error {
	have, err := c.Store.GoldenImage(ctx, ref)
	switch {
	case err == nil && have.JobID != jobID:
		return taken(ref, have.RecipeHash, "")
	case err != nil && fleet.CodeOf(err) != fleet.NotFound:
		return fmt.Errorf("look for image %s: %w", ref, err)
	}
	img, err := c.LXD.Image(ctx, ref.String())
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return nil
	case err != nil:
		return fmt.Errorf("look for image %s: %w", ref, err)
	case img.Properties[PropJob] == jobID:
		return nil
	}
	return fleet.Errorf(fleet.Taken, "LXD has an alias %s that lxdfleet has no record of", ref).WithField("version").
		WithHint("run lxdfleet recover to take the image in, or delete the alias: lxc image alias delete %s", ref)
}

// taken says that a version exists; wanted is the hash of the bundle that was to become it.
func taken(ref fleet.ImageRef, have, wanted string) error {
	if wanted != "" && have == wanted {
		return fleet.Errorf(fleet.Taken, "image %s was built from exactly this recipe already", ref).WithField("version").
			WithHint("use it as it is; to build it anew, with today's packages, raise the version in the recipe")
	}
	return fleet.Errorf(fleet.Taken, "image %s exists already, and a version never changes", ref).WithField("version").
		WithHint("raise the version, or delete this one first: lxdfleet image delete %s", ref)
}

// deleteOwn deletes the LXD images this job made, with their aliases and unpacked copies.
func (c *crew) deleteOwn(ctx context.Context, jobID string) error {
	all, err := c.LXD.Images(ctx)
	if err != nil {
		return fmt.Errorf("list LXD's images: %w", err)
	}
	for _, img := range all {
		if img.Properties[PropJob] != jobID {
			continue
		}
		if err := c.LXD.EnsureImageDeleted(ctx, img.Fingerprint); err != nil {
			return fmt.Errorf("delete the image of this job: %w", err)
		}
	}
	return nil
}
