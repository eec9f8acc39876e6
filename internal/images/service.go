package images

import (
	"context"
	"fmt"
	"os"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Service checks requests about golden images and makes jobs of them. What it refuses, it
// refuses before anything is changed, with an error that names the field and says what to do.
//
// In every method key identifies a request that may be sent twice (empty: it does not) and
// keyHash is a hash of the whole request: the second gets the first one's job.
type Service struct {
	Deps
	jobs Jobs
}

// NewService makes a Service.
func NewService(deps Deps, jobs Jobs) *Service {
	return &Service{Deps: deps.withDefaults(), jobs: jobs}
}

// Build submits the job that builds an image from a bundle. The error is fleet.Invalid, with
// the recipe's line, where the bundle is no good; fleet.Taken where the version exists;
// fleet.NotFound where its base does not; fleet.Forbidden where Sources does not allow it; fleet.Busy while another job works on the image.
func (s *Service) Build(ctx context.Context, bundle []byte, key, keyHash string) (fleet.Job, error) {
	if job, err := s.jobs.ByKey(ctx, key, keyHash); fleet.CodeOf(err) != fleet.NotFound {
		return job, err
	}
	b, err := OpenBundle(bundle)
	if err != nil {
		return fleet.Job{}, err
	}
	ref := fleet.ImageRef{Name: b.Recipe.Name, Version: b.Recipe.Version}
	if ref.Version == "" {
		if ref.Version, err = s.today(ctx, ref.Name); err != nil {
			return fleet.Job{}, err
		}
	}
	if err := s.untaken(ctx, ref, b.Hash); err != nil {
		return fleet.Job{}, err
	}
	if err := s.hasBase(ctx, b.Recipe.Base); err != nil {
		return fleet.Job{}, err
	}
	if err := s.Store.SaveRecipe(ctx, b.Hash, b.Tar); err != nil {
		return fleet.Job{}, fmt.Errorf("store the recipe of %s: %w", ref, err)
	}
	image := fleet.GoldenImage{Name: ref.Name, Version: ref.Version, RecipeHash: b.Hash}
	return s.submit(ctx, KindBuild, ref.Name, edition{Image: image}, key, keyHash)
}

// today gives the first version of the day that is free.
func (s *Service) today(ctx context.Context, name string) (string, error) {
	day := s.Now().UTC().Format("2006.01.02")
	for n := 1; ; n++ {
		version := fmt.Sprintf("%s-%d", day, n)
		_, err := s.Store.GoldenImage(ctx, fleet.ImageRef{Name: name, Version: version})
		if fleet.CodeOf(err) == fleet.NotFound {
			return version, nil
		}
		if err != nil {
			return "", fmt.Errorf("look for image %s/%s: %w", name, version, err)
		}
	}
}

// untaken fails with fleet.Taken where the version exists. hash is that of the bundle.
func (s *Service) untaken(ctx context.Context, ref fleet.ImageRef, hash string) error {
	have, err := s.Store.GoldenImage(ctx, ref)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return nil
	case err != nil:
		return fmt.Errorf("look for image %s: %w", ref, err)
	}
	return taken(ref, have.RecipeHash, hash)
}

// hasBase finds out early that a base does not exist, or may not be had.
func (s *Service) hasBase(ctx context.Context, b Base) error {
	switch {
	case b.Image != "":
		ref, err := fleet.ParseImageRef(b.Image)
		if err != nil {
			return err
		}
		_, err = s.Store.GoldenImage(ctx, ref)
		return noBase("image", b.Image, "lxdfleet image list shows those there are", err)
	case b.Alias != "":
		_, err := s.LXD.Image(ctx, b.Alias)
		return noBase("alias", b.Alias, "lxc image list, in lxdfleet's LXD project, shows those there are", err)
	}
	return s.Sources.check(b)
}

func noBase(field, name, hint string, err error) error {
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Errorf(fleet.NotFound, "the base image %s does not exist", name).WithField("base."+field).WithHint("%s", hint)
	}
	if err != nil {
		return fmt.Errorf("look for the base image %s: %w", name, err)
	}
	return nil
}

// Import submits the job that takes in the unified LXD image tarball at path, on the daemon's
// host, as the version ref. The file is the job's from then on, and goes when the job is over;
// where Import fails it is still the caller's. Health check and hooks are read from the
// image's own properties (PropHealth, PropHooks); an image without has fleet.DefaultHealth and
// no hooks. An empty description is read there too.
func (s *Service) Import(ctx context.Context, path string, ref fleet.ImageRef, description, key, keyHash string) (fleet.Job, error) {
	if job, err := s.jobs.ByKey(ctx, key, keyHash); fleet.CodeOf(err) != fleet.NotFound {
		return job, err
	}
	if _, err := fleet.ParseImageRef(ref.String()); err != nil {
		return fleet.Job{}, err
	}
	if ref.Version == "" {
		return fleet.Job{}, noVersion(ref)
	}
	if _, err := os.Stat(path); err != nil {
		return fleet.Job{}, noTarball(path, err)
	}
	if err := s.untaken(ctx, ref, ""); err != nil {
		return fleet.Job{}, err
	}
	image := fleet.GoldenImage{Name: ref.Name, Version: ref.Version, Description: description}
	return s.submit(ctx, KindImport, ref.Name, edition{Image: image, Path: path}, key, keyHash)
}

func noVersion(ref fleet.ImageRef) error {
	return fleet.Errorf(fleet.Invalid, "%s names no version", ref).WithField("image").
		WithHint("write NAME/VERSION, such as %s/1", ref)
}

// Delete submits the job that deletes a version: fleet.NotFound; fleet.Conflict while tenants
// use it (five of them are named), or while it is current and there are other versions.
func (s *Service) Delete(ctx context.Context, ref fleet.ImageRef, key, keyHash string) (fleet.Job, error) {
	if job, err := s.jobs.ByKey(ctx, key, keyHash); fleet.CodeOf(err) != fleet.NotFound {
		return job, err
	}
	if ref.Version == "" {
		return fleet.Job{}, noVersion(ref)
	}
	g, err := s.Get(ctx, ref)
	if err != nil {
		return fleet.Job{}, err
	}
	if err := unused(ctx, s.Store, g); err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindDelete, ref.Name, removal{Image: g}, key, keyHash)
}

func (s *Service) submit(ctx context.Context, kind, name string, args any, key, keyHash string) (fleet.Job, error) {
	return s.jobs.Submit(ctx, jobs.Request{Kind: kind, Subject: Subject(name), Args: args, Key: key, KeyHash: keyHash})
}

// Get gives a version of an image, or its current one where ref has none; fleet.NotFound.
func (s *Service) Get(ctx context.Context, ref fleet.ImageRef) (fleet.GoldenImage, error) {
	return s.Store.GoldenImage(ctx, ref)
}

// List gives all versions of all images, by name, newest first.
func (s *Service) List(ctx context.Context) ([]fleet.GoldenImage, error) {
	return s.Store.GoldenImages(ctx)
}

// Recover records every golden image that LXD has and the store lacks: see Recover.
func (s *Service) Recover(ctx context.Context) ([]fleet.GoldenImage, error) {
	found, err := Recover(ctx, s.LXD, s.Store)
	for _, g := range found {
		s.Changed(g.Name)
	}
	return found, err
}
