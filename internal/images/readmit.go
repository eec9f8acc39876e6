package images

import (
	"context"
	"fmt"
	"io"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Rebuild submits the job that builds a version again from its stored recipe, whose hash is given.
// Errors are those of Build.
func (s *Service) Rebuild(ctx context.Context, ref fleet.ImageRef, recipe string) (fleet.Job, error) {
	bundle, err := s.Store.Recipe(ctx, recipe)
	if err != nil {
		return fleet.Job{}, fmt.Errorf("read the recipe of %s: %w", ref, err)
	}
	b, err := OpenBundle(bundle)
	if err != nil {
		return fleet.Job{}, err
	}
	if err := s.untaken(ctx, ref, recipe); err != nil {
		return fleet.Job{}, err
	}
	if err := s.hasBase(ctx, b.Recipe.Base); err != nil {
		return fleet.Job{}, err
	}
	image := fleet.GoldenImage{Name: ref.Name, Version: ref.Version, RecipeHash: recipe}
	return s.submit(ctx, KindBuild, ref.Name, edition{Image: image}, "", "")
}

// Bring imports the tarball of a golden image that was lost, for a job. fleet.Failed where it is
// not that image's. It may be repeated.
func (s *Service) Bring(ctx context.Context, tarball io.Reader, g fleet.GoldenImage, jobID string, progress func(fleet.Progress)) error {
	if err := s.untaken(ctx, g.Ref(), ""); err != nil {
		if have, look := s.Store.GoldenImage(ctx, g.Ref()); look != nil || have.Fingerprint != g.Fingerprint {
			return err
		}
	}
	g.JobID = jobID
	own, err := properties(g)
	if err != nil {
		return err
	}
	fingerprint, err := s.LXD.EnsureImported(ctx, tarball, own, progress)
	if err != nil {
		return fmt.Errorf("import %s: %w", g.Ref(), err)
	}
	if fingerprint == g.Fingerprint {
		return nil
	}
	g.Fingerprint = fingerprint
	if err := s.Dismiss(ctx, g, jobID); err != nil {
		return err
	}
	return fleet.Errorf(fleet.Failed, "what was saved of the image %s is another", g.Ref()).
		WithHint("import it again: lxdfleet image import FILE %s", g.Ref())
}

// Admit names and records a golden image that LXD has: as the one its name means, where it was
// that and there is no other.
func (s *Service) Admit(ctx context.Context, g fleet.GoldenImage, jobID string) error {
	if err := s.LXD.EnsureAlias(ctx, g.Ref().String(), g.Fingerprint); err != nil {
		return fmt.Errorf("name the image %s: %w", g.Ref(), err)
	}
	current := g.Current
	g.Current, g.JobID, g.Members = false, jobID, nil
	if err := s.Store.InsertImage(ctx, g); err != nil {
		return fmt.Errorf("record image %s: %w", g.Ref(), err)
	}
	if _, err := s.Store.GoldenImage(ctx, fleet.ImageRef{Name: g.Name}); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("look for image %s: %w", g.Name, err)
	} else if current && err != nil {
		if err := s.LXD.EnsureAlias(ctx, g.Name, g.Fingerprint); err != nil {
			return fmt.Errorf("move the alias %s: %w", g.Name, err)
		}
		if err := s.Store.SetCurrentImage(ctx, g.Ref()); err != nil {
			return fmt.Errorf("make image %s current: %w", g.Ref(), err)
		}
	}
	s.Changed(g.Name)
	return nil
}

// Dismiss deletes an image that Bring imported for the job.
func (s *Service) Dismiss(ctx context.Context, g fleet.GoldenImage, jobID string) error {
	img, err := s.LXD.Image(ctx, g.Fingerprint)
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && img.Properties[PropJob] != jobID {
		return nil
	}
	if err == nil {
		err = s.LXD.EnsureImageDeleted(ctx, g.Fingerprint)
	}
	if err != nil {
		return fmt.Errorf("delete the image %s: %w", g.Ref(), err)
	}
	return nil
}
