package lxdapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// errVanished: an operation we waited for is not known any more. It may have ended well, or
// LXD was restarted; the instance tells.
var errVanished = errors.New("LXD has forgotten the operation")

func internal(err error) error { return fleet.Errorf(fleet.Internal, "speak to LXD: %w", err) }

// transportError says why no answer came.
func transportError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*fleet.Error](err); ok { // from dialSocket
		return e
	}
	return fleet.Errorf(fleet.Unavailable, "LXD does not answer: %w", err).
		WithHint("see whether LXD runs and can be reached; this works again once it does")
}

// statusError reads LXD's answer to a request it refuses.
func statusError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var answer api.Response
	if json.Unmarshal(text, &answer) != nil || answer.Error == "" {
		answer.Error = http.StatusText(resp.StatusCode)
	}
	err := api.NewStatusError(resp.StatusCode, answer.Error)
	e := fleet.Errorf(codeOfStatus(resp.StatusCode), "LXD says: %w", err)
	switch {
	case e.Code == fleet.Failed && isDiskFull(answer.Error):
		return diskFull(err)
	case e.Code == fleet.Failed && isPoolFull(answer.Error):
		return poolFull(err)
	case isAway(answer.Error):
		return away(err)
	}
	return e
}

func codeOfStatus(status int) fleet.Code {
	switch status {
	case http.StatusNotFound:
		return fleet.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return fleet.Conflict
	case http.StatusBadRequest:
		return fleet.Invalid
	case http.StatusUnauthorized, http.StatusForbidden:
		return fleet.Forbidden
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return fleet.Unavailable
	case http.StatusNotImplemented:
		return fleet.Unsupported
	}
	return fleet.Failed
}

// operationError is the outcome of an operation that failed. LXD gives no code with it.
func operationError(op api.Operation) error {
	if isDiskFull(op.Err) {
		return diskFull(errors.New(op.Err))
	}
	if isPoolFull(op.Err) {
		return poolFull(errors.New(op.Err))
	}
	if isAway(op.Err) {
		return away(errors.New(op.Err))
	}
	if op.StatusCode == api.Cancelled {
		return fleet.Errorf(fleet.Cancelled, "LXD cancelled it")
	}
	return fleet.Errorf(fleet.Failed, "LXD says: %s", op.Err)
}

// isPoolFull tells from LXD's text that a storage pool has no room: LXD passes on what the
// file system or its tools print, and has no code for it.
func isPoolFull(text string) bool {
	text = strings.ToLower(text)
	for _, sign := range []string{
		"no space left on device", // ENOSPC, also printed by unsquashfs, tar and rsync
		"out of space",            // zfs: "cannot create …: out of space"
		"insufficient free space", // lvm: "… has insufficient free space"
	} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// isDiskFull tells from LXD's text that the disk of an instance has no room: it is as large as its
// plan allows, whatever room the pool has. LXD keeps a file of its own on that disk, and so can
// neither take a snapshot nor change the configuration, nor start the instance again.
func isDiskFull(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "disk quota exceeded") || // EDQUOT: zfs and btrfs with a size
		strings.Contains(text, "saving config file for the container failed") // the same, said by liblxc
}

// isAway tells from LXD's text that what it needs is on members that it does not hear of. So it is
// also for some seconds after LXD was started, until its first round of heartbeats.
func isAway(text string) bool {
	return strings.Contains(text, "not available on any online") // "… node" in 5.0, "… member" later
}

func away(err error) error {
	return fleet.Errorf(fleet.Unavailable, "LXD does not reach the members that have the image: %w", err).
		WithHint("see `lxc cluster list`; try again when they are online")
}

// isBusy tells from LXD's text that it refuses an operation because of another one. The other
// need not be in its list of operations: LXD cleans up after a stop without one.
func isBusy(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Instance is busy running")
}

func poolFull(err error) error {
	return fleet.Errorf(fleet.Exhausted, "the storage pool is full: %w", err).
		WithHint("free space, grow the pool, or choose another member")
}

func diskFull(err error) error {
	return fleet.Errorf(fleet.Exhausted, "the disk of the instance is full: %w", err).
		WithHint("delete files in it, or give it a larger plan: lxdfleet tenant resize NAME PLAN")
}

func notFound(name string) error {
	return fleet.Errorf(fleet.NotFound, "the instance %s does not exist", name)
}

func taken(name string) error {
	return fleet.Errorf(fleet.Taken, "the name %s belongs to another instance", name).
		WithField("name").WithHint("choose another name, or delete that instance")
}

func offline(member string) error {
	return fleet.Errorf(fleet.Unavailable, "the member %s is offline", member).
		WithHint("start LXD on it, or choose another member")
}

// isCode reports whether err is a fleet error of one of the codes.
func isCode(err error, codes ...fleet.Code) bool {
	for _, code := range codes {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
