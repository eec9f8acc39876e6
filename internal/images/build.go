package images

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// build makes a version from a recipe.
func (c *crew) build() jobs.Kind[edition] {
	return jobs.Kind[edition]{
		Name:    KindBuild,
		Version: 1,
		Steps: []jobs.Step[edition]{
			{Name: "plan", Do: c.planBuild},
			// No undo: the base image is kept for the next build.
			{Name: "base", Do: c.ensureBase},
			// Undo: the builder goes, with whatever the steps after this one did in it.
			{Name: "builder", Do: c.makeBuilder, Undo: c.dropBuilder},
			{Name: "start", Do: c.startBuilder},
			{Name: "packages", Do: c.installPackages},
			{Name: "files", Do: c.putFiles},
			{Name: "steps", Do: c.runSteps},
			{Name: "hooks", Do: c.putHooks},
			{Name: "clean", Do: c.cleanBuilder},
			{Name: "stop", Do: c.stopBuilder},
			// Undo: the image goes.
			{Name: "publish", Do: c.publish, Undo: c.unpublish},
			{Name: "verify", Do: c.verify, Undo: c.dropCheck},
			{Name: "unpack", Do: c.unpackNew, Undo: c.forgetUnpacked},
			{Name: "record", Do: c.record, Undo: c.unrecord},
			// From here new tenants get this version.
			{Name: "activate", Do: c.activate},
			{Name: "cleanup", Do: c.dropBuilder},
		},
		Commit: "activate",
	}
}

// bundle reads the recipe the job was made for.
func (c *crew) bundle(ctx context.Context, e *edition) (Bundle, error) {
	content, err := c.Store.Recipe(ctx, e.Image.RecipeHash)
	if err != nil {
		return Bundle{}, fmt.Errorf("read the recipe of %s: %w", e.ref(), err)
	}
	return OpenBundle(content)
}

func (c *crew) planBuild(ctx context.Context, run *jobs.Run, e *edition) error {
	b, err := c.bundle(ctx, e)
	if err != nil {
		return err
	}
	if err := c.free(ctx, run.JobID, e.ref()); err != nil {
		return err
	}
	e.Image.JobID = run.JobID
	e.Image.Description = b.Recipe.Description
	e.Image.Health = b.Recipe.HealthCheck()
	e.Image.Hooks = b.Recipe.HookList()
	return nil
}

func (c *crew) ensureBase(ctx context.Context, run *jobs.Run, e *edition) error {
	b, err := c.bundle(ctx, e)
	if err != nil {
		return err
	}
	e.Image.BaseFingerprint, err = c.base(ctx, run, b)
	return err
}

func (c *crew) makeBuilder(ctx context.Context, run *jobs.Run, e *edition) error {
	err := c.LXD.EnsureClone(ctx, fleet.CloneSpec{
		Name: builderName(run.JobID), Fingerprint: e.Image.BaseFingerprint, Profiles: []string{"default"},
		Config: map[string]string{
			fleet.KeyJob: run.JobID, fleet.KeyRole: fleet.RoleBuilder, fleet.KeyImage: e.ref().String(),
		},
	}, run.Progress)
	if err != nil {
		return fmt.Errorf("make the builder of %s: %w", e.ref(), err)
	}
	return nil
}

func (c *crew) dropBuilder(ctx context.Context, run *jobs.Run, e *edition) error {
	if err := c.LXD.EnsureDeleted(ctx, builderName(run.JobID)); err != nil {
		return fmt.Errorf("delete the builder of %s: %w", e.ref(), err)
	}
	return nil
}

func (c *crew) startBuilder(ctx context.Context, run *jobs.Run, e *edition) error {
	b, err := c.bundle(ctx, e)
	if err != nil {
		return err
	}
	if err := c.wake(ctx, run); err != nil {
		return err
	}
	address, err := await(ctx, func() (string, error) {
		addresses, err := c.LXD.Addresses(ctx, builderName(run.JobID))
		if err != nil || len(addresses) == 0 {
			return "", err
		}
		return addresses[0], nil
	})
	if err != nil {
		return fmt.Errorf("read the address of the builder: %w", err)
	}
	if address == "" && len(b.Recipe.Packages) > 0 {
		return fleet.Errorf(fleet.Failed, "the builder of %s got no address within %s, so it cannot install packages", e.ref(), addressTime).
			WithHint("see that eth0 of the profile default is on a network with DHCP, and that the base asks for an address")
	}
	return nil
}

// wake starts the builder where it does not run: LXD's host may have been restarted since the
// step before.
func (c *crew) wake(ctx context.Context, run *jobs.Run) error {
	if err := c.LXD.EnsureStarted(ctx, builderName(run.JobID)); err != nil {
		return fmt.Errorf("start the builder: %w", err)
	}
	return nil
}
