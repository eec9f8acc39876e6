package reach_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/reach"
)

const (
	acmeMAC   = "00:16:3e:00:00:01"
	globexMAC = "00:16:3e:00:00:02"
)

// wire is what a machine knows of its neighbours.
type wire map[string]reach.Neighbour

func (n wire) Look(_ context.Context, addresses []netip.Addr) map[netip.Addr]reach.Neighbour {
	found := map[netip.Addr]reach.Neighbour{}
	for _, a := range addresses {
		if seen, ok := n[a.String()]; ok {
			found[a] = seen
		}
	}
	return found
}

func leads(mac string) reach.Neighbour { return reach.Neighbour{OnLink: true, HardwareAddress: mac} }

// equip makes a running tenant with a hardware address and the addresses it says it has.
func (w *world) equip(name, mac string, addresses ...string) {
	w.t.Helper()
	w.make(name, "n1")
	w.do(w.lxd.SetConfig(w.t.Context(), name, map[string]string{"volatile.eth0.hwaddr": mac}))
	w.do(w.lxd.LxcStart(name))
	if len(addresses) > 0 {
		w.do(w.lxd.LxcSetAddress(name, addresses...))
	}
}

// Root of acme adds an address to its network device. It is not dialled, whosever it is.
func TestAddressOfAnother(t *testing.T) {
	const bridged, own = "10.0.0.254/16", "10.0.1.1"
	on := wire{
		"10.0.1.1": leads(acmeMAC), "10.0.1.2": leads(globexMAC), "10.0.7.7": leads("52:54:00:00:00:07"),
		"10.0.9.9": {OnLink: true}, "192.0.2.1": {Own: true}, "10.0.1.5": leads(acmeMAC), "fd00::5": leads("00:16:3E:00:00:01"),
	}
	for _, c := range []struct {
		name    string
		managed bool
		around  reach.Neighbours // nil: instances are behind a router
		subnets string
		device  map[string]string // of acme's own, in place of the profile's
		claims  string
		want    bool
	}{
		{name: "its own", around: on, claims: own, want: true},
		{name: "another of its own", around: on, claims: "10.0.1.5", want: true},
		{name: "an IPv6 address of its own", around: on, claims: "fd00::5", want: true},
		{name: "another tenant's", around: on, claims: "10.0.1.2"},
		{name: "a service's on the same network", around: on, claims: "10.0.7.7"},
		{name: "nobody's", around: on, claims: "10.0.9.9"},
		{name: "this machine's", around: on, claims: "192.0.2.1"},
		{name: "a member's", around: on, claims: "10.0.0.2"},
		{name: "the network's", around: on, claims: "10.0.0.254"},
		{name: "a private service's elsewhere", around: on, claims: "10.200.0.1"},
		{name: "a member's, by way of a router", claims: "10.0.0.2"},
		{name: "another tenant's, by way of a router", claims: "10.0.1.2"},
		{name: "a private service's, by way of a router", claims: "10.200.0.1"},
		{name: "a private IPv6 service's, by way of a router", claims: "fd00::1"},
		{name: "its own, by way of a router", claims: own, want: true},
		{name: "outside of what is configured", subnets: "10.1.0.0/16", claims: own},
		{name: "inside of what is configured", subnets: "10.200.0.0/16", claims: "10.200.0.1", want: true},
		{name: "one that LXD leased", managed: true, claims: own, want: true},
		{name: "one that LXD leased to another", managed: true, claims: "10.0.1.2"},
		{name: "one that LXD leased to nobody", managed: true, claims: "10.0.1.77"},
		{name: "the one it is configured to have", device: map[string]string{"ipv4.address": "10.0.1.77"}, claims: "10.0.1.77", want: true},
		{name: "another than it is configured to have", around: on, device: map[string]string{"ipv4.address": "10.0.1.77"}, claims: own},
		{name: "one that is routed to it", around: on, device: map[string]string{"ipv4.routes": "203.0.113.0/28"}, claims: "203.0.113.7", want: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, lxdfake.Options{Networks: []fleet.Network{{
				Name: "lxdbr0", Type: "bridge", Managed: c.managed, Config: map[string]string{"ipv4.address": bridged},
			}}})
			r := w.reach(reach.Direct, func(o *reach.Options) {
				o.Neighbours = c.around
				if c.subnets != "" {
					o.Subnets = []netip.Prefix{netip.MustParsePrefix(c.subnets)}
				}
			})
			w.equip("acme", acmeMAC)
			w.equip("globex", globexMAC)
			if c.subnets == "" && w.backend(r, "globex").Address != "10.0.1.2" {
				t.Fatal("globex is not reached")
			}
			if c.device != nil {
				c.device["type"], c.device["network"] = "nic", "lxdbr0"
				w.do(w.lxd.EnsureDevice(t.Context(), "acme", "eth0", c.device))
			}
			w.do(w.lxd.LxcSetAddress("acme", c.claims))
			if b := w.backend(r, "acme"); (b.Address == c.claims) != c.want || b.Known() != c.want {
				t.Errorf("reached at %+v, want it: %v", b, c.want)
			}
			list, err := w.reach(reach.Direct, func(o *reach.Options) { o.Neighbours = c.around }).Instances(t.Context(), true)
			w.do(err)
			if c.around != nil && slices.Contains(list[0].Addresses, c.claims) != c.want {
				t.Errorf("listed with %v", list[0].Addresses)
			}
			// It is reached as before all the same.
			if c.around == nil || c.device != nil {
				return
			}
			w.do(w.lxd.LxcSetAddress("acme", c.claims, own))
			if b := w.backend(r, "acme"); b.Address != own && !c.want {
				t.Errorf("with its own address too it is reached at %+v", b)
			}
		})
	}
}

