package lxdapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Pools lists the storage pools.
func (c *Client) Pools(ctx context.Context) ([]fleet.Pool, error) {
	var found []api.StoragePool
	if err := c.getGlobal(ctx, "/storage-pools", recursion("1"), &found); err != nil {
		return nil, within(err, "list the storage pools")
	}
	pools := make([]fleet.Pool, len(found))
	for i, p := range found {
		pools[i] = fleet.Pool{Name: p.Name, Driver: p.Driver, Status: p.Status, Config: p.Config}
	}
	return pools, nil
}

// EnsurePoolConfig sets keys of a storage pool's configuration, for all members; the other keys
// stay. changed tells whether any was not so already. A missing pool is fleet.NotFound.
func (c *Client) EnsurePoolConfig(ctx context.Context, pool string, set map[string]string) (changed bool, err error) {
	changed, err = c.setPoolConfig(ctx, "/storage-pools/"+url.PathEscape(pool), set)
	if isCode(err, fleet.NotFound) {
		err = fleet.Errorf(fleet.NotFound, "the storage pool %s does not exist", pool)
	}
	return changed, within(err, "configure the storage pool %s", pool)
}

func (c *Client) setPoolConfig(ctx context.Context, path string, set map[string]string) (changed bool, err error) {
	var now api.StoragePool
	if err := c.getGlobal(ctx, path, nil, &now); err != nil {
		return false, err
	}
	for key, value := range set {
		changed = changed || now.Config[key] != value
	}
	if !changed {
		return false, nil
	}
	_, err = c.call(ctx, request{method: http.MethodPatch, path: path, global: true, body: api.StoragePoolPut{
		Description: now.Description, Config: set,
	}}, nil)
	return err == nil, err
}

// poolName is the pool tenants live in: the one of Options, else of the default profile's
// root disk, else the only one there is; empty where none can be told.
func (c *Client) poolName(ctx context.Context) (string, error) {
	if c.pool != "" {
		return c.pool, nil
	}
	var profile api.Profile
	_, err := c.get(ctx, "/profiles/default", nil, &profile)
	if err != nil && !isCode(err, fleet.NotFound) {
		return "", err
	}
	for _, device := range profile.Devices {
		if device["type"] == "disk" && device["path"] == "/" {
			return device["pool"], nil
		}
	}
	var names []string
	if err := c.getGlobal(ctx, "/storage-pools", nil, &names); err != nil {
		return "", err
	}
	if len(names) == 1 {
		return baseName(names[0]), nil
	}
	return "", nil
}

// Networks lists the networks the members' instances can be attached to, managed by LXD or
// not.
func (c *Client) Networks(ctx context.Context) ([]fleet.Network, error) {
	var found []api.Network
	if err := c.getGlobal(ctx, "/networks", recursion("1"), &found); err != nil {
		return nil, within(err, "list the networks")
	}
	networks := make([]fleet.Network, len(found))
	for i, n := range found {
		networks[i] = fleet.Network{Name: n.Name, Type: n.Type, Managed: n.Managed, Config: n.Config}
	}
	return networks, nil
}
