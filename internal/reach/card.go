package reach

import (
	"context"
	"maps"
	"net/netip"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// card is what LXD's configuration says of an instance's network devices: what its root cannot change.
type card struct {
	name, member, network string
	hardware              []string       // addresses of its devices; none: LXD has written down none
	given                 []netip.Prefix // addresses that its devices are configured to have, or that are routed to them
	fixed4, fixed6        bool           // all devices are configured to have certain addresses
}

// cardOf reads it from an instance. nic is eth0 of the profile default.
func cardOf(p plan, inst fleet.Instance) card {
	c := card{name: inst.Name, member: inst.Location, network: networkOf(p, inst)}
	nics := map[string]map[string]string{}
	if len(p.around.nic) > 0 {
		nics["eth0"] = p.around.nic
	}
	for name, device := range inst.Devices {
		delete(nics, name)
		if device["type"] == "nic" {
			nics[name] = device
		}
	}
	for key, value := range inst.Config {
		if strings.HasPrefix(key, "volatile.") && strings.HasSuffix(key, ".hwaddr") && value != "" {
			c.hardware = append(c.hardware, value)
		}
	}
	c.fixed4, c.fixed6 = len(nics) > 0, len(nics) > 0
	for device := range maps.Values(nics) {
		if mac := device["hwaddr"]; mac != "" {
			c.hardware = append(c.hardware, mac)
		}
		four, six := prefixes(device["ipv4.address"]), prefixes(device["ipv6.address"])
		c.fixed4, c.fixed6 = c.fixed4 && len(four) > 0, c.fixed6 && len(six) > 0
		c.given = append(append(c.given, four...), six...)
		for _, key := range []string{"ipv4.routes", "ipv6.routes", "ipv4.routes.external", "ipv6.routes.external"} {
			c.given = append(c.given, prefixes(device[key])...)
		}
	}
	return c
}

// gives reports whether LXD's configuration says that the address is the instance's.
func (c card) gives(ip netip.Addr) bool { return within(c.given, ip) }

// fixed reports whether the instance may have no addresses of the family but those.
func (c card) fixed(ip netip.Addr) bool {
	if ip.Is4() {
		return c.fixed4
	}
	return c.fixed6
}

// prefixes reads LXD's lists of addresses and subnets, and leaves out words such as none.
func prefixes(list string) (all []netip.Prefix) {
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if p, err := netip.ParsePrefix(text); err == nil {
			all = append(all, p)
		} else if ip, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(ip, ip.BitLen()))
		}
	}
	return all
}

func within(all []netip.Prefix, ip netip.Addr) bool {
	for _, p := range all {
		if p.Masked().Contains(ip) {
			return true
		}
	}
	return false
}

// remember keeps what a list said of the instances, for Backends.
func (r *Reach) remember(list []fleet.Instance) {
	known := make(map[string]fleet.Instance, len(list))
	for _, inst := range list {
		if len(inst.Config) > 0 { // its member answers
			known[inst.Name] = inst
		}
	}
	r.claims.mu.Lock()
	defer r.claims.mu.Unlock()
	r.claims.instances = known
}

// instance gives what was last read of an instance, and reads it where nothing was, or anew. What
// counts of it changes seldom: with a restore, a rename, or by an operator's hand.
func (r *Reach) instance(ctx context.Context, name string, anew bool) (inst fleet.Instance, fresh bool, err error) {
	r.claims.mu.Lock()
	inst, known := r.claims.instances[name]
	r.claims.mu.Unlock()
	if known && !anew {
		return inst, false, nil
	}
	if inst, err = r.lxd.Instance(ctx, name); err != nil {
		return inst, true, err
	}
	r.claims.mu.Lock()
	defer r.claims.mu.Unlock()
	if r.claims.instances == nil {
		r.claims.instances = map[string]fleet.Instance{}
	}
	r.claims.instances[name] = inst
	return inst, true, nil
}