// A forward that leads to a tenant is not taken from it by another that says it has its address.
func TestForwardOfAnother(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Forward)
	w.equip("globex", globexMAC)
	before := w.backend(r, "globex")
	w.equip("acme", acmeMAC, before.Address)
	if b := w.backend(r, "acme"); b.Known() {
		t.Errorf("acme is reached at %+v, which is globex's %+v", b, before)
	}
	if now := w.entries("n1"); len(now) != 1 || w.backend(r, "globex") != before {
		t.Errorf("globex is reached by %v, before at %+v", now, before)
	}
}

// An address changes hands only when the instance that had it has it no more.
func TestAddressChangesHands(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Direct)
	w.make("globex", "n1") // LXD says nothing of their hardware addresses
	w.make("acme", "n1")
	w.do(w.lxd.LxcStart("globex"))
	w.do(w.lxd.LxcStart("acme"))
	address := w.backend(r, "globex").Address
	w.do(w.lxd.LxcSetAddress("acme", address))
	if b := w.backend(r, "acme"); b.Known() {
		t.Errorf("both are reached at %+v", b)
	}
	w.do(w.lxd.LxcStop("globex"))
	if b := w.backend(r, "acme"); b.Address != address {
		t.Errorf("reached at %+v, want %s", b, address)
	}
}

// What was known of an instance is read anew where it does not fit: a restore gives an instance another
// hardware address. And a start costs one request more than before, once.
func TestAnotherHardwareAddress(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	around := wire{"10.0.1.1": leads(acmeMAC)}
	r := w.reach(reach.Direct, func(o *reach.Options) { o.Neighbours = around })
	w.equip("acme", acmeMAC)
	w.backend(r, "acme")
	before := w.lxd.Calls("Instance")
	for range 3 {
		if b := w.backend(r, "acme"); b.Address != "10.0.1.1" {
			t.Fatalf("reached at %+v", b)
		}
	}
	if n := w.lxd.Calls("Instance") - before; n != 0 {
		t.Errorf("it is read %d times", n)
	}
	around["10.0.1.1"] = leads(globexMAC)
	if b := w.backend(r, "acme"); b.Known() {
		t.Fatalf("reached at %+v", b)
	}
	w.do(w.lxd.SetConfig(t.Context(), "acme", map[string]string{"volatile.eth0.hwaddr": globexMAC}))
	if b := w.backend(r, "acme"); b.Address != "10.0.1.1" {
		t.Errorf("with its new hardware address it is reached at %+v", b)
	}
}

// The kernel of the machine the test runs on.
func TestKernel(t *testing.T) {
	loopback, elsewhere := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	found := reach.Kernel{}.Look(t.Context(), []netip.Addr{loopback, elsewhere})
	if n := found[loopback]; !n.Own || n.OnLink {
		t.Errorf("127.0.0.1 is %+v", n)
	}
	if n, known := found[elsewhere]; known && !n.Own { // unknown where IPv6 is off
		t.Errorf("::1 is %+v", n)
	}
}
