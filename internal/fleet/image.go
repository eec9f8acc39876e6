package fleet

import (
	"regexp"
	"strings"
	"time"
)

// ImageRef names a golden image: NAME/VERSION, or NAME alone for the current version.
type ImageRef struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

var (
	imageNameRule    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	imageVersionRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
)

// ParseImageRef reads NAME or NAME/VERSION. NAME has the rule of a tenant's name; VERSION
// is 1 to 63 letters, digits, dots, underscores and hyphens. The error is of code Invalid
// and field "image".
func ParseImageRef(s string) (ImageRef, error) {
	name, version, versioned := strings.Cut(s, "/")
	if !imageNameRule.MatchString(name) || versioned && !imageVersionRule.MatchString(version) {
		return ImageRef{}, Errorf(Invalid, "%q is not an image name", s).WithField("image").
			WithHint("write NAME or NAME/VERSION, such as wordpress or wordpress/6.1-1")
	}
	return ImageRef{Name: name, Version: version}, nil
}

// String writes NAME/VERSION, or NAME where there is no version. Both are LXD aliases.
func (r ImageRef) String() string {
	if r.Version == "" {
		return r.Name
	}
	return r.Name + "/" + r.Version
}

// GoldenImage is one version of a golden image, as lxdfleet records it.
type GoldenImage struct {
	Name        string      `json:"name"`
	Version     string      `json:"version"`
	Fingerprint string      `json:"fingerprint"` // SHA-256 of the image, LXD's identifier
	Description string      `json:"description,omitempty"`
	Health      HealthCheck `json:"health"`
	Hooks       []string    `json:"hooks,omitempty"` // names of the hooks in the image
	// RecipeHash is the SHA-256 of the recipe bundle it was built from, and BaseFingerprint
	// the image it started from; both empty for an imported image.
	RecipeHash      string    `json:"recipe_hash,omitempty"`
	BaseFingerprint string    `json:"base_fingerprint,omitempty"`
	Size            Size      `json:"size"`
	Current         bool      `json:"current"`           // the alias NAME points here
	Members         []string  `json:"members,omitempty"` // members it is unpacked on
	JobID           string    `json:"job_id,omitempty"`  // the job that made it
	CreatedAt       time.Time `json:"created_at"`
}

// Ref gives the image's full reference.
func (g GoldenImage) Ref() ImageRef { return ImageRef{Name: g.Name, Version: g.Version} }

// HookDir is the folder inside an instance that holds its hooks.
const HookDir = "/usr/lib/lxdfleet/hooks"

// Image is an image as LXD has it.
type Image struct {
	Fingerprint string
	Aliases     []string
	Properties  map[string]string
	Size        Size
	CreatedAt   time.Time
}
