package reach

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// claims are the addresses that instances say they have. Root in an instance can add any to its
// network device; the proxy must not be led by that to another tenant, to a member, or to any other
// service. So none is dialled that is not vouched for by what root cannot change.
type claims struct {
	mu        sync.Mutex
	instances map[string]fleet.Instance
	// held says whose each address is that was vouched for, by where it is good: on a network of
	// its own each member may have an instance with it.
	held map[place]string
	by   map[string][]place // what each instance holds, the oldest first
	said map[claim]string   // objections that were told
}

type (
	place struct {
		member string // empty: on all
		ip     netip.Addr
	}
	claim struct {
		instance string
		ip       netip.Addr
	}
)

// mostAddresses is how many addresses of an instance are looked at.
const mostAddresses = 16

// unanswered is an objection that a moment may settle: nobody is told.
const unanswered = "nothing answers for it yet"

// vouched leaves of the addresses that an instance says it has those that are its own.
func (r *Reach) vouched(ctx context.Context, p plan, inst fleet.Instance, addresses []string) (own []string) {
	return r.vouchedAll(ctx, p, []fleet.Instance{inst}, func(fleet.Instance) []string { return addresses })[0]
}

// vouchedAll does it for many, and asks the kernel once.
func (r *Reach) vouchedAll(ctx context.Context, p plan, list []fleet.Instance, claimed func(fleet.Instance) []string) [][]string {
	var all []netip.Addr
	for _, inst := range list {
		for _, text := range first(claimed(inst)) {
			if ip, err := netip.ParseAddr(text); err == nil {
				all = append(all, ip)
			}
		}
	}
	var known map[netip.Addr]Neighbour
	if p.way == Direct && r.opt.Neighbours != nil && len(all) > 0 {
		known = r.opt.Neighbours.Look(ctx, all)
	}
	out := make([][]string, len(list))
	for i, inst := range list {
		if len(claimed(inst)) == 0 {
			continue
		}
		c := cardOf(p, inst)
		for _, text := range first(claimed(inst)) {
			ip, err := netip.ParseAddr(text)
			if err != nil {
				continue
			}
			why := r.objection(ctx, p, c, ip, known[ip])
			if r.tell(claim{c.name, ip}, why); why == "" {
				out[i] = append(out[i], text)
			}
		}
	}
	return out
}

func first(addresses []string) []string { return addresses[:min(len(addresses), mostAddresses)] }

// objection says why an address is not believed to be the instance's; empty: it is.
func (r *Reach) objection(ctx context.Context, p plan, c card, ip netip.Addr, known Neighbour) string {
	if c.gives(ip) {
		r.hold(p, c, ip)
		return ""
	}
	proven := known.OnLink && len(c.hardware) > 0
	nets := r.subnets(ctx, p, c)
	inside := nets
	if len(r.opt.Subnets) > 0 {
		inside = r.opt.Subnets
	}
	switch {
	case known.Own:
		return "it is an address of this machine"
	case p.isMember(ip):
		return "it is a member's address"
	case slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Addr() == ip }):
		return "it is the address of the network itself"
	case c.fixed(ip):
		return "LXD's configuration gives it another"
	case proven && known.HardwareAddress == "":
		return unanswered
	case proven && !anyOf(c.hardware, known.HardwareAddress):
		return "it leads to another machine, with the hardware address " + known.HardwareAddress
	case !proven && len(inside) > 0 && !within(inside, ip):
		return "it is outside the network that the instance is on"
	}
	return r.disputed(ctx, p, c, ip, proven)
}

// disputed says who else has the address.
func (r *Reach) disputed(ctx context.Context, p plan, c card, ip netip.Addr, proven bool) string {
	at := p.place(c, ip)
	r.claims.mu.Lock()
	holder := r.claims.held[at]
	r.claims.mu.Unlock()
	if holder == c.name {
		return ""
	}
	if !proven && !r.leased(ctx, p, c, ip) {
		return "the network's DHCP server has not given it to it"
	}
	if holder != "" && r.has(ctx, holder, ip) {
		return "it is that of " + holder
	}
	r.hold(p, c, ip)
	return ""
}

// has reports whether an instance still has an address that was vouched for, as far as can be told.
func (r *Reach) has(ctx context.Context, instance string, ip netip.Addr) bool {
	addresses, err := r.lxd.Addresses(ctx, instance)
	if fleet.CodeOf(err) == fleet.NotFound {
		return false
	}
	return err != nil || slices.Contains(addresses, ip.String())
}

// leased reports whether LXD's DHCP server gave the address to the instance. True also where there
// is none, or it cannot be asked: LXD tells nothing while a member is offline.
func (r *Reach) leased(ctx context.Context, p plan, c card, ip netip.Addr) bool {
	n, known := p.around.named(c.network)
	if !known || !isBridge(n) || !forwardable(n) || n.Config["ipv4.dhcp"] == "false" || !ip.Is4() || len(c.hardware) == 0 {
		return true
	}
	leases, err := r.lxd.Leases(ctx, n.Name)
	if err != nil {
		r.log.Debug("whose an address is cannot be asked", "network", n.Name, "error", err)
		return true
	}
	return slices.ContainsFunc(leases, func(l fleet.Lease) bool {
		return l.Address == ip.String() && anyOf(c.hardware, l.HardwareAddress)
	})
}

func (r *Reach) hold(p plan, c card, ip netip.Addr) {
	r.claims.mu.Lock()
	defer r.claims.mu.Unlock()
	if r.claims.held == nil {
		r.claims.held, r.claims.by = map[place]string{}, map[string][]place{}
	}
	at := p.place(c, ip)
	if r.claims.held[at] == c.name {
		return
	}
	mine := r.claims.by[c.name]
	mine = append(mine, at)
	if len(mine) > 2*mostAddresses { // it may change them all the time
		r.claims.drop(c.name, mine[0])
		mine = mine[1:]
	}
	r.claims.held[at], r.claims.by[c.name] = c.name, mine
}

// drop has nobody hold an address that the instance held.
func (c *claims) drop(instance string, at place) {
	if c.held[at] == instance {
		delete(c.held, at)
	}
}

// release forgets an instance that is deleted.
func (r *Reach) release(name string) {
	r.claims.mu.Lock()
	defer r.claims.mu.Unlock()
	delete(r.claims.instances, name)
	for _, at := range r.claims.by[name] {
		r.claims.drop(name, at)
	}
	delete(r.claims.by, name)
	for c := range r.claims.said {
		if c.instance == name {
			delete(r.claims.said, c)
		}
	}
}

// tell says an objection once.
func (r *Reach) tell(c claim, why string) {
	r.claims.mu.Lock()
	defer r.claims.mu.Unlock()
	if why == "" || why == unanswered {
		delete(r.claims.said, c)
		return
	}
	if r.claims.said[c] == why {
		return
	}
	if r.claims.said == nil || len(r.claims.said) >= 10_000 {
		r.claims.said = map[claim]string{}
	}
	r.claims.said[c] = why
	r.log.Warn("an instance has an address that is not its own: it is not connected to", "instance", c.instance, "address", c.ip, "reason", why)
}

// place is where an instance's address is good: through forwards only on its member.
func (p plan) place(c card, ip netip.Addr) place {
	if p.way == Forward {
		return place{c.member, ip}
	}
	return place{"", ip}
}

func (p plan) isMember(ip netip.Addr) bool {
	for _, host := range p.members {
		if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && a == ip {
			return true
		}
	}
	return false
}
