package lxdapi

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func baseName(p string) string {
	p, _, _ = strings.Cut(p, "?")
	return path.Base(p)
}

// EnsureProject makes the client's LXD project or changes it to be as spec says;
// configuration keys that spec does not name stay. change is "created", "updated" or "".
func (c *Client) EnsureProject(ctx context.Context, spec fleet.ProjectSpec) (change string, err error) {
	if spec.Name != c.project {
		return "", fleet.Errorf(fleet.Invalid, "this client works on the LXD project %s, not %s", c.project, spec.Name)
	}
	doing := "make the LXD project " + spec.Name
	for {
		var now api.Project
		etag, err := c.call(ctx, request{method: http.MethodGet, path: projectPath(spec.Name), global: true}, &now)
		if isCode(err, fleet.NotFound) {
			err = c.createProject(ctx, spec)
			if isCode(err, fleet.Conflict) { // another made it meanwhile
				continue
			}
			return "created", within(err, "%s", doing)
		}
		if err != nil {
			return "", within(err, "%s", doing)
		}
		want := api.ProjectPut{Description: spec.Description, Config: maps.Clone(now.Config)}
		maps.Copy(want.Config, spec.Config)
		if now.Description == want.Description && maps.Equal(now.Config, want.Config) {
			return "", nil
		}
		_, err = c.call(ctx, request{method: http.MethodPut, path: projectPath(spec.Name), global: true, etag: etag, body: want}, nil)
		if preconditionFailed(err) {
			continue
		}
		return "updated", within(err, "%s", doing)
	}
}

func projectPath(name string) string { return "/projects/" + url.PathEscape(name) }

func (c *Client) createProject(ctx context.Context, spec fleet.ProjectSpec) error {
	post := api.ProjectsPost{Name: spec.Name, ProjectPut: api.ProjectPut{Description: spec.Description, Config: spec.Config}}
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/projects", global: true, body: post}, nil)
	if err == nil || isCode(err, fleet.Conflict) {
		return err
	}
	// LXD 5.0 answers 400 where the project exists.
	if _, look := c.call(ctx, request{method: http.MethodGet, path: projectPath(spec.Name), global: true}, nil); look == nil {
		return fleet.Errorf(fleet.Conflict, "the project exists: %w", err)
	}
	return err
}

// DeleteProject removes the client's own project with its images and profiles. It fails with
// fleet.Conflict while there are instances; a missing project is success.
func (c *Client) DeleteProject(ctx context.Context) error {
	doing := "delete the LXD project " + c.project
	var now api.Project
	_, err := c.call(ctx, request{method: http.MethodGet, path: projectPath(c.project), global: true}, &now)
	if isCode(err, fleet.NotFound) {
		return nil
	}
	if err != nil {
		return within(err, "%s", doing)
	}
	var names []string
	if _, err := c.get(ctx, "/instances", nil, &names); err != nil {
		return within(err, "%s", doing)
	}
	if len(names) > 0 {
		return fleet.Errorf(fleet.Conflict, "the LXD project %s has %d instances", c.project, len(names)).
			WithHint("delete its instances first")
	}
	if err := c.emptyProject(ctx, now); err != nil {
		return within(err, "%s", doing)
	}
	_, err = c.call(ctx, request{method: http.MethodDelete, path: projectPath(c.project), global: true}, nil)
	if isCode(err, fleet.NotFound) {
		return nil
	}
	return within(err, "%s", doing)
}

// emptyProject removes the images and profiles a project has of its own.
func (c *Client) emptyProject(ctx context.Context, p api.Project) error {
	if p.Config["features.images"] != "false" {
		images, err := c.Images(ctx)
		if err != nil {
			return err
		}
		for _, image := range images {
			if err := c.EnsureImageDeleted(ctx, image.Fingerprint); err != nil {
				return err
			}
		}
	}
	if p.Config["features.profiles"] == "false" {
		return nil
	}
	profiles, err := c.Profiles(ctx)
	if err != nil {
		return err
	}
	for _, profile := range profiles {
		if profile.Name == "default" {
			continue
		}
		_, err := c.call(ctx, request{method: http.MethodDelete, path: profilePath(profile.Name)}, nil)
		if err != nil && !isCode(err, fleet.NotFound) {
			return err
		}
	}
	return nil
}

func profilePath(name string) string { return "/profiles/" + url.PathEscape(name) }

// EnsureProfile makes a profile or changes it to be exactly as spec says. change is
// "created", "updated" or "".
func (c *Client) EnsureProfile(ctx context.Context, spec fleet.ProfileSpec) (change string, err error) {
	doing := "make the profile " + spec.Name
	want := api.ProfilePut{Description: spec.Description, Config: map[string]string{}, Devices: map[string]map[string]string{}}
	maps.Copy(want.Config, spec.Config)
	maps.Copy(want.Devices, spec.Devices)
	for created := false; ; {
		var now api.Profile
		etag, err := c.get(ctx, profilePath(spec.Name), nil, &now)
		if isCode(err, fleet.NotFound) && !created {
			post := api.ProfilesPost{Name: spec.Name, ProfilePut: want}
			_, err = c.call(ctx, request{method: http.MethodPost, path: "/profiles", body: post}, nil)
			if created = err != nil; created { // perhaps another made it meanwhile: look again
				if _, look := c.get(ctx, profilePath(spec.Name), nil, nil); look == nil {
					continue
				}
			}
			return "created", within(err, "%s", doing)
		}
		if err != nil {
			return "", within(err, "%s", doing)
		}
		if now.Description == want.Description && maps.Equal(now.Config, want.Config) && reflect.DeepEqual(now.Devices, want.Devices) {
			return "", nil
		}
		_, err = c.call(ctx, request{method: http.MethodPut, path: profilePath(spec.Name), etag: etag, body: want}, nil)
		if preconditionFailed(err) {
			continue
		}
		return "updated", within(err, "%s", doing)
	}
}

func preconditionFailed(err error) bool {
	return err != nil && api.StatusErrorCheck(err, http.StatusPreconditionFailed)
}

// Profiles lists the profiles of the project by name.
func (c *Client) Profiles(ctx context.Context) ([]fleet.ProfileSpec, error) {
	var found []api.Profile
	if _, err := c.get(ctx, "/profiles", recursion("1"), &found); err != nil {
		return nil, within(err, "list the profiles")
	}
	specs := make([]fleet.ProfileSpec, len(found))
	for i, p := range found {
		specs[i] = fleet.ProfileSpec{Name: p.Name, Description: p.Description, Config: p.Config, Devices: p.Devices}
	}
	slices.SortFunc(specs, func(a, b fleet.ProfileSpec) int { return strings.Compare(a.Name, b.Name) })
	return specs, nil
}
