package lxdcontract

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// testDevice gives instances a proxy device, and takes it away, running or not.
func (s *suite) testDevice(t *testing.T) {
	ctx := t.Context()
	const name = "acme"
	s.started(t, name, 0)
	hosts, err := s.lxd.MemberAddresses(ctx)
	ok(t, err)
	if len(s.members) > 1 && len(hosts) != len(s.members) {
		t.Errorf("addresses of the members: %v", hosts)
	}
	leads := func(port int) map[string]string {
		return map[string]string{"type": "proxy", "listen": fmt.Sprintf("tcp:127.0.0.1:%d", port), "connect": "tcp:127.0.0.1:80"}
	}
	is := func(want map[string]string) {
		t.Helper()
		inst, err := s.lxd.Instance(ctx, name)
		ok(t, err)
		if !maps.Equal(inst.Devices["way"], want) {
			t.Errorf("the device is %v, want %v", inst.Devices["way"], want)
		}
	}
	// The suite may run twice on one server, at the same time.
	mark := fnv.New32a()
	_, _ = mark.Write([]byte(s.Project))
	first := 21000 + 10*int(mark.Sum32()%800)
	second, third := first+1, first+2
	for _, port := range []int{first, first, second} {
		ok(t, s.lxd.EnsureDevice(ctx, name, "way", leads(port)))
		is(leads(port))
	}
	s.started(t, "other", 0)
	code(t, s.lxd.EnsureDevice(ctx, "other", "way", leads(second)), fleet.Failed)
	ok(t, s.lxd.EnsureDevice(ctx, "other", "way", leads(third)))
	for range 2 {
		ok(t, s.lxd.EnsureDevice(ctx, name, "way", nil))
		is(nil)
	}
	ok(t, s.lxd.EnsureDevice(ctx, "other", "way", leads(second)))
	// A stopped one takes what it cannot start with.
	_, err = s.lxd.EnsureStopped(ctx, name, 0)
	ok(t, err)
	ok(t, s.lxd.EnsureDevice(ctx, name, "way", leads(second)))
	code(t, s.lxd.EnsureStarted(ctx, name), fleet.Failed)
	ok(t, s.lxd.EnsureDevice(ctx, name, "way", nil))
	ok(t, s.lxd.EnsureStarted(ctx, name))
	code(t, s.lxd.EnsureDevice(ctx, "nobody", "way", leads(first)), fleet.NotFound)
	code(t, s.lxd.EnsureDevice(ctx, "nobody", "way", nil), fleet.NotFound)
}

// testForward changes the ports of a forward, where there is a network for it.
func (s *suite) testForward(t *testing.T) {
	ctx := t.Context()
	_, err := s.lxd.Forwards(ctx, "no-such-network")
	code(t, err, fleet.NotFound)
	_, err = s.lxd.Leases(ctx, "no-such-network")
	code(t, err, fleet.NotFound)
	_, err = s.lxd.Subnets(ctx, "no-such-network", s.members[0])
	code(t, err, fleet.NotFound)
	networks, err := s.lxd.Networks(ctx)
	ok(t, err)
	i := slices.IndexFunc(networks, func(n fleet.Network) bool { return n.Managed && n.Type == "bridge" })
	if i < 0 {
		return // this server has none: the tests of network.reach bring one along
	}
	network, member := networks[i].Name, s.members[0]
	hosts, err := s.lxd.MemberAddresses(ctx)
	ok(t, err)
	listen := cmp.Or(hosts[member], "192.0.2.1")
	subnet, err := netip.ParsePrefix(networks[i].Config["ipv4.address"])
	ok(t, err)
	subnets, err := s.lxd.Subnets(ctx, network, member)
	if ok(t, err); !slices.Contains(subnets, subnet) {
		t.Errorf("the subnets of %s are %v, want %s among them", network, subnets, subnet)
	}
	leases, err := s.lxd.Leases(ctx, network)
	if ok(t, err); slices.ContainsFunc(leases, func(l fleet.Lease) bool { return l.HardwareAddress == "" }) {
		t.Errorf("the leases are %v", leases)
	}
	entry := func(port string) fleet.ForwardPort {
		return fleet.ForwardPort{Description: "contract", Protocol: "tcp", ListenPort: port, TargetPort: "80", TargetAddress: subnet.Addr().Next().String()}
	}
	have := func() (ports []fleet.ForwardPort) {
		t.Helper()
		list, err := s.lxd.Forwards(ctx, network)
		ok(t, err)
		for _, f := range list {
			if f.Member == member && f.Listen == listen {
				ports = f.Ports
			}
		}
		return slices.DeleteFunc(ports, func(p fleet.ForwardPort) bool { return p.Description != "contract" })
	}
	for _, want := range [][]fleet.ForwardPort{{entry("28011")}, {entry("28011"), entry("28012")}, {entry("28012")}, {entry("28012")}, nil, nil} {
		ok(t, s.lxd.EnsureForward(ctx, network, member, listen, func(now []fleet.ForwardPort) []fleet.ForwardPort {
			return append(slices.DeleteFunc(now, func(p fleet.ForwardPort) bool { return p.Description == "contract" }), want...)
		}))
		if got := have(); !slices.Equal(got, want) {
			t.Errorf("ports are %v, want %v", got, want)
		}
	}
}
