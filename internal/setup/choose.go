package setup

import (
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// drivers lists the storage drivers that clone by copy-on-write, best first.
var drivers = []string{"zfs", "btrfs"}

// choosePool gives the pool named wanted, or where that is empty the best one there is: ZFS
// before btrfs before the others, then by name.
func choosePool(pools []fleet.Pool, wanted string) (fleet.Pool, error) {
	if wanted != "" {
		i := slices.IndexFunc(pools, func(p fleet.Pool) bool { return p.Name == wanted })
		if i < 0 {
			return fleet.Pool{}, fleet.Errorf(fleet.Invalid, "LXD has no storage pool %q", wanted).WithField("lxd.pool").
				WithHint("it has: %s; `lxc storage create` makes one", names(pools, func(p fleet.Pool) string { return p.Name }))
		}
		return pools[i], nil
	}
	if len(pools) == 0 {
		return fleet.Pool{}, fleet.Errorf(fleet.NotFound, "LXD has no storage pool").WithField("lxd.pool").
			WithHint("make one: `lxc storage create default zfs` (or btrfs), then run `lxdfleet init` again")
	}
	return slices.MinFunc(pools, func(a, b fleet.Pool) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	}), nil
}

func rank(p fleet.Pool) int {
	if i := slices.Index(drivers, p.Driver); i >= 0 {
		return i
	}
	return len(drivers)
}

// chooseNetwork gives the network named wanted, or where that is empty a network LXD
// manages, or else the host's only bridge.
func chooseNetwork(networks []fleet.Network, wanted string) (fleet.Network, error) {
	usable := slices.DeleteFunc(slices.Clone(networks), func(n fleet.Network) bool {
		return n.Type != "bridge" && n.Type != "ovn"
	})
	if wanted != "" {
		i := slices.IndexFunc(usable, func(n fleet.Network) bool { return n.Name == wanted })
		if i < 0 {
			return fleet.Network{}, fleet.Errorf(fleet.Invalid, "LXD has no bridge or OVN network %q", wanted).WithField("lxd.network").
				WithHint("it has: %s; `lxc network create` makes one", names(usable, func(n fleet.Network) string { return n.Name }))
		}
		return usable[i], nil
	}
	if len(usable) == 0 {
		return fleet.Network{}, fleet.Errorf(fleet.NotFound, "LXD has no network for instances").WithField("lxd.network").
			WithHint("make one: `lxc network create lxdbr0`, then run `lxdfleet init` again")
	}
	managed := slices.DeleteFunc(slices.Clone(usable), func(n fleet.Network) bool { return !n.Managed })
	switch {
	case len(managed) > 0:
		return slices.MinFunc(managed, func(a, b fleet.Network) int { return strings.Compare(a.Name, b.Name) }), nil
	case len(usable) == 1:
		return usable[0], nil
	}
	// Several bridges of the host's own: some belong to other programs and have no DHCP.
	return fleet.Network{}, fleet.Errorf(fleet.Invalid, "LXD manages no network, and the host has several bridges").WithField("lxd.network").
		WithHint("name the one instances belong on: %s; or make one: `lxc network create lxdbr0`",
			names(usable, func(n fleet.Network) string { return n.Name }))
}

func names[T any](items []T, name func(T) string) string {
	if len(items) == 0 {
		return "none"
	}
	var all []string
	for _, item := range items {
		all = append(all, name(item))
	}
	return strings.Join(all, ", ")
}
