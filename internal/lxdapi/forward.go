package lxdapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func forwardsPath(network string) string { return "/networks/" + url.PathEscape(network) + "/forwards" }

// Forwards lists the forwards of a network at all members. A missing network is fleet.NotFound, an
// LXD without forwards fleet.Unsupported.
func (c *Client) Forwards(ctx context.Context, network string) ([]fleet.Forward, error) {
	var found []api.NetworkForward
	if _, err := c.get(ctx, forwardsPath(network), recursion("1"), &found); err != nil {
		return nil, within(err, "list the forwards of the network %s", network)
	}
	forwards := make([]fleet.Forward, len(found))
	for i, f := range found {
		forwards[i] = fleet.Forward{Member: f.Location, Listen: f.ListenAddress, Ports: portsOf(f.Ports)}
		if f.Location == "" {
			forwards[i].Member = standAlone
		}
	}
	return forwards, nil
}

func portsOf(ports []api.NetworkForwardPort) []fleet.ForwardPort {
	out := make([]fleet.ForwardPort, len(ports))
	for i, p := range ports {
		out[i] = fleet.ForwardPort(p)
	}
	return out
}

// EnsureForward has the ports of a member's address be what edit makes of those there are. edit may
// be called again when something else has changed them meanwhile. A forward that is missing is
// made, and one that is left without ports goes where edit took the last.
func (c *Client) EnsureForward(ctx context.Context, network, member, listen string, edit func([]fleet.ForwardPort) []fleet.ForwardPort) error {
	unlock, err := c.edits.lock(ctx, "forward/"+network+"/"+member+"/"+listen)
	if err != nil {
		return err
	}
	defer unlock()
	for range attempts {
		err = c.editForward(ctx, network, targetOf(member), listen, edit)
		if !preconditionFailed(err) {
			break
		}
	}
	return within(err, "forward ports of %s to instances of the network %s", listen, network)
}

func (c *Client) editForward(ctx context.Context, network, target, listen string, edit func([]fleet.ForwardPort) []fleet.ForwardPort) error {
	path := forwardsPath(network) + "/" + url.PathEscape(listen)
	var now api.NetworkForward
	etag, err := c.call(ctx, request{method: http.MethodGet, path: path, target: target}, &now)
	missing := isCode(err, fleet.NotFound)
	if err != nil && !missing {
		return err
	}
	was := portsOf(now.Ports)
	want := edit(slices.Clone(was))
	put := api.NetworkForwardPut{Description: now.Description, Config: now.Config, Ports: make([]api.NetworkForwardPort, len(want))}
	for i, p := range want {
		put.Ports[i] = api.NetworkForwardPort(p)
	}
	switch {
	case slices.Equal(was, want):
		return nil
	case missing:
		post := api.NetworkForwardsPost{ListenAddress: listen, NetworkForwardPut: put}
		post.Description = "made by lxdfleet"
		_, err = c.call(ctx, request{method: http.MethodPost, path: forwardsPath(network), target: target, body: post}, nil)
	case len(want) == 0 && now.Config["target_address"] == "":
		_, err = c.call(ctx, request{method: http.MethodDelete, path: path, target: target}, nil)
	default:
		_, err = c.call(ctx, request{method: http.MethodPut, path: path, target: target, etag: etag, body: put}, nil)
	}
	return err
}
