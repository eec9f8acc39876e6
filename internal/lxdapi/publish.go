package lxdapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// publishJob is the image property by which a repeat of EnsurePublished finds its own.
const publishJob = "lxdfleet.job"

// EnsurePublished makes an image of a stopped instance (fleet.Conflict when it runs), without
// compression: the image is unpacked on each member once, and compressing costs more than the
// disk it saves. Where an image of the project has the same property lxdfleet.job, that one
// is given; the instance may be gone then.
func (c *Client) EnsurePublished(ctx context.Context, instance string, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error) {
	doing := "publish " + instance
	for range attempts {
		fingerprint, err = c.published(ctx, properties[publishJob])
		if fingerprint != "" || err != nil {
			return fingerprint, within(err, "%s", doing)
		}
		fingerprint, err = c.publish(ctx, instance, properties, progress)
		if err == nil {
			return fingerprint, nil
		}
		if ctx.Err() != nil || isCode(err, fleet.Unavailable, fleet.Forbidden, fleet.Exhausted) {
			break
		}
		now, _, look := c.instance(ctx, instance)
		switch {
		case look != nil:
			return "", within(look, "%s", doing)
		case now.StatusCode != api.Stopped:
			return "", within(fleet.Errorf(fleet.Conflict, "the instance %s is running", instance).WithHint("stop it first"), "%s", doing)
		}
		waited, look := c.settle(ctx, instance)
		if look != nil || !waited && !errors.Is(err, errVanished) {
			break
		}
	}
	return "", within(err, "%s", doing)
}

func (c *Client) published(ctx context.Context, job string) (fingerprint string, err error) {
	if job == "" {
		return "", nil
	}
	images, err := c.Images(ctx)
	if err != nil {
		return "", err
	}
	for _, image := range images {
		if image.Properties[publishJob] == job {
			return image.Fingerprint, nil
		}
	}
	return "", nil
}

func (c *Client) publish(ctx context.Context, instance string, properties map[string]string, progress func(fleet.Progress)) (string, error) {
	post := api.ImagesPost{
		ImagePut:             api.ImagePut{Properties: properties},
		Source:               &api.ImagesPostSource{Type: "instance", Name: instance},
		CompressionAlgorithm: "none",
	}
	op, err := c.run(ctx, request{method: http.MethodPost, path: "/images", body: post}, progress)
	if err != nil {
		return "", err
	}
	fingerprint, _ := op.Metadata["fingerprint"].(string)
	if fingerprint == "" {
		return "", errVanished // look for it by its property
	}
	return fingerprint, nil
}
