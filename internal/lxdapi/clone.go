package lxdapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureClone makes an instance from an image, with a copy-on-write clone of the image's
// volume where the member's pool has it unpacked. One request and one wait do where nothing
// is in the way.
//
// An instance of that name with the same KeyJob is ours: finished, it is fine; half-made by a
// crash of LXD, it is deleted and made again. Any other is fleet.Taken. A full pool is
// fleet.Exhausted, an offline member fleet.Unavailable; a missing image, profile, member or
// project is fleet.NotFound.
func (c *Client) EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error {
	if spec.Config[fleet.KeyJob] == "" {
		return fleet.Errorf(fleet.Internal, "the clone %s has no %s", spec.Name, fleet.KeyJob)
	}
	err := c.make(ctx, making{
		name: spec.Name, job: spec.Config[fleet.KeyJob],
		try: func() error { return c.clone(ctx, spec, progress) },
		why: func(failure error) error { return c.whyNoClone(ctx, spec, failure) },
	})
	return within(err, "clone %s", spec.Name)
}

func (c *Client) clone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error {
	post := api.InstancesPost{
		Name:        spec.Name,
		Type:        api.InstanceTypeContainer,
		InstancePut: api.InstancePut{Config: spec.Config, Profiles: spec.Profiles, Devices: spec.Devices},
		Source:      api.InstanceSource{Type: api.SourceTypeImage, Fingerprint: spec.Fingerprint},
	}
	target := targetOf(spec.Member)
	// One at a time on a member: see startWithIDs.
	unlock, err := c.clones.lock(ctx, target)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = c.run(ctx, request{method: http.MethodPost, path: "/instances", body: post, target: target}, progress)
	return err
}

// targetOf names a member as requests do: a stand-alone server has no name.
func targetOf(member string) string {
	if member == standAlone {
		return ""
	}
	return member
}

// whyNoClone finds the reason of a failure that LXD tells by text only.
func (c *Client) whyNoClone(ctx context.Context, spec fleet.CloneSpec, failure error) error {
	if !isCode(failure, fleet.Failed, fleet.NotFound) {
		return failure
	}
	_, err := c.get(ctx, "/images/"+url.PathEscape(spec.Fingerprint), nil, nil)
	if isCode(err, fleet.NotFound) {
		return fleet.Errorf(fleet.NotFound, "the image %s does not exist", spec.Fingerprint).WithField("image")
	}
	if err := c.profileTrouble(ctx, spec.Profiles); err != nil {
		return err
	}
	if spec.Member != "" && spec.Member != standAlone {
		if err := c.memberTrouble(ctx, spec.Member); err != nil {
			return err
		}
	}
	return failure
}

// profileTrouble names the first of the profiles that does not exist.
func (c *Client) profileTrouble(ctx context.Context, profiles []string) error {
	there, err := c.Profiles(ctx)
	if err != nil {
		return nil // the failure at hand tells more
	}
	for _, name := range profiles {
		if !slices.ContainsFunc(there, func(p fleet.ProfileSpec) bool { return p.Name == name }) {
			return fleet.Errorf(fleet.NotFound, "the profile %s does not exist", name).WithField("plan")
		}
	}
	return nil
}
