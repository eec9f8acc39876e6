package lxdapi

import (
	"context"
	"slices"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// needed are the API extensions this package cannot do without. LXD 5.0 has them all.
var needed = []string{
	"instances", "projects", "etag", "clustering", "resources",
	"event_lifecycle", "event_location", "event_project",
	"container_exec_signal_handling", "directory_manipulation", "console",
	"image_compression_algorithm", "instance_get_full",
}

// Missing says which API extensions lxdfleet needs and the server does not have.
func Missing(server fleet.Server) []string {
	var missing []string
	for _, extension := range needed {
		if !slices.Contains(server.Extensions, extension) {
			missing = append(missing, extension)
		}
	}
	return missing
}

func (c *Client) serverInfo(ctx context.Context) (api.Server, error) {
	var s api.Server
	err := c.getGlobal(ctx, "", nil, &s)
	return s, err
}

// Server tells about the server that answers: its version, its API extensions, and whether it
// is in a cluster.
func (c *Client) Server(ctx context.Context) (fleet.Server, error) {
	s, err := c.serverInfo(ctx)
	if err != nil {
		return fleet.Server{}, within(err, "read the server's state")
	}
	server := fleet.Server{
		Version: s.Environment.ServerVersion, Clustered: s.Environment.ServerClustered,
		Member: s.Environment.ServerName, Extensions: s.APIExtensions, Kernel: s.Environment.KernelVersion,
	}
	if len(s.Environment.Addresses) > 0 {
		server.Address = s.Environment.Addresses[0]
	}
	if !server.Clustered {
		server.Member = standAlone
	}
	return server, nil
}

// standAlone is the location LXD tells of instances on a server that is not in a cluster.
const standAlone = "none"
