package images

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Properties of an LXD image that say what golden image it is. They are written when the
// image is published, never changed, and enough to rebuild lxdfleet's record of it.
const (
	PropName    = "lxdfleet.name"
	PropVersion = "lxdfleet.version"
	PropHealth  = "lxdfleet.health" // fleet.HealthCheck, JSON
	PropHooks   = "lxdfleet.hooks"  // names, separated by commas
	PropRecipe  = "lxdfleet.recipe" // hash of the bundle
	PropBase    = "lxdfleet.base"   // fingerprint of the base image
	PropJob     = "lxdfleet.job"    // the job that made it
	// PropBaseSpec is on base images only: the hash of what they were made from.
	PropBaseSpec = "lxdfleet.base-spec"

	propDescription = "description" // LXD's own
)

// properties gives the properties of a golden image.
func properties(g fleet.GoldenImage) (map[string]string, error) {
	health, err := json.Marshal(g.Health)
	if err != nil {
		return nil, fleet.Errorf(fleet.Internal, "encode the health check of %s: %w", g.Ref(), err)
	}
	p := map[string]string{
		PropName:        g.Name,
		PropVersion:     g.Version,
		PropHealth:      string(health),
		PropHooks:       strings.Join(g.Hooks, ","),
		PropRecipe:      g.RecipeHash,
		PropBase:        g.BaseFingerprint,
		PropJob:         g.JobID,
		propDescription: g.Description,
	}
	maps.DeleteFunc(p, func(_, v string) bool { return v == "" })
	return p, nil
}

// goldenImage reads the record back from an LXD image: from its properties, or, for an image
// imported without them, from an alias NAME/VERSION. ok is false where it is no golden image.
func goldenImage(img fleet.Image) (g fleet.GoldenImage, ok bool) {
	ref, ok := refOf(img)
	if !ok {
		return fleet.GoldenImage{}, false
	}
	g = described(img)
	g.Name, g.Version = ref.Name, ref.Version
	return g, true
}

// described gives what an image says of itself but its name.
func described(img fleet.Image) fleet.GoldenImage {
	p := img.Properties
	g := fleet.GoldenImage{
		Fingerprint: img.Fingerprint, Description: p[propDescription], Health: fleet.DefaultHealth(),
		RecipeHash: p[PropRecipe], BaseFingerprint: p[PropBase], JobID: p[PropJob],
		Size: img.Size, CreatedAt: img.CreatedAt,
	}
	if h := p[PropHealth]; h != "" {
		health := fleet.HealthCheck{}
		if err := json.Unmarshal([]byte(h), &health); err == nil && validHealth(health) {
			g.Health = health
		}
	}
	for hook := range strings.SplitSeq(p[PropHooks], ",") {
		if hook = strings.TrimSpace(hook); slices.Contains(HookNames(), hook) {
			g.Hooks = append(g.Hooks, hook)
		}
	}
	return g
}

func validHealth(h fleet.HealthCheck) bool {
	return h.Port >= 1 && h.Port <= 65535 && strings.HasPrefix(h.Path, "/") && h.Timeout > 0
}

// refOf tells which version an LXD image is. An alias NAME/VERSION must point at it: an image
// without is a build that did not end.
func refOf(img fleet.Image) (fleet.ImageRef, bool) {
	for _, alias := range img.Aliases {
		ref, err := fleet.ParseImageRef(alias)
		if err != nil || ref.Version == "" {
			continue
		}
		name := img.Properties[PropName]
		if name == "" || ref == (fleet.ImageRef{Name: name, Version: img.Properties[PropVersion]}) {
			return ref, true
		}
	}
	return fleet.ImageRef{}, false
}
