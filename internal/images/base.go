package images

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// base makes sure that LXD has the recipe's base image, and gives its fingerprint.
func (c *crew) base(ctx context.Context, run *jobs.Run, b Bundle) (string, error) {
	base := b.Recipe.Base
	if err := c.Sources.check(base); err != nil {
		return "", err // the configuration may have changed
	}
	switch {
	case base.Image != "":
		ref, err := fleet.ParseImageRef(base.Image)
		if err != nil {
			return "", err
		}
		g, err := c.Store.GoldenImage(ctx, ref)
		if err != nil {
			return "", noBase("image", base.Image, "lxdfleet image list shows those there are", err)
		}
		return g.Fingerprint, nil
	case base.Remote != nil:
		return c.LXD.EnsureRemoteImage(ctx, base.Remote.Server, cmp.Or(base.Remote.Protocol, "simplestreams"), base.Remote.Alias, run.Progress)
	case base.Tarball != "":
		return c.tarball(ctx, run, b)
	case base.Debootstrap != nil:
		return c.debootstrap(ctx, run, *base.Debootstrap)
	}
	img, err := c.LXD.Image(ctx, base.Alias)
	return img.Fingerprint, noBase("alias", base.Alias, "lxc image list, in lxdfleet's LXD project, shows those there are", err)
}

// tarball imports a base from the bundle or from the daemon's host.
func (c *crew) tarball(ctx context.Context, run *jobs.Run, b Bundle) (string, error) {
	name := b.Recipe.Base.Tarball
	var content io.Reader = bytes.NewReader(b.File(name))
	if filepath.IsAbs(name) {
		f, err := c.Sources.open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		content = f
	}
	fingerprint, err := c.LXD.EnsureImported(ctx, content, map[string]string{PropBaseSpec: "tarball"}, run.Progress)
	if err != nil {
		return "", fmt.Errorf("import the base %s: %w", name, err)
	}
	return fingerprint, nil
}

// debootstrap gives the base an earlier build made to the same specification, or makes it.
func (c *crew) debootstrap(ctx context.Context, run *jobs.Run, spec Debootstrap) (string, error) {
	c.making.Lock()
	defer c.making.Unlock()
	id, err := baseSpec(spec)
	if err != nil {
		return "", err
	}
	all, err := c.LXD.Images(ctx)
	if err != nil {
		return "", fmt.Errorf("list LXD's images: %w", err)
	}
	for _, img := range all {
		if img.Properties[PropBaseSpec] == id {
			return img.Fingerprint, nil
		}
	}
	say(run, "Making a base of Debian %s. That takes about a minute; the next build finds it.", spec.Suite)
	if err := os.MkdirAll(c.WorkDir, 0o700); err != nil {
		return "", fleet.Errorf(fleet.Failed, "make the folder for base images: %w", err)
	}
	dir := filepath.Join(c.WorkDir, "base-"+run.JobID)
	defer os.RemoveAll(dir)
	out := &transcript{to: run.Output()}
	file, err := c.Bases.Make(ctx, spec, dir, out)
	if err != nil {
		return "", fmt.Errorf("make a base of Debian %s: %w", spec.Suite, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fleet.Errorf(fleet.Failed, "read the base: %w", err)
	}
	defer f.Close()
	fingerprint, err := c.LXD.EnsureImported(ctx, f, map[string]string{PropBaseSpec: id}, run.Progress)
	if err != nil {
		return "", fmt.Errorf("import the base: %w", err)
	}
	return fingerprint, nil
}

// baseForm grows when bases are made in another way, so that old ones are not used any more.
const baseForm = 2

// baseSpec identifies what a base is made from.
func baseSpec(spec Debootstrap) (string, error) {
	encoded, err := json.Marshal(struct {
		Form int
		Debootstrap
	}{baseForm, spec})
	if err != nil {
		return "", fleet.Errorf(fleet.Internal, "encode the specification of a base: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:]), nil
}
