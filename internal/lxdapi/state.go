package lxdapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureStarted starts an instance; one that is frozen goes on. One request and one wait do
// where it is stopped.
func (c *Client) EnsureStarted(ctx context.Context, name string) error {
	action := "start"
	err := c.persist(ctx, name, func() error { return c.startWithIDs(ctx, name, action) },
		func(i *api.Instance, _ bool) (bool, error) {
			action = "start"
			if i.StatusCode == api.Frozen {
				action = "unfreeze"
			}
			return i.StatusCode == api.Running, nil
		})
	return within(err, "start %s", name)
}

// EnsureStopped stops an instance: cleanly where it manages within timeout (to the second,
// at least one), else by force, and says so. Where LXD fails to ask it to stop, which a busy member
// does now and then, LXD is asked once more.
func (c *Client) EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error) {
	deadline := time.Now().Add(timeout)
	asked, byForce := false, false
	err = c.persist(ctx, name, func() error {
		if left := time.Until(deadline); left > 0 {
			err := c.setState(ctx, name, "stop", max(left, time.Second), false)
			if asked || !isCode(err, fleet.Failed) || time.Until(deadline) < time.Second || pause(ctx, time.Second/2) != nil {
				return err
			}
			asked = true
			return c.setState(ctx, name, "stop", max(time.Until(deadline), time.Second), false)
		}
		byForce = true
		err := c.setState(ctx, name, "stop", 0, true)
		forced = err == nil
		return err
	}, func(i *api.Instance, waited bool) (bool, error) {
		if !waited || i.StatusCode == api.Frozen { // it will not stop cleanly
			deadline = time.Now()
		}
		if i.StatusCode == api.Stopped || !byForce {
			return i.StatusCode == api.Stopped, nil
		}
		return c.becomes(ctx, name, api.Stopped)
	})
	return forced, within(err, "stop %s", name)
}

// becomes reports whether an instance has the status within a moment: where it has stopped by itself, or
// the daemon that had it stopped was killed, LXD refuses to stop it, and says that it runs, until it has cleaned up.
func (c *Client) becomes(ctx context.Context, name string, status api.StatusCode) (bool, error) {
	for end := time.Now().Add(cleanUpTime); time.Now().Before(end); {
		if err := pause(ctx, busyPause); err != nil {
			return false, err
		}
		now, _, err := c.instance(ctx, name)
		if err != nil || now.StatusCode == status {
			return err == nil, err
		}
	}
	return false, nil
}

// cleanUpTime is how long LXD may take to clean up after an instance that has stopped.
const cleanUpTime = 5 * time.Second

// EnsureDeleted removes an instance with its snapshots, stopping it by force; a missing one is
// success, and one that LXD is still making is awaited first. Its member must be online
// (fleet.Unavailable).
func (c *Client) EnsureDeleted(ctx context.Context, name string) error {
	err := c.persist(ctx, name, func() error {
		_, err := c.run(ctx, request{method: http.MethodDelete, path: instancePath(name)}, nil)
		return err
	}, func(i *api.Instance, _ bool) (bool, error) {
		if i.StatusCode != api.Stopped {
			return false, c.forceStop(ctx, name)
		}
		return false, nil
	})
	if isCode(err, fleet.NotFound) {
		return nil
	}
	return within(err, "delete %s", name)
}

func (c *Client) forceStop(ctx context.Context, name string) error {
	err := c.setState(ctx, name, "stop", 0, true)
	if isCode(err, fleet.Unavailable) || ctx.Err() != nil {
		return err
	}
	return nil // the next attempt tells whether it is stopped
}

// EnsureRenamed gives a stopped instance another name. Where only `to` exists it was done
// before. Both exist: fleet.Taken; neither: fleet.NotFound; it runs: fleet.Conflict.
func (c *Client) EnsureRenamed(ctx context.Context, from, to string) error {
	if from == to {
		return nil
	}
	doing := "rename " + from + " to " + to
	var err error
	for range attempts {
		_, err = c.run(ctx, request{method: http.MethodPost, path: instancePath(from), body: api.InstancePost{Name: to}}, nil)
		if err == nil || ctx.Err() != nil || isCode(err, fleet.Unavailable, fleet.Forbidden) {
			break
		}
		failure := err
		_, _, target := c.instance(ctx, to)
		now, _, source := c.instance(ctx, from)
		switch {
		case isCode(source, fleet.NotFound) && target == nil:
			return nil
		case source != nil:
			return within(source, "%s", doing)
		case target == nil:
			return within(taken(to), "%s", doing)
		case now.StatusCode != api.Stopped:
			return within(fleet.Errorf(fleet.Conflict, "the instance %s is running", from).
				WithHint("stop it: LXD renames stopped instances only"), "%s", doing)
		}
		waited, settleErr := c.settle(ctx, from)
		if settleErr != nil || !waited && !errors.Is(failure, errVanished) {
			break
		}
	}
	return within(err, "%s", doing)
}

func (c *Client) setState(ctx context.Context, name, action string, timeout time.Duration, force bool) error {
	put := api.InstanceStatePut{Action: action, Timeout: -1, Force: force}
	if timeout > 0 {
		put.Timeout = int(timeout.Round(time.Second) / time.Second)
	}
	_, err := c.run(ctx, request{method: http.MethodPut, path: instancePath(name) + "/state", body: put}, nil)
	return err
}

// persist acts until the instance is as wanted. After a failure it waits for what others do to
// the instance and looks: where isDone says so, all is well; where another was in the way, or
// LXD forgot our operation, it acts again. Two failures with nobody in the way end it with the
// second's error.
func (c *Client) persist(ctx context.Context, name string, act func() error, isDone func(now *api.Instance, waited bool) (bool, error)) error {
	var err error
	alone := 0
	for range attempts {
		err = act()
		if err == nil || ctx.Err() != nil || isCode(err, fleet.Unavailable, fleet.Forbidden) {
			return err
		}
		waited, look := c.settle(ctx, name)
		if look != nil {
			return look
		}
		now, _, look := c.instance(ctx, name)
		if look != nil {
			return look
		}
		waited = waited || errors.Is(err, errVanished)
		done, look := isDone(&now, waited)
		if done || look != nil {
			return look
		}
		if isCode(err, fleet.Exhausted) { // no better for another try; but a stop may be done all the same
			return err
		}
		if !waited {
			if alone++; alone == 2 {
				return err
			}
		}
	}
	return err
}
