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
// On the source's member it is a copy-on-write clone; to another member all is sent, and progress
// tells the bytes. When ctx ends LXD is told to stop sending.
//
// An instance of that name with the same KeyJob is ours: finished, it is fine, also when the
// source is gone; half-made by a crash of LXD, it is deleted and made again. Any other is
// fleet.Taken. A missing source, snapshot, profile or member is fleet.NotFound, a full pool
// fleet.Exhausted, an offline member fleet.Unavailable.
func (c *Client) EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	return Link{Source: c, Target: c}.EnsureCopy(ctx, spec, progress)
}

// EnsureCopy is that of Client, from one server to another.
func (l Link) EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	if spec.Config[fleet.KeyJob] == "" {
		return fleet.Errorf(fleet.Internal, "the copy %s has no %s", spec.Name, fleet.KeyJob)
	}
	err := l.Target.make(ctx, making{
		name: spec.Name, job: spec.Config[fleet.KeyJob],
		try: func() error { return l.copy(ctx, spec, progress) },
		why: func(failure error) error { return l.whyNoCopy(ctx, spec, failure) },
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

func (l Link) copy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	source, err := l.Source.copySource(ctx, spec)
	if err != nil {
		return err
	}
	if l.isWithin() {
		if spec.Member == "" {
			spec.Member = source.Location
		}
		if spec.Member == source.Location {
			return l.Target.clonedFrom(ctx, spec, &source, progress)
		}
	}
	post := copyPost(spec, &source)
	post.Source = api.InstanceSource{InstanceOnly: !spec.Snapshots}
	return l.transfer(ctx, transfer{spec: spec, source: &source, post: post, progress: progress})
}

// clonedFrom makes a copy-on-write clone on the source's member.
func (c *Client) clonedFrom(ctx context.Context, spec fleet.CopySpec, source *api.Instance, progress func(fleet.Progress)) error {
	post := copyPost(spec, source)
	// LXD adds the keys of the source that the request does not name: those that are not wanted
	// are named, with no value.
	for key := range source.Config {
		if _, named := post.Config[key]; !named && !strings.HasPrefix(key, "volatile.") {
			post.Config[key] = ""
		}
	}
	post.Source = api.InstanceSource{
		Type: api.SourceTypeCopy, Source: sourceName(spec), InstanceOnly: !spec.Snapshots, Project: c.project,
	}
	target := targetOf(spec.Member)
	unlock, err := c.clones.lock(ctx, target) // see EnsureClone
	if err != nil {
		return err
	}
	defer unlock()
	_, err = c.run(ctx, request{method: http.MethodPost, path: "/instances", body: post, target: target}, progress)
	return err
}

// copySource reads what is copied; of a snapshot its location and profiles are the instance's.
func (c *Client) copySource(ctx context.Context, spec fleet.CopySpec) (api.Instance, error) {
	source, _, err := c.instance(ctx, spec.Source)
	if err != nil || spec.Snapshot == "" {
		return source, err
	}
	snapshot, err := c.snapshot(ctx, spec.Source, spec.Snapshot)
	if err != nil {
		return source, err
	}
	source.Config, source.ExpandedConfig = snapshot.Config, snapshot.ExpandedConfig
	source.Devices, source.ExpandedDevices = snapshot.Devices, snapshot.ExpandedDevices
	return source, nil
}

// copyPost is the request for a copy, but for where its files come from.
func copyPost(spec fleet.CopySpec, source *api.Instance) api.InstancesPost {
	put := api.InstancePut{
		Architecture: source.Architecture, Config: map[string]string{}, Profiles: spec.Profiles, Devices: map[string]map[string]string{},
	}
	if image := source.Config[keyBaseImage]; image != "" {
		put.Config[keyBaseImage] = image
	}
	if put.Profiles == nil {
		put.Profiles = source.Profiles
	}
	maps.Copy(put.Devices, source.Devices)
	if spec.Bare {
		put.Profiles, put.Devices = []string{}, bareDevices(source)
	}
	if spec.KeepIDs || spec.Bare && spec.Member == source.Location {
		maps.Copy(put.Config, sameIDs(source))
	}
	maps.Copy(put.Config, spec.Config)
	maps.Copy(put.Devices, spec.Devices)
	return api.InstancesPost{Name: spec.Name, Type: api.InstanceTypeContainer, InstancePut: put}
}

const keyBaseImage = "volatile.base_image"

// bareDevices are the source's root disk, and its other devices taken away.
func bareDevices(source *api.Instance) map[string]map[string]string {
	devices := map[string]map[string]string{}
	for name := range source.Devices {
		devices[name] = map[string]string{"type": "none"}
	}
	for name, device := range source.ExpandedDevices {
		if device["type"] == "disk" && device["path"] == "/" {
			devices[name] = device
		}
	}
	return devices
}

// whyNoCopy finds the reason of a failure that LXD tells by text only.
func (l Link) whyNoCopy(ctx context.Context, spec fleet.CopySpec, failure error) error {
	if !isCode(failure, fleet.Failed, fleet.NotFound) {
		return failure
	}
	source, err := l.Source.copySource(ctx, spec)
	if err != nil {
		return err
	}
	if err := l.Target.profileTrouble(ctx, spec.Profiles); err != nil {
		return err
	}
	if spec.Member != "" && spec.Member != standAlone {
		if err := l.Target.memberTrouble(ctx, spec.Member); err != nil {
			return err
		}
	}
	if source.Location != standAlone {
		if err := l.Source.memberTrouble(ctx, source.Location); err != nil {
			return err
		}
	}
	return failure
}
