package realm

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureCopy makes a copy, in the cluster of spec.Member, or, where that is empty, of the original.
func (r *Realm) EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	if r.alone() && fleet.ClusterOf(spec.Member) == "" {
		return r.LXD.EnsureCopy(ctx, spec, progress)
	}
	r.doubt(spec.Source) // where it is matters
	source, err := r.find(ctx, spec.Source)
	if err != nil {
		return err
	}
	to := source.cluster
	if spec.Member != "" {
		to = fleet.ClusterOf(spec.Member)
	}
	if !source.found {
		source.cluster = to // which tells whether the copy was made before
	}
	if err := r.free(ctx, spec.Name, to); err != nil {
		return err
	}
	if source.cluster != to {
		if spec, err = r.prepare(ctx, source.cluster, to, spec); err != nil {
			return err
		}
	}
	return r.send(ctx, source.cluster, to, spec, func(c Copier, spec fleet.CopySpec) error {
		err := c.EnsureCopy(ctx, spec, progress)
		if err == nil {
			r.found(spec.Name, to)
		}
		return err
	})
}

// EnsureRefreshed brings a copy up to what its original is, wherever both are.
func (r *Realm) EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	if r.alone() {
		return r.LXD.EnsureRefreshed(ctx, spec, progress)
	}
	source, err := r.find(ctx, spec.Source)
	if err != nil {
		return err
	}
	target, err := r.find(ctx, spec.Name)
	if err != nil {
		return err
	}
	return r.send(ctx, source.cluster, target.cluster, spec, func(c Copier, spec fleet.CopySpec) error {
		return c.EnsureRefreshed(ctx, spec, progress)
	})
}

// send does what is to be done between two clusters, or within one.
func (r *Realm) send(ctx context.Context, from, to string, spec fleet.CopySpec, do func(Copier, fleet.CopySpec) error) error {
	source, err := r.reach(ctx, from)
	if err != nil {
		return err
	}
	target, err := r.reach(ctx, to)
	if err != nil {
		return err
	}
	spec.Member = within(spec.Member)
	if from == to {
		err = do(target, spec)
	} else {
		err = do(r.opt.Link(source, target), spec)
	}
	r.suspect(ctx, from, err)
	r.suspect(ctx, to, err)
	return err
}

// prepare sees to it that a copy can be made in another cluster than its original's: profiles that it
// lacks are made there, and what leads to the original does not come along.
func (r *Realm) prepare(ctx context.Context, from, to string, spec fleet.CopySpec) (fleet.CopySpec, error) {
	source, err := r.reach(ctx, from)
	if err != nil {
		return spec, err
	}
	target, err := r.reach(ctx, to)
	if err != nil {
		return spec, err
	}
	original, err := source.Instance(ctx, spec.Source)
	if err != nil {
		return spec, err
	}
	if _, leads := original.Devices[r.opt.Local]; leads {
		spec.Devices = maps.Clone(spec.Devices)
		if spec.Devices == nil {
			spec.Devices = map[string]map[string]string{}
		}
		spec.Devices[r.opt.Local] = map[string]string{"type": "none"}
	}
	if spec.Profiles == nil && !spec.Bare {
		return spec, r.lend(ctx, target, original.Profiles)
	}
	return spec, r.lend(ctx, target, spec.Profiles)
}

// lend makes the profiles that another cluster lacks, as the home cluster has them.
func (r *Realm) lend(ctx context.Context, target LXD, profiles []string) error {
	if target == r.LXD {
		return nil
	}
	there, err := target.Profiles(ctx)
	if err != nil {
		return err
	}
	var home []fleet.ProfileSpec
	for _, name := range profiles {
		if named(there, name) >= 0 {
			continue
		}
		if home == nil {
			if home, err = r.LXD.Profiles(ctx); err != nil {
				return err
			}
		}
		if i := named(home, name); i >= 0 {
			if _, err := target.EnsureProfile(ctx, home[i]); err != nil {
				return fmt.Errorf("make the profile %s there: %w", name, err)
			}
		}
	}
	return nil
}

func named(profiles []fleet.ProfileSpec, name string) int {
	return slices.IndexFunc(profiles, func(p fleet.ProfileSpec) bool { return p.Name == name })
}

// EnsureClone makes an instance of an image, in the cluster of spec.Member.
func (r *Realm) EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error {
	to := fleet.ClusterOf(spec.Member)
	if r.alone() && to == "" {
		return r.LXD.EnsureClone(ctx, spec, progress)
	}
	if err := r.free(ctx, spec.Name, to); err != nil {
		return err
	}
	lxd, err := r.reach(ctx, to)
	if err != nil {
		return err
	}
	if to != "" {
		if err := r.sendImage(ctx, lxd, spec.Fingerprint, progress); err != nil {
			return err
		}
		if err := r.lend(ctx, lxd, spec.Profiles); err != nil {
			return err
		}
	}
	spec.Member = within(spec.Member)
	if err = lxd.EnsureClone(ctx, spec, progress); err == nil {
		r.found(spec.Name, to)
	}
	r.suspect(ctx, to, err)
	return err
}

// sendImage brings an image of the home cluster to another.
func (r *Realm) sendImage(ctx context.Context, target LXD, fingerprint string, progress func(fleet.Progress)) error {
	_, err := target.Image(ctx, fingerprint)
	if fleet.CodeOf(err) != fleet.NotFound {
		return err
	}
	image, err := r.LXD.Image(ctx, fingerprint)
	if err != nil {
		return err
	}
	content, _, err := r.LXD.ReadImage(ctx, fingerprint)
	if err != nil {
		return fmt.Errorf("read the image %.12s: %w", fingerprint, err)
	}
	defer func() { _ = content.Close() }()
	if _, err = target.EnsureImported(ctx, content, image.Properties, progress); err != nil {
		return fmt.Errorf("send the image %.12s: %w", fingerprint, err)
	}
	return nil
}

// EnsureImageDeleted deletes an image, also where it was sent. Of a cluster that is away it stays.
func (r *Realm) EnsureImageDeleted(ctx context.Context, fingerprint string) error {
	for _, o := range r.list() {
		lxd, err := r.reach(ctx, o.name)
		if err == nil {
			err = lxd.EnsureImageDeleted(ctx, fingerprint)
		}
		if err != nil {
			r.log.Debug("an image stays in another cluster", "cluster", o.name, "fingerprint", fingerprint, "error", err)
		}
	}
	return r.LXD.EnsureImageDeleted(ctx, fingerprint)
}
