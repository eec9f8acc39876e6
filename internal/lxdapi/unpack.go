package lxdapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureUnpacked has a member unpack an image into its pool, so that the first clone there
// need not wait for it. LXD has no request for that alone: an instance is made from the image
// and deleted, but for images the pool tells it has. An instance left by a crash is removed
// by the next call.
func (c *Client) EnsureUnpacked(ctx context.Context, fingerprint, member string) error {
	return within(c.unpack(ctx, fingerprint, member), "unpack the image %s on %s", fingerprint, member)
}

func (c *Client) unpack(ctx context.Context, fingerprint, member string) error {
	name := unpackName(fingerprint, member)
	there, err := c.isUnpacked(ctx, fingerprint, member)
	if err != nil {
		return err
	}
	if there { // or being unpacked by another's instance: deleting that one waits for it
		return c.EnsureDeleted(ctx, name)
	}
	spec := fleet.CloneSpec{
		Name: name, Fingerprint: fingerprint, Member: member, Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: name, fleet.KeyRole: fleet.RoleUnpack},
	}
	if err := c.EnsureClone(ctx, spec, nil); err != nil {
		return err
	}
	return c.EnsureDeleted(ctx, name)
}

// isUnpacked asks a member's pool for the image's volume.
func (c *Client) isUnpacked(ctx context.Context, fingerprint, member string) (bool, error) {
	pool, err := c.poolName(ctx)
	if err != nil || pool == "" {
		return false, err
	}
	r := request{
		method: http.MethodGet,
		path:   "/storage-pools/" + url.PathEscape(pool) + "/volumes/image/" + url.PathEscape(fingerprint),
	}
	if member != standAlone {
		r.target = member
	}
	_, err = c.call(ctx, r, nil)
	if isCode(err, fleet.NotFound) { // the image, the member or only its volume: the clone tells
		return false, nil
	}
	return err == nil, err
}

// unpackName is the same for the same image and member, so that a repeat finds its own. A
// member's name may have letters that an instance's may not, so it is hashed.
func unpackName(fingerprint, member string) string {
	sum := sha256.Sum256([]byte(member))
	return fleet.ReservedPrefix + "unpack-" + fingerprint[:min(12, len(fingerprint))] + "-" + hex.EncodeToString(sum[:4])
}
