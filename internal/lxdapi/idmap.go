package lxdapi

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LXD chooses an isolated instance's user ids from those of the member's other instances, and
// reads an instance that is being made as one that has the ids from 0 on (findIdmap in LXD's
// lxd/instance/drivers/driver_lxc.go). Of several instances made at once all but the first
// get the ids from idmapSize on, which LXD may not use: they cannot start. This process makes
// one instance at a time on a member (Client.clones); what other processes make at the same
// time is mended when the start fails.

// idmapSize is how many ids an instance has where security.idmap.size does not say.
const idmapSize = 65536

const (
	keyIsolated = "security.idmap.isolated"
	keyIDBase   = "security.idmap.base"
	keyIDSize   = "security.idmap.size"
)

// renewTries bounds how often ids are chosen anew: each time others may be making instances.
const renewTries = 20

// startWithIDs starts an instance, and has LXD choose other ids for it where it cannot start
// with those it has.
func (c *Client) startWithIDs(ctx context.Context, name, action string) error {
	err := c.setState(ctx, name, action, 0, false)
	for range renewTries {
		if !isCode(err, fleet.Failed) {
			return err
		}
		now, _, look := c.instance(ctx, name)
		if look != nil || !hasForeignIDs(&now) {
			return err
		}
		if look := c.renewIDs(ctx, &now); look != nil {
			return look
		}
		err = c.setState(ctx, name, action, 0, false)
	}
	return err
}

// hasForeignIDs tells an instance with ids that LXD chose while another was being made.
func hasForeignIDs(i *api.Instance) bool {
	size := idmapSize
	if n, err := strconv.Atoi(i.ExpandedConfig[keyIDSize]); err == nil {
		size = n
	}
	return i.ExpandedConfig[keyIsolated] == "true" && i.StatusCode == api.Stopped &&
		i.Config[keyIDBase] == "" && i.Config["volatile.idmap.base"] == strconv.Itoa(size)
}

// renewIDs has LXD choose the instance's ids again, which it does when their number is set;
// the default, written out, changes nothing else.
func (c *Client) renewIDs(ctx context.Context, i *api.Instance) error {
	if err := pause(ctx, rand.N(400*time.Millisecond)); err != nil { // not in step with the others
		return err
	}
	size := strconv.Itoa(idmapSize)
	if i.Config[keyIDSize] == size {
		size = ""
	}
	unlock, err := c.clones.lock(ctx, targetOf(i.Location))
	if err != nil {
		return err
	}
	defer unlock()
	return c.SetConfig(ctx, i.Name, map[string]string{keyIDSize: size})
}

// sameIDs is the configuration that gives a copy the user ids that the source's files belong to
// on the disk. It is empty where the files are not shifted there, or the source has the ids that
// all instances share.
func sameIDs(source *api.Instance) map[string]string {
	var ranges []struct{ Hostid, Nsid, Maprange int64 }
	if source.ExpandedConfig[keyIsolated] != "true" ||
		json.Unmarshal([]byte(source.Config["volatile.last_state.idmap"]), &ranges) != nil || len(ranges) == 0 {
		return nil
	}
	for _, r := range ranges { // of user ids and of group ids
		if r != ranges[0] || r.Nsid != 0 {
			return nil
		}
	}
	return map[string]string{
		keyIsolated: "true", keyIDBase: strconv.FormatInt(ranges[0].Hostid, 10), keyIDSize: strconv.FormatInt(ranges[0].Maprange, 10),
	}
}
