package fleet

import (
	"net"
	"strconv"
)

// Backend is where the application of an instance is reached.
type Backend struct {
	Address string `json:"address,omitempty"` // the instance's own IP address; empty: not known
	// Via is the address:port of the instance's member that leads to Port of the instance; empty:
	// the instance is reached at its own address.
	Via  string `json:"via,omitempty"`
	Port int    `json:"port,omitempty"`
}

// Known reports whether there is something to dial.
func (b Backend) Known() bool { return b.Address != "" || b.Via != "" }

// Dial gives the address:port to connect to for the application that listens on port; empty where
// nothing is known.
func (b Backend) Dial(port int) string {
	switch {
	case b.Via != "":
		return b.Via
	case b.Address == "":
		return ""
	}
	return net.JoinHostPort(b.Address, strconv.Itoa(port))
}

// Leads reports whether Dial(port) leads to that port: what leads by way of a member leads to one
// port only.
func (b Backend) Leads(port int) bool { return b.Via == "" || b.Port == port }

// DirectBackends are the backends of an instance that is reached at its own addresses.
func DirectBackends(addresses []string) []Backend {
	backends := make([]Backend, len(addresses))
	for i, a := range addresses {
		backends[i].Address = a
	}
	return backends
}

// Forward is LXD's network forward: an address of a member, ports of which lead to instances of a
// network.
type Forward struct {
	Member string // "none" on a stand-alone server
	Listen string // IP address
	Ports  []ForwardPort
}

// ForwardPort is one entry of a forward, in LXD's words: ports may be lists and ranges.
type ForwardPort struct {
	Description   string
	Protocol      string // tcp, udp
	ListenPort    string
	TargetPort    string
	TargetAddress string
}
