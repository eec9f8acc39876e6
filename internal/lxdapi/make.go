package lxdapi

import (
	"context"
	"errors"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// attempts bounds how often an ensure verb looks and tries again: each time something else
// has worked on the instance in between.
const attempts = 5

// making is an instance that is being made for a job.
type making struct {
	name, job string
	try       func() error
	why       func(failure error) error // the reason of a failure that left nothing behind
}

// make tries until the instance is there, and whole.
func (c *Client) make(ctx context.Context, m making) error {
	var err error
	for range attempts {
		err = m.try()
		if err == nil || ctx.Err() != nil || isCode(err, fleet.Unavailable, fleet.Forbidden) {
			return err
		}
		var done bool
		done, err = c.afterMaking(ctx, m, err)
		if done || err != nil {
			return err
		}
	}
	return err
}

// afterMaking looks at what is there after a failure, once nobody works on it any more.
// done: the instance is there after all; neither done nor an error: try again.
func (c *Client) afterMaking(ctx context.Context, m making, failure error) (done bool, err error) {
	waited, err := c.settle(ctx, m.name)
	if err != nil {
		return false, err
	}
	now, _, err := c.instance(ctx, m.name)
	switch {
	case isCode(err, fleet.NotFound) && (waited || errors.Is(failure, errVanished)):
		return false, nil
	case isCode(err, fleet.NotFound):
		return false, m.why(failure)
	case err != nil:
		return false, err
	case now.Config[fleet.KeyJob] != m.job:
		return false, taken(m.name)
	case isComplete(&now):
		return true, nil
	}
	return false, c.EnsureDeleted(ctx, m.name)
}

// isComplete tells a whole instance from one whose making was cut off: LXD marks an instance
// for its first start when its volume is there, and takes the mark away at the first start.
func isComplete(i *api.Instance) bool {
	return i.Config["volatile.apply_template"] != "" || i.Config["volatile.last_state.power"] != "" ||
		i.StatusCode == api.Running
}
