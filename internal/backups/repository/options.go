package repository

import (
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/kopia/kopia/repo/blob"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

// Options say where a repository is and how it is used.
type Options struct {
	// Location is file:///absolute/folder or s3://bucket/prefix.
	Location string
	// S3 is the server and the keys of an s3 location; Bucket and Prefix are the location's.
	S3 s3.Config
	// Passphrase opens the repository. It is not written anywhere.
	Passphrase string
	// CacheDir is a folder of this repository's own on this machine, made where it is missing.
	// It holds indexes, encrypted as they are in the repository, and may be removed when no
	// process uses it.
	CacheDir string
	Limits   Limits
	// Now is the clock; nil: the system's.
	Now func() time.Time

	under func(blob.Storage) blob.Storage // for tests: put between kopia and the place
}

// Limits bound what a repository takes of the machine and its line.
type Limits struct {
	UploadBytesPerSecond int64 // 0: any
	Parallel             int   // packs on their way at once, of each backup; 0: 4
}

// Lock says how long an S3 server is to refuse to have objects removed or changed (object lock).
// The bucket has to be made for it.
type Lock struct {
	For time.Duration // at least a day; 0: not at all
	// Compliance: nobody can shorten it, whatever rights they have. Otherwise the server's
	// administrators can.
	Compliance bool
}

const defaultParallel = 4

// location is a location taken apart.
type location struct {
	folder string // absolute; empty for a bucket
	bucket s3.Config
}

// where takes the location apart.
func (o Options) where() (location, error) {
	invalid := func(format string, args ...any) (location, error) {
		return location{}, fleet.Errorf(fleet.Invalid, format, args...).WithField("location").
			WithHint("write file:///absolute/folder or s3://bucket/prefix")
	}
	u, err := url.Parse(o.Location)
	if err != nil {
		return invalid("%q is not a location", o.Location)
	}
	switch {
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		return location{folder: filepath.Clean(u.Path)}, nil
	case u.Scheme == "s3" && u.Host != "":
		cfg := o.S3
		cfg.Bucket, cfg.Prefix = u.Host, strings.Trim(u.Path, "/")
		return location{bucket: cfg}, nil
	}
	return invalid("%q is not a location", o.Location)
}

func (o Options) check() error {
	if o.Passphrase == "" {
		return fleet.Errorf(fleet.Invalid, "the passphrase is empty").WithField("passphrase").WithHint("name a key file")
	}
	if !filepath.IsAbs(o.CacheDir) {
		return fleet.Errorf(fleet.Invalid, "%q is not an absolute path", o.CacheDir).WithField("cache_dir").
			WithHint("name a folder for the cache")
	}
	return nil
}

func (o Options) parallel() int {
	if o.Limits.Parallel > 0 {
		return o.Limits.Parallel
	}
	return defaultParallel
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}
