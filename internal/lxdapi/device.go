package lxdapi

import (
	"context"
	"maps"
	"net/http"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureDevice gives an instance a device of its own with exactly this configuration; nil takes it
// away. Of a running instance LXD changes it at once. What LXD refuses, such as to listen where
// something else listens, is fleet.Failed.
func (c *Client) EnsureDevice(ctx context.Context, instance, device string, config map[string]string) error {
	var err error
	if config == nil {
		err = c.dropDevice(ctx, instance, device)
	} else {
		change := map[string]any{"devices": map[string]any{device: config}}
		err = c.edit(ctx, instance, change, func(now *api.Instance) bool { return maps.Equal(now.Devices[device], config) })
	}
	return within(err, "set the device %s of %s", device, instance)
}

// dropDevice writes the whole instance without the device: LXD has no other way.
func (c *Client) dropDevice(ctx context.Context, instance, device string) error {
	unlock, err := c.edits.lock(ctx, instance)
	if err != nil {
		return err
	}
	defer unlock()
	for range attempts {
		now, etag, err := c.instance(ctx, instance)
		if err != nil {
			return err
		}
		if now.Devices[device] == nil {
			return nil
		}
		put := now.Writable()
		put.Devices = maps.Clone(put.Devices)
		delete(put.Devices, device)
		_, err = c.run(ctx, request{method: http.MethodPut, path: instancePath(instance), etag: etag, body: put}, nil)
		if err == nil {
			return nil
		}
		if !preconditionFailed(err) && !isBusy(err) {
			return err
		}
		if _, err := c.settle(ctx, instance); err != nil {
			return err
		}
	}
	return fleet.Errorf(fleet.Conflict, "it is changed all the time").WithHint("try again")
}

// Backends gives where the application on the port of a running instance is reached, the best
// first: at its addresses.
func (c *Client) Backends(ctx context.Context, name string, _ int) ([]fleet.Backend, error) {
	addresses, err := c.Addresses(ctx, name)
	return fleet.DirectBackends(addresses), err
}
