package backups

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// A golden image whose recipe is known is built again. One that was imported is saved as it is,
// once: a version never changes.

const (
	fingerprintLabel = "fingerprint"
	imageFile        = "image.tar" // in the entry
	// imagesFact names the images that are saved.
	imagesFact = "control-images"
)

// imported are the golden images that no recipe makes again.
func (c Control) imported() []fleet.GoldenImage {
	return slices.DeleteFunc(slices.Clone(c.Images), func(g fleet.GoldenImage) bool { return c.Recipes[g.RecipeHash] != nil })
}

// unbuildable names the images that are to be saved.
func (c Control) unbuildable() string {
	var names []string
	for _, g := range c.imported() {
		names = append(names, g.Fingerprint[:min(len(g.Fingerprint), 12)])
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// saveImages saves the images that the repository lacks.
func (c *crew) saveImages(ctx context.Context, run *jobs.Run, _ *controlState) error {
	repo, err := c.Vault.Open(ctx)
	if err != nil {
		return err
	}
	now, err := c.gather(ctx)
	if err != nil {
		return err
	}
	saved, err := savedImages(ctx, repo)
	if err != nil {
		return err
	}
	for _, g := range now.imported() {
		if saved[g.Fingerprint] != "" {
			continue
		}
		err := c.saveImage(ctx, run, repo, g)
		switch fleet.CodeOf(err) {
		case "":
		case fleet.NotFound, fleet.Unsupported:
			say(run, "The image %s cannot be saved: %v", g.Ref(), err)
		default:
			return fmt.Errorf("save the image %s: %w", g.Ref(), err)
		}
	}
	return c.Store.SetBackupFact(ctx, imagesFact, now.unbuildable())
}

// savedImages gives the entries of images by fingerprint.
func savedImages(ctx context.Context, repo Repository) (map[string]string, error) {
	list, err := repo.List(ctx, KindImage)
	if err != nil {
		return nil, err
	}
	saved := map[string]string{}
	for _, e := range list {
		saved[e.Meta.Labels[fingerprintLabel]] = e.ID
	}
	return saved, nil
}

func (c *crew) saveImage(ctx context.Context, run *jobs.Run, repo Repository, g fleet.GoldenImage) error {
	own, err := c.storeID(ctx)
	if err != nil {
		return err
	}
	content, size, err := c.LXD.ReadImage(ctx, g.Fingerprint)
	if err != nil {
		return err
	}
	defer content.Close()
	meta := Meta{
		Kind: KindImage, Tenant: g.Name, TakenAt: c.Now().UTC(),
		Labels: map[string]string{jobLabel: run.JobID, fingerprintLabel: g.Fingerprint, storeLabel: own},
	}
	_, err = pump(ctx, func(_ context.Context, w io.Writer) error {
		t := tar.NewWriter(w)
		h := &tar.Header{Name: imageFile, Typeflag: tar.TypeReg, Mode: 0o600, Size: size, ModTime: g.CreatedAt.UTC(), Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(t, content); err != nil {
			return err
		}
		return t.Close()
	}, func(ctx context.Context, r io.Reader) (Stored, error) {
		return repo.Write(ctx, meta, r, func(p fleet.Progress) {
			p.Message = "saving the image " + g.Ref().String()
			run.Progress(p)
		})
	})
	return err
}

func (c *crew) unsaveImages(ctx context.Context, run *jobs.Run, _ *controlState) error {
	if err := c.dropEntries(ctx, run, KindImage); err != nil {
		return err
	}
	return c.Store.SetBackupFact(ctx, imagesFact, "")
}

// thinImages deletes what this store has saved of images that are no more.
func (c *crew) thinImages(ctx context.Context, repo Repository, own string) error {
	there, err := c.Store.GoldenImages(ctx)
	if err != nil {
		return fmt.Errorf("read the images: %w", err)
	}
	list, err := repo.List(ctx, KindImage)
	if err != nil {
		return err
	}
	for _, e := range list {
		known := slices.ContainsFunc(there, func(g fleet.GoldenImage) bool { return g.Fingerprint == e.Meta.Labels[fingerprintLabel] })
		if known || e.Meta.Labels[storeLabel] != own {
			continue
		}
		if err := repo.Delete(ctx, e.ID); err != nil {
			return fmt.Errorf("delete what was saved of an image that is no more: %w", err)
		}
	}
	return nil
}

// imageState is the state of backup.image.
type imageState struct {
	From  string            `json:"from,omitempty"` // as in cloneState
	Entry string            `json:"entry"`
	Image fleet.GoldenImage `json:"image"`
}

// imageBack brings a golden image back that was saved as it is.
func (c *crew) imageBack() jobs.Kind[imageState] {
	return jobs.Kind[imageState]{
		Name:    KindImageBack,
		Version: 1,
		Steps: []jobs.Step[imageState]{
			// Undo: the image goes, if this job brought it.
			{Name: "fetch", Do: c.fetchImage, Undo: c.unfetchImage},
			// From here new tenants can be made of it.
			{Name: "admit", Do: c.admitImage},
		},
		Commit: "admit",
	}
}

func (c *crew) fetchImage(ctx context.Context, run *jobs.Run, s *imageState) error {
	repo, err := c.Vault.At(ctx, s.From)
	if err != nil {
		return err
	}
	_, err = pump(ctx, func(ctx context.Context, w io.Writer) error {
		return repo.Read(ctx, s.Entry, w, nil)
	}, func(ctx context.Context, r io.Reader) (struct{}, error) {
		t := tar.NewReader(r)
		if _, err := t.Next(); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, c.Images.Bring(ctx, t, s.Image, run.JobID, run.Progress)
	})
	if damage, ok := errors.AsType[*Damage](err); ok {
		return fleet.Errorf(fleet.Failed, "the saved image %s is damaged: %s", s.Image.Ref(), damage.What).
			WithHint("import it again: lxdfleet image import FILE %s", s.Image.Ref())
	}
	if err != nil {
		return fmt.Errorf("bring the image %s back: %w", s.Image.Ref(), err)
	}
	return nil
}

func (c *crew) unfetchImage(ctx context.Context, run *jobs.Run, s *imageState) error {
	return c.Images.Dismiss(ctx, s.Image, run.JobID)
}

func (c *crew) admitImage(ctx context.Context, run *jobs.Run, s *imageState) error {
	return c.Images.Admit(ctx, s.Image, run.JobID)
}
