package apifake

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Images are golden images without LXD.
type Images struct {
	fleet  *Fleet
	images []fleet.GoldenImage
}

func newImages(f *Fleet) *Images {
	return &Images{fleet: f, images: []fleet.GoldenImage{
		{
			Name: "wordpress", Version: "6.1-1", Fingerprint: strings.Repeat("c0ffee00", 8), Description: "WordPress on Debian",
			Health: fleet.DefaultHealth(), Hooks: []string{"personalize"}, RecipeHash: strings.Repeat("12", 32),
			Size: 300 * fleet.MiB, Current: true, Members: []string{"n1", "n2"}, CreatedAt: Now.Add(-24 * time.Hour),
		},
		{
			Name: "wordpress", Version: "6.0-1", Fingerprint: strings.Repeat("deadbeef", 8), Health: fleet.DefaultHealth(),
			Size: 290 * fleet.MiB, CreatedAt: Now.Add(-90 * 24 * time.Hour),
		},
	}}
}

// Build implements api.Images.
func (i *Images) Build(_ context.Context, bundle []byte, key, keyHash string) (fleet.Job, error) {
	if err := i.fleet.called("Build", len(bundle)); err != nil {
		return fleet.Job{}, err
	}
	return i.fleet.Jobs.Submit("image.build", "image/wordpress", nil, tenants.Once{Key: key, Hash: keyHash})
}

// Import implements api.Images. It leaves the file where it is.
func (i *Images) Import(_ context.Context, path string, ref fleet.ImageRef, description, key, keyHash string) (fleet.Job, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fleet.Job{}, err
	}
	if err := i.fleet.called("Import", ref, description, info.Size()); err != nil {
		return fleet.Job{}, err
	}
	return i.fleet.Jobs.Submit("image.import", "image/"+ref.Name, map[string]string{"path": path}, tenants.Once{Key: key, Hash: keyHash})
}

// Delete implements api.Images.
func (i *Images) Delete(ctx context.Context, ref fleet.ImageRef, key, keyHash string) (fleet.Job, error) {
	if err := i.fleet.called("Delete", ref); err != nil {
		return fleet.Job{}, err
	}
	if _, err := i.Get(ctx, ref); err != nil {
		return fleet.Job{}, err
	}
	return i.fleet.Jobs.Submit("image.delete", "image/"+ref.Name, ref, tenants.Once{Key: key, Hash: keyHash})
}

// Get implements api.Images.
func (i *Images) Get(_ context.Context, ref fleet.ImageRef) (fleet.GoldenImage, error) {
	for _, g := range i.images {
		if g.Name == ref.Name && (g.Version == ref.Version || ref.Version == "" && g.Current) {
			return g, nil
		}
	}
	return fleet.GoldenImage{}, fleet.Errorf(fleet.NotFound, "there is no golden image %q", ref).WithField("image").
		WithHint("see them with: lxdfleet image list")
}

// List implements api.Images.
func (i *Images) List(context.Context) ([]fleet.GoldenImage, error) {
	return i.images, i.fleet.called("Images")
}
