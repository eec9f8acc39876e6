package lxdfake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// MemberAddresses gives 10.0.0.1 and so on; a stand-alone server has none.
func (l *LXD) MemberAddresses(ctx context.Context) (_ map[string]string, err error) {
	end, err := l.begin(ctx, "MemberAddresses", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	addresses := map[string]string{}
	for _, name := range l.opts.Members {
		addresses[name] = l.address(name)
	}
	return addresses, nil
}

// address is that of a member.
func (l *LXD) address(name string) string {
	i := slices.IndexFunc(l.members, func(m *member) bool { return m.name == name })
	return fmt.Sprintf("10.0.0.%d", i+1)
}

// Backends gives where a running instance is reached: at its addresses.
func (l *LXD) Backends(ctx context.Context, name string, _ int) ([]fleet.Backend, error) {
	addresses, err := l.Addresses(ctx, name)
	return fleet.DirectBackends(addresses), err
}

// EnsureDevice gives an instance a device, or takes it away where config is nil. A proxy device of a
// running instance must find its address free, at the instance's member: fleet.Failed.
func (l *LXD) EnsureDevice(ctx context.Context, instance, device string, config map[string]string) (err error) {
	end, err := l.begin(ctx, "EnsureDevice", instance)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(instance)
	if err != nil {
		return err
	}
	if maps.Equal(i.devices[device], config) && (config == nil) == (i.devices[device] == nil) {
		return nil
	}
	devices := cloneDevices(i.devices)
	if devices == nil {
		devices = map[string]map[string]string{}
	}
	delete(devices, device)
	if config != nil {
		devices[device] = maps.Clone(config)
	}
	if i.status == fleet.InstanceRunning {
		if err := l.listens(i, devices); err != nil {
			return err
		}
	}
	i.devices = devices
	l.emit("instance-updated", i.name, i.location)
	return nil
}

// listens reports whether the proxy devices can listen where the instance is.
func (l *LXD) listens(i *instance, devices map[string]map[string]string) error {
	for name, d := range devices {
		if d["type"] != "proxy" {
			continue
		}
		host, port, _ := net.SplitHostPort(strings.TrimPrefix(d["listen"], "tcp:"))
		if host != l.address(i.location) && host != "0.0.0.0" && host != "127.0.0.1" {
			return fleet.Errorf(fleet.Failed, "start the device %s: cannot assign requested address", name)
		}
		if l.occupied[d["listen"]] {
			return fleet.Errorf(fleet.Failed, "start the device %s: address already in use", name)
		}
		for _, other := range l.instances {
			for _, o := range other.devices {
				_, taken, _ := net.SplitHostPort(strings.TrimPrefix(o["listen"], "tcp:"))
				if other != i && other.location == i.location && other.status == fleet.InstanceRunning && o["type"] == "proxy" && taken == port {
					return fleet.Errorf(fleet.Failed, "start the device %s: address already in use", name)
				}
			}
		}
	}
	return nil
}

// Occupy has another program listen at an address, given as proxy devices have it: tcp:10.0.0.1:80.
func (l *LXD) Occupy(listen string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.occupied[listen] = true
}

type forwardKey struct{ network, member, listen string }

// Forwards lists the forwards of a network.
func (l *LXD) Forwards(ctx context.Context, network string) (_ []fleet.Forward, err error) {
	end, err := l.begin(ctx, "Forwards", network)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	if err := l.hasNetwork(network); err != nil {
		return nil, err
	}
	var list []fleet.Forward
	for key, ports := range l.forwards {
		if key.network == network {
			list = append(list, fleet.Forward{Member: key.member, Listen: key.listen, Ports: slices.Clone(ports)})
		}
	}
	slices.SortFunc(list, func(a, b fleet.Forward) int {
		return cmp.Or(strings.Compare(a.Member, b.Member), strings.Compare(a.Listen, b.Listen))
	})
	return list, nil
}

func (l *LXD) hasNetwork(name string) error {
	if !slices.ContainsFunc(l.opts.Networks, func(n fleet.Network) bool { return n.Name == name && n.Managed }) {
		return fleet.Errorf(fleet.NotFound, "the network %s does not exist", name)
	}
	return nil
}

// EnsureForward has the ports of a member's address be what edit makes of those there are.
func (l *LXD) EnsureForward(ctx context.Context, network, member, listen string, edit func([]fleet.ForwardPort) []fleet.ForwardPort) (err error) {
	end, err := l.begin(ctx, "EnsureForward", network)
	if err != nil {
		return err
	}
	defer end(&err)
	switch {
	case l.hasNetwork(network) != nil:
		return l.hasNetwork(network)
	case l.member(member) == nil:
		return fleet.Errorf(fleet.NotFound, "the member %s does not exist", member)
	case l.isOffline(member):
		return offline(member)
	}
	key := forwardKey{network, member, listen}
	want := edit(slices.Clone(l.forwards[key]))
	if len(want) == 0 {
		delete(l.forwards, key)
	} else {
		l.forwards[key] = want
	}
	return nil
}
