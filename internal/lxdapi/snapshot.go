package lxdapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func snapshotPath(instance, snapshot string) string {
	return instancePath(instance) + "/snapshots/" + url.PathEscape(snapshot)
}

// Snapshots lists the snapshots of an instance, the oldest first. A missing instance is
// fleet.NotFound.
func (c *Client) Snapshots(ctx context.Context, instance string) ([]fleet.InstanceSnapshot, error) {
	list, err := c.snapshots(ctx, instance)
	return list, within(err, "list the snapshots of %s", instance)
}

func (c *Client) snapshots(ctx context.Context, instance string) ([]fleet.InstanceSnapshot, error) {
	var found []api.InstanceSnapshot
	_, err := c.get(ctx, instancePath(instance)+"/snapshots", recursion("1"), &found)
	if isCode(err, fleet.NotFound) {
		err = notFound(instance)
	}
	if err != nil {
		return nil, err
	}
	list := make([]fleet.InstanceSnapshot, len(found))
	for i, s := range found {
		list[i] = fleet.InstanceSnapshot{
			Name: s.Name, CreatedAt: s.CreatedAt, Size: fleet.Size(max(s.Size, 0)), Config: s.Config,
		}
	}
	slices.SortStableFunc(list, func(a, b fleet.InstanceSnapshot) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

// AllSnapshots lists the snapshots of all instances of the project, by name, in one call that
// is cheap for LXD. It tells their names, and CreatedAt where LXD does (5.0 does not); Snapshots
// tells more. Instances without snapshots are left out; those of offline members are there.
func (c *Client) AllSnapshots(ctx context.Context) (map[string][]fleet.InstanceSnapshot, error) {
	all, err := c.allSnapshots(ctx)
	return all, within(err, "list the snapshots of all instances")
}

// allSnapshots reads them from the list of the pool's volumes: that of the instances measures
// the disks and addresses of each where it is to tell snapshots.
func (c *Client) allSnapshots(ctx context.Context) (map[string][]fleet.InstanceSnapshot, error) {
	pool, err := c.poolName(ctx)
	if err != nil {
		return nil, err
	}
	var volumes []api.StorageVolume
	if _, err := c.get(ctx, "/storage-pools/"+url.PathEscape(pool)+"/volumes", recursion("1"), &volumes); err != nil {
		return nil, err
	}
	all := map[string][]fleet.InstanceSnapshot{}
	for _, v := range volumes {
		instance, snapshot, isSnapshot := strings.Cut(v.Name, "/")
		if isSnapshot && v.Type == "container" && cmp.Or(v.Project, c.project) == c.project {
			s := fleet.InstanceSnapshot{Name: snapshot}
			if v.CreatedAt.Unix() > 0 {
				s.CreatedAt = v.CreatedAt
			}
			all[instance] = append(all[instance], s)
		}
	}
	for _, list := range all {
		slices.SortFunc(list, func(a, b fleet.InstanceSnapshot) int { return strings.Compare(a.Name, b.Name) })
	}
	return all, nil
}

// snapshot gives one snapshot of an instance; fleet.NotFound.
func (c *Client) snapshot(ctx context.Context, instance, snapshot string) (api.InstanceSnapshot, error) {
	var s api.InstanceSnapshot
	_, err := c.get(ctx, snapshotPath(instance, snapshot), nil, &s)
	if isCode(err, fleet.NotFound) {
		if _, _, look := c.instance(ctx, instance); look != nil {
			return s, look
		}
		err = noSnapshot(instance, snapshot)
	}
	return s, err
}

func noSnapshot(instance, snapshot string) error {
	return fleet.Errorf(fleet.NotFound, "the instance %s has no snapshot %s", instance, snapshot).WithField("snapshot")
}

// EnsureSnapshot takes a snapshot of an instance's disk, running or not, without its memory. One
// of that name that is there already is success; one that a crash of LXD left half-made, without
// its volume, is taken again. A full pool is fleet.Exhausted, a missing
// instance fleet.NotFound, a name LXD does not take fleet.Invalid.
func (c *Client) EnsureSnapshot(ctx context.Context, instance, snapshot string) error {
	post := api.InstanceSnapshotsPost{Name: snapshot}
	take := request{method: http.MethodPost, path: instancePath(instance) + "/snapshots", body: post}
	err := c.persist(ctx, instance, func() error {
		_, err := c.run(ctx, take, nil)
		if isCode(err, fleet.NotFound) {
			return notFound(instance)
		}
		return err
	}, func(now *api.Instance, _ bool) (bool, error) { return c.hasSnapshot(ctx, now, snapshot) })
	return within(err, "take the snapshot %s of %s", snapshot, instance)
}

// hasSnapshot reports whether an instance has a whole snapshot of that name, and removes one that
// is half-made.
func (c *Client) hasSnapshot(ctx context.Context, now *api.Instance, snapshot string) (bool, error) {
	s, err := c.snapshot(ctx, now.Name, snapshot)
	if isCode(err, fleet.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for range 2 { // another may just have begun with it
		if !c.isHalfMade(ctx, now, s) {
			return true, ctx.Err()
		}
		waited, err := c.settle(ctx, now.Name)
		if err != nil || waited {
			return false, err
		}
	}
	return false, c.EnsureSnapshotDeleted(ctx, now.Name, snapshot)
}

// isHalfMade reports whether a snapshot of an instance has no volume, where the instance has one.
func (c *Client) isHalfMade(ctx context.Context, now *api.Instance, s api.InstanceSnapshot) bool {
	pool := ""
	for _, device := range s.ExpandedDevices {
		if device["type"] == "disk" && device["path"] == "/" {
			pool = device["pool"]
		}
	}
	ask := func(path string) error {
		_, err := c.call(ctx, request{
			method: http.MethodGet, path: "/storage-pools/" + url.PathEscape(pool) + "/volumes/container/" + url.PathEscape(now.Name) + path,
			target: targetOf(now.Location), probe: true,
		}, nil)
		return err
	}
	return pool != "" && ask("") == nil && isCode(ask("/snapshots/"+url.PathEscape(s.Name)), fleet.NotFound)
}

// EnsureSnapshotDeleted removes a snapshot; a missing one is success, of a missing instance too.
// Its member must be online (fleet.Unavailable).
func (c *Client) EnsureSnapshotDeleted(ctx context.Context, instance, snapshot string) error {
	gone := func(err error) error {
		if isCode(err, fleet.NotFound) {
			return nil
		}
		return err
	}
	err := c.persist(ctx, instance, func() error {
		_, err := c.run(ctx, request{method: http.MethodDelete, path: snapshotPath(instance, snapshot)}, nil)
		return gone(err)
	}, func(*api.Instance, bool) (bool, error) {
		_, err := c.snapshot(ctx, instance, snapshot)
		return isCode(err, fleet.NotFound), gone(err)
	})
	return within(gone(err), "delete the snapshot %s of %s", snapshot, instance)
}

// EnsureRestored puts an instance back to one of its snapshots, in place. With the files come
// back the configuration and the profiles it had, but for volatile keys: the caller sets those
// that have changed since. It must be stopped (fleet.Conflict). Newer snapshots stay: where the
// driver (zfs) can only restore the newest, another is fleet.Unsupported. A repeat restores
// again.
func (c *Client) EnsureRestored(ctx context.Context, instance, snapshot string) error {
	return within(c.restore(ctx, instance, snapshot), "restore %s from its snapshot %s", instance, snapshot)
}

func (c *Client) restore(ctx context.Context, instance, snapshot string) error {
	if err := c.mayRestore(ctx, instance, snapshot); err != nil {
		return err
	}
	return c.persist(ctx, instance, func() error {
		put := map[string]any{"restore": snapshot}
		_, err := c.run(ctx, request{method: http.MethodPut, path: instancePath(instance), body: put}, nil)
		return err
	}, func(*api.Instance, bool) (bool, error) {
		return false, c.mayRestore(ctx, instance, snapshot)
	})
}

// mayRestore looks for what is in the way of a restore in place.
func (c *Client) mayRestore(ctx context.Context, instance, snapshot string) error {
	now, _, err := c.instance(ctx, instance)
	if err != nil {
		return err
	}
	list, err := c.snapshots(ctx, instance)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(s fleet.InstanceSnapshot) bool { return s.Name == snapshot })
	switch {
	case at < 0:
		return noSnapshot(instance, snapshot)
	case now.StatusCode != api.Stopped:
		return fleet.Errorf(fleet.Conflict, "the instance %s is running", instance).WithHint("stop it first")
	case at == len(list)-1:
		return nil
	}
	driver, err := c.PoolDriver(ctx)
	if err != nil {
		return err
	}
	// LXD refuses, or deletes the newer ones where zfs.remove_snapshots is set.
	if driver == "zfs" {
		return fleet.Errorf(fleet.Unsupported, "the snapshot %s is not the newest, and ZFS restores only that in place", snapshot).
			WithHint("make a copy of the snapshot and let it take the instance's place")
	}
	return nil
}
