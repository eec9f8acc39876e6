package setup

import (
	"fmt"
	"io/fs"
	"maps"

	"github.com/goccy/go-yaml"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// profileFile is the form of a file in profiles/.
type profileFile struct {
	Name        string                       `yaml:"name"`
	Description string                       `yaml:"description"`
	Config      map[string]string            `yaml:"config"`
	Devices     map[string]map[string]string `yaml:"devices"`
}

// loadProfiles reads every profile and gives its disks the pool and its NICs the network.
func loadProfiles(files fs.FS, pool fleet.Pool, network fleet.Network) ([]fleet.ProfileSpec, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var specs []fleet.ProfileSpec
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var p profileFile
		if err := yaml.UnmarshalWithOptions(raw, &p, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("profile %s: %w", name, err)
		}
		for _, device := range p.Devices {
			bindDevice(device, pool, network)
		}
		specs = append(specs, fleet.ProfileSpec(p))
	}
	return specs, nil
}

func bindDevice(device map[string]string, pool fleet.Pool, network fleet.Network) {
	switch device["type"] {
	case "disk":
		device["pool"] = pool.Name
	case "nic":
		if network.Managed {
			device["network"] = network.Name
		} else {
			device["nictype"], device["parent"] = "bridged", network.Name
		}
	}
}

// sameProfile reports whether have does what want says; LXD's own volatile keys do not count.
func sameProfile(have, want fleet.ProfileSpec) bool {
	return maps.Equal(have.Config, want.Config) &&
		maps.EqualFunc(have.Devices, want.Devices, maps.Equal[map[string]string])
}

// bare reports whether p is as LXD makes the default profile of a new project.
func bare(p fleet.ProfileSpec) bool { return len(p.Config) == 0 && len(p.Devices) == 0 }
