package reach

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// labelled begins the description of entries that this package made; the project and the instance
// follow.
const labelled = "lxdfleet "

func (r *Reach) label(instance string) string { return labelled + r.opt.Project + "/" + instance }

// owner is the instance an entry leads to; ok is false where it is not ours, or another project's.
func (r *Reach) owner(p fleet.ForwardPort) (instance string, ok bool) {
	return strings.CutPrefix(p.Description, labelled+r.opt.Project+"/")
}

// networkOf is the network the instance is on.
func networkOf(p plan, inst fleet.Instance) string {
	own := inst.Devices["eth0"]
	return cmp.Or(own["network"], own["parent"], p.network)
}

// forwardBackend gives the backend of an instance whose entry is as it must be.
func (r *Reach) forwardBackend(p plan, forwards []fleet.Forward, inst fleet.Instance) fleet.Backend {
	host := p.members[inst.Location]
	for _, f := range forwards {
		if f.Member != inst.Location || f.Listen != host || networkOf(p, inst) != p.network {
			continue
		}
		for _, e := range f.Ports {
			from, _ := strconv.Atoi(e.ListenPort)
			port, err := strconv.Atoi(e.TargetPort)
			if name, ours := r.owner(e); ours && name == inst.Name && err == nil && r.ports.within(from) && slices.Contains(inst.Addresses, e.TargetAddress) {
				return fleet.Backend{Address: e.TargetAddress, Via: joined(host, from), Port: port}
			}
		}
	}
	return fleet.Backend{}
}

// byForward sees to it that an entry of the member's forward leads to port of the instance.
func (r *Reach) byForward(ctx context.Context, p *plan, inst fleet.Instance, port int) (b fleet.Backend, err error) {
	host, err := r.host(ctx, p, inst.Location)
	if err != nil {
		return b, err
	}
	addresses, err := r.lxd.Addresses(ctx, inst.Name)
	if err != nil {
		return b, err
	}
	target := sameFamily(r.vouched(ctx, *p, inst, addresses), host)
	if target == "" {
		return b, nil // not yet
	}
	entry := fleet.ForwardPort{
		Description: r.label(inst.Name), Protocol: "tcp", TargetAddress: target, TargetPort: strconv.Itoa(port),
	}
	full := false
	err = r.lxd.EnsureForward(ctx, networkOf(*p, inst), inst.Location, host, func(have []fleet.ForwardPort) []fleet.ForwardPort {
		var want []fleet.ForwardPort
		want, entry.ListenPort = r.enter(have, entry, inst.Name)
		full = entry.ListenPort == ""
		return want
	})
	switch {
	case full:
		return b, r.ports.exhausted()
	case err != nil:
		return b, fmt.Errorf("lead to %s from %s: %w", inst.Name, host, err)
	}
	from, _ := strconv.Atoi(entry.ListenPort)
	return fleet.Backend{Address: target, Via: joined(host, from), Port: port}, nil
}

// enter puts an instance's entry among those of a forward, on the port it had or a free one; empty:
// there is none. Another instance's entry with the same target goes: the address has changed hands.
func (r *Reach) enter(have []fleet.ForwardPort, entry fleet.ForwardPort, name string) (want []fleet.ForwardPort, listen string) {
	at := -1
	for _, e := range have {
		owner, ours := r.owner(e)
		from, err := strconv.Atoi(e.ListenPort)
		switch {
		case ours && owner == name && at < 0 && err == nil && r.ports.within(from):
			at = len(want)
			entry.ListenPort = e.ListenPort
		case strings.HasPrefix(e.Description, labelled) && (ours && owner == name || e.TargetAddress == entry.TargetAddress):
			continue
		}
		want = append(want, e)
	}
	if at >= 0 {
		want[at] = entry
		return want, entry.ListenPort
	}
	port := r.ports.free(name, func(port int) bool {
		return slices.ContainsFunc(want, func(e fleet.ForwardPort) bool { return e.Protocol == "tcp" && covers(e.ListenPort, port) })
	})
	if port == 0 {
		return have, ""
	}
	entry.ListenPort = strconv.Itoa(port)
	return append(want, entry), entry.ListenPort
}

// covers reports whether LXD's list of ports and ranges (80,443,8000-8010) has the port.
func covers(list string, port int) bool {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.Atoi(from)
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(to)
		}
		if err == nil && first <= port && port <= last {
			return true
		}
	}
	return false
}

// dropForwards takes away our entries of the network for which gone is true.
func (r *Reach) dropForwards(ctx context.Context, network string, gone func(f fleet.Forward, instance string) bool) error {
	forwards, err := r.lxd.Forwards(ctx, network)
	if err != nil {
		return err
	}
	for _, f := range forwards {
		unwanted := func(e fleet.ForwardPort) bool {
			instance, ours := r.owner(e)
			return ours && gone(f, instance)
		}
		stale := slices.DeleteFunc(slices.Clone(f.Ports), func(e fleet.ForwardPort) bool { return !unwanted(e) })
		if len(stale) == 0 {
			continue
		}
		err := r.lxd.EnsureForward(ctx, network, f.Member, f.Listen, func(have []fleet.ForwardPort) []fleet.ForwardPort {
			return slices.DeleteFunc(have, func(e fleet.ForwardPort) bool { return slices.Contains(stale, e) })
		})
		if err != nil {
			return fmt.Errorf("take away what led to instances from %s: %w", f.Listen, err)
		}
	}
	return nil
}
