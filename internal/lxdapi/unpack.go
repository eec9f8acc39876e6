package lxdapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureUnpacked has a member unpack an image into its pool, so that the first clone there
// need not wait for it. LXD has no request for that alone: an instance is made from the image
// and deleted. Where the image is unpacked already that takes a fraction of a second. One left
// by a crash is taken over by the next call.
func (c *Client) EnsureUnpacked(ctx context.Context, fingerprint, member string) error {
	name := unpackName(fingerprint, member)
	spec := fleet.CloneSpec{
		Name: name, Fingerprint: fingerprint, Member: member, Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: name, fleet.KeyRole: fleet.RoleUnpack},
	}
	if err := c.EnsureClone(ctx, spec, nil); err != nil {
		return within(err, "unpack the image %s on %s", fingerprint, member)
	}
	return within(c.EnsureDeleted(ctx, name), "unpack the image %s on %s", fingerprint, member)
}

// unpackName is the same for the same image and member, so that a repeat finds its own. A
// member's name may have letters that an instance's may not, so it is hashed.
func unpackName(fingerprint, member string) string {
	sum := sha256.Sum256([]byte(member))
	return fleet.ReservedPrefix + "unpack-" + fingerprint[:min(12, len(fingerprint))] + "-" + hex.EncodeToString(sum[:4])
}
