package lxdapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Images lists the project's images by fingerprint.
func (c *Client) Images(ctx context.Context) ([]fleet.Image, error) {
	var found []api.Image
	if _, err := c.get(ctx, "/images", recursion("1"), &found); err != nil {
		return nil, within(err, "list the images")
	}
	images := make([]fleet.Image, len(found))
	for i := range found {
		images[i] = imageOf(&found[i])
	}
	slices.SortFunc(images, func(a, b fleet.Image) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return images, nil
}

func imageOf(i *api.Image) fleet.Image {
	image := fleet.Image{
		Fingerprint: i.Fingerprint, Properties: i.Properties, Size: fleet.Size(i.Size), CreatedAt: i.UploadedAt,
	}
	for _, alias := range i.Aliases {
		image.Aliases = append(image.Aliases, alias.Name)
	}
	slices.Sort(image.Aliases)
	return image
}

func imagePath(fingerprint string) string { return "/images/" + url.PathEscape(fingerprint) }

func aliasPath(alias string) string { return "/images/aliases/" + url.PathEscape(alias) }

// Image finds an image by alias or whole fingerprint; fleet.NotFound.
func (c *Client) Image(ctx context.Context, aliasOrFingerprint string) (fleet.Image, error) {
	fingerprint := aliasOrFingerprint
	if !isFingerprint(fingerprint) {
		var alias api.ImageAliasesEntry
		if _, err := c.get(ctx, aliasPath(aliasOrFingerprint), nil, &alias); err != nil {
			return fleet.Image{}, imageError(err, aliasOrFingerprint)
		}
		fingerprint = alias.Target
	}
	var i api.Image
	if _, err := c.get(ctx, imagePath(fingerprint), nil, &i); err != nil {
		return fleet.Image{}, imageError(err, aliasOrFingerprint)
	}
	return imageOf(&i), nil
}

func imageError(err error, ref string) error {
	if isCode(err, fleet.NotFound) {
		return fleet.Errorf(fleet.NotFound, "the image %s does not exist", ref)
	}
	return within(err, "read the image %s", ref)
}

func isFingerprint(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// EnsureImported stores a unified image tarball, streaming it, and gives its fingerprint: the
// SHA-256 of what r gives. An image that is there already keeps its properties; it is not sent
// again where r can be rewound (an *os.File).
func (c *Client) EnsureImported(ctx context.Context, r io.Reader, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error) {
	const doing = "import an image"
	header := http.Header{"X-LXD-public": {"false"}, "X-LXD-filename": {"lxdfleet.tar"}}
	if seeker, ok := r.(io.ReadSeeker); ok {
		fingerprint, err := hashOf(ctx, seeker)
		if err != nil {
			return "", within(err, doing)
		}
		if _, err := c.Image(ctx, fingerprint); !isCode(err, fleet.NotFound) {
			return fingerprint, within(err, doing)
		}
		header.Set("X-LXD-fingerprint", fingerprint)
	}
	if len(properties) > 0 {
		q := url.Values{}
		for key, value := range properties {
			q.Set(key, value)
		}
		header.Set("X-LXD-properties", q.Encode())
	}
	sum := sha256.New()
	body := &upload{r: io.TeeReader(r, sum), progress: progress}
	_, err = c.run(ctx, request{method: http.MethodPost, path: "/images", body: body, header: header}, nil)
	if body.err != nil && ctx.Err() == nil {
		return "", within(body.err, "read the image to import")
	}
	fingerprint = hex.EncodeToString(sum.Sum(nil))
	if err == nil {
		return fingerprint, nil
	}
	if isCode(err, fleet.Unavailable, fleet.Exhausted) || ctx.Err() != nil {
		return "", within(err, doing)
	}
	if _, look := c.Image(ctx, fingerprint); look == nil {
		return fingerprint, nil
	}
	return "", within(err, doing)
}

// ReadImage gives the tarball of a unified image, whose SHA-256 is its fingerprint, and its size;
// the caller closes it. fleet.NotFound; fleet.Unsupported for an image of two files.
func (c *Client) ReadImage(ctx context.Context, fingerprint string) (content io.ReadCloser, size int64, err error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: imagePath(fingerprint) + "/export"})
	if err != nil {
		return nil, 0, imageError(err, fingerprint)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if strings.HasPrefix(kind, "multipart/") || resp.ContentLength < 0 {
		_ = resp.Body.Close()
		return nil, 0, fleet.Errorf(fleet.Unsupported, "the image %.12s is no single tarball", fingerprint).
			WithHint("export it yourself: lxc image export %.12s", fingerprint)
	}
	return resp.Body, resp.ContentLength, nil
}

func hashOf(ctx context.Context, r io.ReadSeeker) (string, error) {
	sum := sha256.New()
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(sum, &contextReader{ctx, r}); err != nil {
		return "", err
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// upload tells how far an upload is, and keeps the error of its source apart from those of
// the connection.
type upload struct {
	r        io.Reader
	progress func(fleet.Progress)
	sent     int64
	told     int64
	err      error
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.sent += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		u.err = err
	}
	if u.progress != nil && u.sent-u.told >= 1<<20 {
		u.told = u.sent
		u.progress(fleet.Progress{Message: "sent " + fleet.Size(u.sent/1e6*1e6).String(), Bytes: u.sent})
	}
	return n, err
}

// EnsureRemoteImage has LXD download an image from another server ("simplestreams" or "lxd")
// and gives its fingerprint. LXD does not download again what it has.
func (c *Client) EnsureRemoteImage(ctx context.Context, server, protocol, alias string, progress func(fleet.Progress)) (fingerprint string, err error) {
	post := api.ImagesPost{Source: &api.ImagesPostSource{
		Type: api.SourceTypeImage, Mode: "pull",
		ImageSource: api.ImageSource{Server: server, Protocol: protocol, Alias: alias, ImageType: "container"},
	}}
	op, err := c.run(ctx, request{method: http.MethodPost, path: "/images", body: post}, progress)
	if err != nil {
		return "", within(err, "download the image %s from %s", alias, server)
	}
	fingerprint, _ = op.Metadata["fingerprint"].(string)
	if fingerprint == "" {
		return "", fleet.Errorf(fleet.Failed, "download the image %s from %s: LXD does not tell its fingerprint", alias, server)
	}
	return fingerprint, nil
}

// EnsureAlias points an alias at an image, making or moving it. A missing image is
// fleet.NotFound.
func (c *Client) EnsureAlias(ctx context.Context, alias, fingerprint string) error {
	doing := "point the alias " + alias + " at " + fingerprint
	if _, err := c.Image(ctx, fingerprint); err != nil {
		return within(err, "%s", doing)
	}
	for created := false; ; {
		var now api.ImageAliasesEntry
		etag, err := c.get(ctx, aliasPath(alias), nil, &now)
		if isCode(err, fleet.NotFound) && !created {
			post := api.ImageAliasesPost{ImageAliasesEntry: api.ImageAliasesEntry{Name: alias, Target: fingerprint}}
			_, err = c.call(ctx, request{method: http.MethodPost, path: "/images/aliases", body: post}, nil)
			if created = isCode(err, fleet.Conflict, fleet.Failed, fleet.Invalid); created {
				continue // another made it meanwhile
			}
			return within(err, "%s", doing)
		}
		if err != nil || now.Target == fingerprint {
			return within(err, "%s", doing)
		}
		put := api.ImageAliasesEntryPut{Description: now.Description, Target: fingerprint}
		_, err = c.call(ctx, request{method: http.MethodPut, path: aliasPath(alias), body: put, etag: etag}, nil)
		if preconditionFailed(err) {
			continue
		}
		return within(err, "%s", doing)
	}
}

// EnsureAliasDeleted removes an alias, not its image; a missing one is success.
func (c *Client) EnsureAliasDeleted(ctx context.Context, alias string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: aliasPath(alias)}, nil)
	if isCode(err, fleet.NotFound) {
		return nil
	}
	return within(err, "delete the alias %s", alias)
}

// EnsureImageDeleted removes an image, its aliases and its unpacked copies; a missing one is
// success. Instances cloned from it live on. All members must be online (fleet.Unavailable).
func (c *Client) EnsureImageDeleted(ctx context.Context, fingerprint string) error {
	_, err := c.run(ctx, request{method: http.MethodDelete, path: imagePath(fingerprint)}, nil)
	if err == nil || isCode(err, fleet.NotFound) {
		return nil
	}
	if ctx.Err() == nil && !isCode(err, fleet.Unavailable) {
		if _, look := c.Image(ctx, fingerprint); isCode(look, fleet.NotFound) {
			return nil
		}
		err = c.anyOffline(ctx, err) // each member has a copy to remove
	}
	return within(err, "delete the image %s", fingerprint)
}
