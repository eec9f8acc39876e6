package lxdapi

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureCopy makes a stopped instance of an instance, running or not, or of one of its snapshots.
// On the source's member it is a copy-on-write clone; to another member all is sent.
//
// An instance of that name with the same KeyJob is ours: finished, it is fine, also when the
// source is gone; half-made by a crash of LXD, it is deleted and made again. Any other is
// fleet.Taken. A missing source, snapshot, profile or member is fleet.NotFound, a full pool
// fleet.Exhausted, an offline member fleet.Unavailable.
func (c *Client) EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	if spec.Config[fleet.KeyJob] == "" {
		return fleet.Errorf(fleet.Internal, "the copy %s has no %s", spec.Name, fleet.KeyJob)
	}
	err := c.make(ctx, making{
		name: spec.Name, job: spec.Config[fleet.KeyJob],
		try: func() error { return c.copy(ctx, spec, progress) },
		why: func(failure error) error { return c.whyNoCopy(ctx, spec, failure) },
	})
	return within(err, "copy %s to %s", sourceName(spec), spec.Name)
}

// sourceName is how LXD names an instance or a snapshot of one.
func sourceName(spec fleet.CopySpec) string {
	if spec.Snapshot == "" {
		return spec.Source
	}
	return spec.Source + "/" + spec.Snapshot
}

func (c *Client) copy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	source, _, err := c.instance(ctx, spec.Source)
	if err != nil {
		return err
	}
	member := spec.Member
	if member == "" {
		member = source.Location
	}
	config := source.Config
	if spec.Snapshot != "" {
		snapshot, err := c.snapshot(ctx, spec.Source, spec.Snapshot)
		if err != nil {
			return err
		}
		config = snapshot.Config
	}
	if member == source.Location { // quick: see EnsureClone
		unlock, err := c.clones.lock(ctx, targetOf(member))
		if err != nil {
			return err
		}
		defer unlock()
	}
	post := copyPost(spec, &source, config)
	post.Source.Project = c.project
	_, err = c.run(ctx, request{method: http.MethodPost, path: "/instances", body: post, target: targetOf(member)}, progress)
	return err
}

// copyPost is the request for a copy. config is the source's. LXD adds the keys of the source
// that the request does not name: those that are not wanted are named, with no value.
func copyPost(spec fleet.CopySpec, source *api.Instance, config map[string]string) api.InstancesPost {
	put := api.InstancePut{
		Architecture: source.Architecture, Config: map[string]string{}, Profiles: spec.Profiles, Devices: map[string]map[string]string{},
	}
	for key := range config {
		if !strings.HasPrefix(key, "volatile.") {
			put.Config[key] = ""
		}
	}
	maps.Copy(put.Config, spec.Config)
	if image := config["volatile.base_image"]; image != "" {
		put.Config["volatile.base_image"] = image
	}
	if put.Profiles == nil {
		put.Profiles = source.Profiles
	}
	maps.Copy(put.Devices, source.Devices)
	maps.Copy(put.Devices, spec.Devices)
	return api.InstancesPost{
		Name: spec.Name, Type: api.InstanceTypeContainer, InstancePut: put,
		Source: api.InstanceSource{Type: api.SourceTypeCopy, Source: sourceName(spec), InstanceOnly: !spec.Snapshots},
	}
}

// whyNoCopy finds the reason of a failure that LXD tells by text only.
func (c *Client) whyNoCopy(ctx context.Context, spec fleet.CopySpec, failure error) error {
	if !isCode(failure, fleet.Failed, fleet.NotFound) {
		return failure
	}
	source, _, err := c.instance(ctx, spec.Source)
	if err != nil {
		return err
	}
	if spec.Snapshot != "" {
		if _, err := c.snapshot(ctx, spec.Source, spec.Snapshot); err != nil {
			return err
		}
	}
	if err := c.profileTrouble(ctx, spec.Profiles); err != nil {
		return err
	}
	for _, member := range []string{spec.Member, source.Location} {
		if member != "" && member != standAlone {
			if err := c.memberTrouble(ctx, member); err != nil {
				return err
			}
		}
	}
	return failure
}
