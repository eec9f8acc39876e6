package lxdfake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Images lists the images by fingerprint.
func (l *LXD) Images(ctx context.Context) (_ []fleet.Image, err error) {
	end, err := l.begin(ctx, "Images", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	list := make([]fleet.Image, 0, len(l.images))
	for fingerprint := range l.images {
		list = append(list, l.imageView(fingerprint))
	}
	slices.SortFunc(list, func(a, b fleet.Image) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return list, nil
}

func (l *LXD) imageView(fingerprint string) fleet.Image {
	v := l.images[fingerprint].Image
	v.Properties = maps.Clone(v.Properties)
	v.Aliases = nil
	for alias, f := range l.aliases {
		if f == fingerprint {
			v.Aliases = append(v.Aliases, alias)
		}
	}
	slices.Sort(v.Aliases)
	return v
}

// Image finds an image by alias or whole fingerprint; fleet.NotFound.
func (l *LXD) Image(ctx context.Context, aliasOrFingerprint string) (_ fleet.Image, err error) {
	end, err := l.begin(ctx, "Image", aliasOrFingerprint)
	if err != nil {
		return fleet.Image{}, err
	}
	defer end(&err)
	fingerprint := aliasOrFingerprint
	if f, ok := l.aliases[aliasOrFingerprint]; ok {
		fingerprint = f
	}
	if l.images[fingerprint] == nil {
		return fleet.Image{}, noImage(aliasOrFingerprint)
	}
	return l.imageView(fingerprint), nil
}

func noImage(ref string) error {
	return fleet.Errorf(fleet.NotFound, "the image %s does not exist", ref)
}

func fingerprintOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// AddImage puts an image there as it is, with its aliases; an empty fingerprint is made up
// from them. It gives the fingerprint.
func (l *LXD) AddImage(img fleet.Image) (fingerprint string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if img.Fingerprint == "" {
		img.Fingerprint = fingerprintOf(img.Aliases...)
	}
	l.addImage(img)
	for _, alias := range img.Aliases {
		l.aliases[alias] = img.Fingerprint
	}
	return img.Fingerprint
}

func (l *LXD) addImage(img fleet.Image) {
	properties := map[string]string{}
	maps.Copy(properties, img.Properties)
	img.Properties = properties
	if img.CreatedAt.IsZero() {
		img.CreatedAt = wholeSeconds(time.Now())
	}
	l.images[img.Fingerprint] = &image{Image: img, unpacked: map[string]bool{}}
	l.emit("image-created", "", "")
}

// EnsureImported stores r as an image; its fingerprint is the SHA-256 of what r gives. An
// image that is there already keeps its properties.
func (l *LXD) EnsureImported(ctx context.Context, r io.Reader, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error) {
	var content bytes.Buffer
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(hash, &content), r)
	if err != nil {
		return "", err
	}
	fingerprint = hex.EncodeToString(hash.Sum(nil))
	end, err := l.begin(ctx, "EnsureImported", fingerprint)
	if err != nil {
		return "", err
	}
	defer end(&err)
	if l.images[fingerprint] == nil {
		l.addImage(fleet.Image{Fingerprint: fingerprint, Properties: properties, Size: fleet.Size(size)})
		l.images[fingerprint].content = content.Bytes()
	}
	if progress != nil {
		progress(fleet.Progress{Message: "imported", Percent: 100, Bytes: size})
	}
	return fingerprint, nil
}

// ReadImage gives what EnsureImported was given; fleet.Unsupported for an image that came otherwise.
func (l *LXD) ReadImage(ctx context.Context, fingerprint string) (_ io.ReadCloser, size int64, err error) {
	end, err := l.begin(ctx, "ReadImage", fingerprint)
	if err != nil {
		return nil, 0, err
	}
	defer end(&err)
	img := l.images[fingerprint]
	if img == nil {
		return nil, 0, fleet.Errorf(fleet.NotFound, "the image %s does not exist", fingerprint)
	}
	if img.content == nil {
		return nil, 0, fleet.Errorf(fleet.Unsupported, "the image %.12s is no single tarball", fingerprint).WithHint("export it yourself")
	}
	return io.NopCloser(bytes.NewReader(img.content)), int64(len(img.content)), nil
}

// EnsureRemoteImage takes an image from Options.Remote.
func (l *LXD) EnsureRemoteImage(ctx context.Context, server, protocol, alias string, progress func(fleet.Progress)) (fingerprint string, err error) {
	end, err := l.begin(ctx, "EnsureRemoteImage", alias)
	if err != nil {
		return "", err
	}
	defer end(&err)
	img := fleet.Image{Fingerprint: fingerprintOf(server, protocol, alias), Size: 100 * fleet.MiB}
	if l.opts.Remote != nil {
		if img, err = l.opts.Remote(server, protocol, alias); err != nil {
			return "", err
		}
	}
	if l.images[img.Fingerprint] == nil {
		l.addImage(img)
	}
	if progress != nil {
		progress(fleet.Progress{Message: "downloaded", Percent: 100})
	}
	return img.Fingerprint, nil
}

// publishJob is the image property by which a repeat of EnsurePublished finds its own.
const publishJob = "lxdfleet.job"

// EnsurePublished makes an image of a stopped instance; running: fleet.Conflict. Where an
// image has the same property lxdfleet.job that one is given.
func (l *LXD) EnsurePublished(ctx context.Context, name string, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error) {
	end, err := l.begin(ctx, "EnsurePublished", name)
	if err != nil {
		return "", err
	}
	defer end(&err)
	job := properties[publishJob]
	for f, img := range l.images {
		if job != "" && img.Properties[publishJob] == job {
			return f, nil
		}
	}
	i, err := l.find(name)
	if err != nil {
		return "", err
	}
	if i.status != fleet.InstanceStopped {
		return "", fleet.Errorf(fleet.Conflict, "the instance %s is running", name).WithHint("stop it first")
	}
	l.made++
	fingerprint = fingerprintOf(name, job, string(rune(l.made)))
	l.addImage(fleet.Image{Fingerprint: fingerprint, Properties: properties, Size: l.opts.InstanceSize})
	if progress != nil {
		progress(fleet.Progress{Message: "published", Percent: 100})
	}
	return fingerprint, nil
}

// EnsureAlias points an alias at an image; a missing image is fleet.NotFound.
func (l *LXD) EnsureAlias(ctx context.Context, alias, fingerprint string) (err error) {
	end, err := l.begin(ctx, "EnsureAlias", alias)
	if err != nil {
		return err
	}
	defer end(&err)
	if l.images[fingerprint] == nil {
		return noImage(fingerprint)
	}
	if l.aliases[alias] != fingerprint {
		l.aliases[alias] = fingerprint
		l.emit("image-alias-updated", "", "")
	}
	return nil
}

// EnsureAliasDeleted removes an alias; a missing one is success.
func (l *LXD) EnsureAliasDeleted(ctx context.Context, alias string) (err error) {
	end, err := l.begin(ctx, "EnsureAliasDeleted", alias)
	if err != nil {
		return err
	}
	defer end(&err)
	delete(l.aliases, alias)
	return nil
}

// EnsureImageDeleted removes an image and its aliases; a missing one is success.
func (l *LXD) EnsureImageDeleted(ctx context.Context, fingerprint string) (err error) {
	end, err := l.begin(ctx, "EnsureImageDeleted", fingerprint)
	if err != nil {
		return err
	}
	defer end(&err)
	if l.images[fingerprint] == nil {
		return nil
	}
	delete(l.images, fingerprint)
	maps.DeleteFunc(l.aliases, func(_, f string) bool { return f == fingerprint })
	l.emit("image-deleted", "", "")
	return nil
}

// EnsureUnpacked marks the image as unpacked on the member.
func (l *LXD) EnsureUnpacked(ctx context.Context, fingerprint, memberName string) (err error) {
	end, err := l.begin(ctx, "EnsureUnpacked", fingerprint)
	if err != nil {
		return err
	}
	defer end(&err)
	m, err := l.place(fleet.CloneSpec{Fingerprint: fingerprint, Member: memberName})
	if err != nil {
		return err
	}
	l.images[fingerprint].unpacked[m.name] = true
	return nil
}

// Unpacked tells whether an image is unpacked on a member.
func (l *LXD) Unpacked(fingerprint, memberName string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	img := l.images[fingerprint]
	return img != nil && img.unpacked[memberName]
}
