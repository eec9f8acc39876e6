// Package profiles holds the LXD profiles that `lxdfleet init` puts into its project: what
// every instance has (default), and a profile for each plan (small, medium, large). An agency
// adds plans of its own with `lxc profile create`; init leaves changed profiles alone.
package profiles

import "embed"

// FS has one YAML file a profile.
//
//go:embed *.yaml
var FS embed.FS
