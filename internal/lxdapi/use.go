package lxdapi

import (
	"context"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Use tells what an instance uses of its member. It costs LXD some ten milliseconds of CPU, so it
// is asked for a few instances at a time, not for all. fleet.NotFound where there is none.
func (c *Client) Use(ctx context.Context, name string) (fleet.InstanceUse, error) {
	var state api.InstanceState
	_, err := c.get(ctx, instancePath(name)+"/state", nil, &state)
	if isCode(err, fleet.NotFound) {
		err = notFound(name)
	}
	if err != nil {
		return fleet.InstanceUse{}, within(err, "read what %s uses", name)
	}
	return fleet.InstanceUse{
		Disk: fleet.Size(max(state.Disk["root"].Usage, 0)), Memory: fleet.Size(max(state.Memory.Usage, 0)),
		CPU: time.Duration(max(state.CPU.Usage, 0)), Processes: int(max(state.Processes, 0)),
	}, nil
}
