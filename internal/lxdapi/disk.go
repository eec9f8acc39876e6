package lxdapi

import (
	"context"
	"net/url"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// PoolDriver tells the storage driver of the pool tenants live in: btrfs, zfs, dir and so on.
func (c *Client) PoolDriver(ctx context.Context) (string, error) {
	pool, err := c.tenantsPool(ctx)
	return pool.Driver, err
}

// DiskCount tells what the numbers of Use and DiskUsed count. ZFS with refquota counts all that the
// disk holds; without it, and btrfs, what it alone keeps on the pool. Other drivers share nothing.
func (c *Client) DiskCount(ctx context.Context) (fleet.DiskCount, error) {
	pool, err := c.tenantsPool(ctx)
	switch {
	case err != nil:
		return fleet.DiskUnknown, err
	case pool.Driver == "zfs" && pool.Config["volume.zfs.use_refquota"] == "true":
		return fleet.DiskAll, nil
	case pool.Driver == "zfs", pool.Driver == "btrfs":
		return fleet.DiskOwn, nil
	}
	return fleet.DiskUnshared, nil
}

func (c *Client) tenantsPool(ctx context.Context) (api.StoragePool, error) {
	name, err := c.poolName(ctx)
	if err == nil && name == "" {
		err = fleet.Errorf(fleet.NotFound, "it cannot be told which storage pool tenants live in").
			WithHint("name it by lxd.pool in the configuration, or give the project's default profile a root disk")
	}
	if err != nil {
		return api.StoragePool{}, within(err, "read the storage pool")
	}
	var pool api.StoragePool
	if err := c.getGlobal(ctx, "/storage-pools/"+url.PathEscape(name), nil, &pool); err != nil {
		return api.StoragePool{}, within(err, "read the storage pool %s", name)
	}
	return pool, nil
}

// DiskUsed tells what an instance's root disk holds on to, in bytes, as the driver counts it; 0
// where it does not (btrfs without quotas).
func (c *Client) DiskUsed(ctx context.Context, name string) (fleet.Size, error) {
	var state api.InstanceState
	_, err := c.get(ctx, instancePath(name)+"/state", nil, &state)
	if isCode(err, fleet.NotFound) {
		err = notFound(name)
	}
	if err != nil {
		return 0, within(err, "read the disk use of %s", name)
	}
	return fleet.Size(max(state.Disk["root"].Usage, 0)), nil
}
