package reach

import (
	"fmt"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Way is how instances are reached.
type Way string

const (
	// Auto: the Way that suits the network, told by its configuration alone.
	Auto Way = "auto"
	// Direct: at their own addresses.
	Direct Way = "direct"
	// Device: a proxy device of each instance listens on its member and connects inside it.
	Device Way = "device"
	// Forward: a network forward of each member leads to the instances there.
	Forward Way = "forward"
)

// Ways lists what can be configured.
var Ways = []string{string(Auto), string(Direct), string(Device), string(Forward)}

// forwarding is the API extension that brings network forwards.
const forwarding = "network_forward"

// surroundings is what decides how instances can be reached.
type surroundings struct {
	nic      map[string]string // of the project's default profile
	networks []fleet.Network
	server   fleet.Server
	members  int
	local    bool // this process runs where LXD does
}

// network is the one the instances are on; ok is false where LXD does not know it.
func (s surroundings) network() (n fleet.Network, ok bool) {
	name := s.nic["network"]
	if name == "" {
		name = s.nic["parent"]
	}
	return s.named(name)
}

// named gives the network with the name, or just the name.
func (s surroundings) named(name string) (n fleet.Network, ok bool) {
	i := slices.IndexFunc(s.networks, func(n fleet.Network) bool { return n.Name == name })
	if i < 0 {
		return fleet.Network{Name: name}, false
	}
	return s.networks[i], true
}

func (s surroundings) forwards() bool { return slices.Contains(s.server.Extensions, forwarding) }

// isBridge: LXD makes the bridge on each member, and connects it to nothing else.
func isBridge(n fleet.Network) bool {
	return n.Managed && n.Type == "bridge" && n.Config["bridge.mode"] != "fan" && n.Config["bridge.external_interfaces"] == ""
}

// forwardable: the network has a subnet of its own that forwards can lead into.
func forwardable(n fleet.Network) bool {
	address := n.Config["ipv4.address"]
	return n.Managed && n.Type == "bridge" && address != "" && address != "none"
}

// choose gives the way that suits, and the reason for people.
func choose(s surroundings) (way Way, reason string) {
	n, known := s.network()
	switch {
	case !known || !n.Managed:
		return Direct, fmt.Sprintf("%s is a network of the hosts' own, which they share", orNone(n.Name))
	case n.Type == "ovn":
		return Device, n.Name + " is an OVN network, whose instances have addresses of their own behind a router"
	case !isBridge(n):
		return Direct, n.Name + " connects the instances to the members' own network"
	case s.members <= 1 && s.local:
		return Direct, n.Name + " is a bridge of this host"
	case s.members <= 1:
		reason = n.Name + " is a bridge of the LXD server, and this is another host"
	default:
		reason = n.Name + " is a bridge of its own on each member"
	}
	if s.forwards() && forwardable(n) {
		return Forward, reason
	}
	return Device, reason
}

func orNone(name string) string {
	if name == "" {
		return "the instances' network"
	}
	return name
}
