package lxdfake

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EnsureProject makes the LXD project or changes it to be as spec says; configuration keys
// that spec does not name stay.
func (l *LXD) EnsureProject(ctx context.Context, spec fleet.ProjectSpec) (change string, err error) {
	end, err := l.begin(ctx, "EnsureProject", spec.Name)
	if err != nil {
		return "", err
	}
	defer end(&err)
	if spec.Name != l.opts.Project {
		return "", fleet.Errorf(fleet.Invalid, "this client works on the LXD project %s, not %s", l.opts.Project, spec.Name)
	}
	if l.project == nil {
		l.makeProject(spec)
		l.emit("project-created", "", "")
		return "created", nil
	}
	config := maps.Clone(l.project.Config)
	if config == nil {
		config = map[string]string{}
	}
	maps.Copy(config, spec.Config)
	if l.project.Description == spec.Description && maps.Equal(config, l.project.Config) {
		return "", nil
	}
	l.project.Description, l.project.Config = spec.Description, config
	l.emit("project-updated", "", "")
	return "updated", nil
}

// DeleteProject removes the LXD project with its images and profiles. It fails with
// fleet.Conflict while there are instances; a missing project is success.
func (l *LXD) DeleteProject(ctx context.Context) (err error) {
	end, err := l.begin(ctx, "DeleteProject", "")
	if err != nil {
		return err
	}
	defer end(&err)
	if l.project == nil {
		return nil
	}
	if len(l.instances) > 0 {
		return fleet.Errorf(fleet.Conflict, "the LXD project %s has %d instances", l.opts.Project, len(l.instances)).
			WithHint("delete its instances first")
	}
	l.project = nil
	clear(l.profiles)
	clear(l.images)
	clear(l.aliases)
	return nil
}

// EnsureProfile makes a profile or changes it to be exactly as spec says.
func (l *LXD) EnsureProfile(ctx context.Context, spec fleet.ProfileSpec) (change string, err error) {
	end, err := l.begin(ctx, "EnsureProfile", spec.Name)
	if err != nil {
		return "", err
	}
	defer end(&err)
	spec = cloneProfile(spec)
	old, exists := l.profiles[spec.Name]
	if exists && reflect.DeepEqual(old, spec) {
		return "", nil
	}
	l.profiles[spec.Name] = spec
	if exists {
		l.emit("profile-updated", "", "")
		return "updated", nil
	}
	l.emit("profile-created", "", "")
	return "created", nil
}

// Profiles lists the profiles by name.
func (l *LXD) Profiles(ctx context.Context) (_ []fleet.ProfileSpec, err error) {
	end, err := l.begin(ctx, "Profiles", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	var specs []fleet.ProfileSpec
	for _, p := range l.profiles {
		specs = append(specs, cloneProfile(p))
	}
	slices.SortFunc(specs, func(a, b fleet.ProfileSpec) int { return strings.Compare(a.Name, b.Name) })
	return specs, nil
}

// cloneProfile copies a profile; its maps are never nil.
func cloneProfile(p fleet.ProfileSpec) fleet.ProfileSpec {
	config := map[string]string{}
	maps.Copy(config, p.Config)
	p.Config, p.Devices = config, cloneDevices(p.Devices)
	return p
}

func cloneDevices(from map[string]map[string]string) map[string]map[string]string {
	devices := make(map[string]map[string]string, len(from))
	for name, device := range from {
		devices[name] = maps.Clone(device)
	}
	return devices
}
