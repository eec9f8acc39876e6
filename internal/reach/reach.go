package reach

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LXD is what this package needs of LXD, within one project.
type LXD interface {
	Server(ctx context.Context) (fleet.Server, error)
	Networks(ctx context.Context) ([]fleet.Network, error)
	Profiles(ctx context.Context) ([]fleet.ProfileSpec, error)
	// MemberAddresses gives the address of each member, without a port.
	MemberAddresses(ctx context.Context) (map[string]string, error)
	Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error)
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	Addresses(ctx context.Context, name string) ([]string, error)
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	EnsureStarted(ctx context.Context, name string) error
	EnsureDeleted(ctx context.Context, name string) error
	// EnsureDevice takes the device away where config is nil; fleet.Failed where LXD refuses it.
	EnsureDevice(ctx context.Context, instance, device string, config map[string]string) error
	Forwards(ctx context.Context, network string) ([]fleet.Forward, error)
	// EnsureForward has the ports be what edit makes of those there are.
	EnsureForward(ctx context.Context, network, member, listen string, edit func([]fleet.ForwardPort) []fleet.ForwardPort) error
	// Leases lists which addresses the DHCP server of a network of LXD's gave to which hardware
	// addresses. It fails while a member is offline.
	Leases(ctx context.Context, network string) ([]fleet.Lease, error)
	// Subnets gives the subnets of a network at a member, each with the member's own address in it.
	Subnets(ctx context.Context, network, member string) ([]netip.Prefix, error)
	Events(ctx context.Context) <-chan fleet.LXDEvent
}

// Options say how instances are to be reached. The zero value is Auto.
type Options struct {
	Way Way // empty: Auto
	// First and Last are the ports of members that may be used. Default 20000 to 29999: below those
	// that systems give to outgoing connections.
	First, Last int
	// Listen is the IP address that devices listen on, at every member; empty: the member's own.
	Listen string
	// Local: this process runs on the LXD server.
	Local   bool
	Project string // LXD's, for what is told apart by it
	// Neighbours tells whether an instance's own address leads to it. nil: it is not asked.
	Neighbours Neighbours
	// Subnets are where instances' own addresses are; none: where LXD says that their network is.
	Subnets []netip.Prefix
	Logger  *slog.Logger // nil: dropped
}

// Reach tells where applications are reached, and sees to it that they are.
type Reach struct {
	lxd LXD
	opt Options
	log *slog.Logger

	ports   ports
	claims  claims
	bridges subnets

	mu    sync.Mutex
	known plan
	until time.Time // when known has to be read anew
}

// plan is how things stand.
type plan struct {
	way     Way
	reason  string // of auto's choice; empty: it is configured
	network string // of the instances
	members map[string]string
	around  surroundings
}

// planTime is how long a plan is good for, unless a member is missing in it.
const planTime = time.Minute

// New makes a Reach.
func New(lxd LXD, opt Options) *Reach {
	opt.Way = cmp.Or(opt.Way, Auto)
	if opt.First == 0 {
		opt.First, opt.Last = 20000, 29999
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return &Reach{lxd: lxd, opt: opt, log: opt.Logger, ports: ports{first: opt.First, last: opt.Last}}
}

// plan reads how things stand, or gives what was read within the last minute.
func (r *Reach) plan(ctx context.Context) (plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().Before(r.until) {
		return r.known, nil
	}
	p, err := r.read(ctx, r.opt.Way)
	if err != nil {
		return plan{}, fmt.Errorf("find out how instances are reached: %w", err)
	}
	if p.way != r.known.way {
		r.log.Info("how instances are reached", "way", p.way, "reason", cmp.Or(p.reason, "network.reach says so"))
	}
	r.known, r.until = p, time.Now().Add(planTime)
	return p, nil
}

func (r *Reach) read(ctx context.Context, way Way) (p plan, err error) {
	s := surroundings{local: r.opt.Local}
	if s.server, err = r.lxd.Server(ctx); err != nil {
		return p, err
	}
	if s.networks, err = r.lxd.Networks(ctx); err != nil {
		return p, err
	}
	profiles, err := r.lxd.Profiles(ctx)
	if err != nil {
		return p, err
	}
	for _, profile := range profiles {
		if profile.Name == "default" {
			s.nic = profile.Devices["eth0"]
		}
	}
	if p.members, err = r.lxd.MemberAddresses(ctx); err != nil {
		return p, err
	}
	s.members = len(p.members)
	n, _ := s.network()
	p.way, p.network, p.around = way, n.Name, s
	if p.way == Auto {
		p.way, p.reason = choose(s)
	}
	return p, nil
}

// host gives the address that leads to a member. A member that is not known yet makes the plan be
// read anew.
func (r *Reach) host(ctx context.Context, p *plan, member string) (string, error) {
	if p.members[member] == "" {
		r.mu.Lock()
		r.until = time.Time{}
		r.mu.Unlock()
		now, err := r.plan(ctx)
		if err != nil {
			return "", err
		}
		*p = now
	}
	switch host := p.members[member]; {
	case host != "":
		return host, nil
	case r.opt.Local && len(p.members) <= 1:
		return "127.0.0.1", nil
	}
	return "", fleet.Errorf(fleet.Unavailable, "the address of the member %s is not known", member).
		WithHint("have LXD listen on the network: lxc config set core.https_address :8443")
}

// Direct reports whether an instance's own address can be dialled. False where that cannot be told
// now.
func (r *Reach) Direct(ctx context.Context) bool {
	p, err := r.plan(ctx)
	return err == nil && p.way == Direct
}

// Backends gives where the application on the port of a running instance is reached, the best first,
// and makes what leads there; none while it has no address yet, or is stopped.
func (r *Reach) Backends(ctx context.Context, name string, port int) ([]fleet.Backend, error) {
	p, err := r.plan(ctx)
	if err != nil {
		return nil, err
	}
	if p.way == Direct {
		addresses, err := r.direct(ctx, p, name)
		return fleet.DirectBackends(addresses), err
	}
	inst, err := r.lxd.Instance(ctx, name)
	if err != nil || inst.Status != fleet.InstanceRunning || port == 0 {
		return nil, err
	}
	var b fleet.Backend
	if p.way == Device {
		b, err = r.byDevice(ctx, &p, inst, port)
	} else {
		b, err = r.byForward(ctx, &p, inst, port)
	}
	if err != nil || !b.Known() {
		return nil, err
	}
	return []fleet.Backend{b}, nil
}

// direct gives an instance's own addresses.
func (r *Reach) direct(ctx context.Context, p plan, name string) ([]string, error) {
	addresses, err := r.lxd.Addresses(ctx, name)
	if err != nil {
		return nil, err
	}
	inst, fresh, err := r.instance(ctx, name, false) // also without addresses: there is time before the first
	if err != nil || len(addresses) == 0 {
		return nil, err
	}
	own := r.vouched(ctx, p, inst, addresses)
	if len(own) > 0 || fresh {
		return own, nil
	}
	if inst, _, err = r.instance(ctx, name, true); err != nil {
		return nil, err
	}
	return r.vouched(ctx, p, inst, addresses), nil
}

// Instances lists the instances; where addresses are asked for, with their backends as they are.
// An instance whose backend is to be made has neither.
func (r *Reach) Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error) {
	p, err := r.plan(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	list, err := r.lxd.Instances(ctx, withAddresses && p.way != Device)
	if err != nil {
		return nil, err
	}
	if p.way == Device {
		r.ports.observe(list, began)
	}
	r.remember(list)
	if !withAddresses {
		return list, nil
	}
	if p.way != Device {
		own := r.vouchedAll(ctx, p, list, func(inst fleet.Instance) []string { return inst.Addresses })
		for i := range list {
			list[i].Addresses = own[i]
		}
	}
	if p.way == Direct {
		return list, nil
	}
	var forwards []fleet.Forward
	if p.way == Forward {
		if forwards, err = r.lxd.Forwards(ctx, p.network); err != nil {
			return nil, err
		}
	}
	for i := range list {
		if p.way == Device {
			list[i].Backend = r.deviceBackend(p, list[i])
		} else {
			list[i].Backend = r.forwardBackend(p, forwards, list[i])
		}
		list[i].Addresses = nil
	}
	return list, nil
}

// EnsureStarted starts an instance. A device that would keep it from starting where it is now is put
// right first.
func (r *Reach) EnsureStarted(ctx context.Context, name string) error {
	p, err := r.plan(ctx)
	if err != nil {
		return err
	}
	if p.way == Direct {
		return r.lxd.EnsureStarted(ctx, name)
	}
	inst, err := r.lxd.Instance(ctx, name)
	if err != nil {
		return err
	}
	if inst.Status == fleet.InstanceStopped {
		if err := r.mend(ctx, &p, inst); err != nil {
			return err
		}
	}
	err = r.lxd.EnsureStarted(ctx, name)
	if fleet.CodeOf(err) != fleet.Failed || inst.Devices[DeviceName]["type"] != "proxy" {
		return err
	}
	// Something else on the member may listen on its port: it gets another once it runs.
	if dropped := r.lxd.EnsureDevice(ctx, name, DeviceName, nil); dropped != nil {
		return err
	}
	r.ports.forget(name)
	return r.lxd.EnsureStarted(ctx, name)
}

// EnsureDeleted deletes an instance with what led to it.
func (r *Reach) EnsureDeleted(ctx context.Context, name string) error {
	if err := r.lxd.EnsureDeleted(ctx, name); err != nil {
		return err
	}
	r.ports.forget(name)
	r.release(name)
	p, err := r.plan(ctx)
	if err == nil && p.way == Forward {
		err = r.dropForwards(ctx, p.network, func(_ fleet.Forward, instance string) bool { return instance == name })
	}
	if err != nil && ctx.Err() == nil {
		r.log.Debug("what led to a deleted instance stays for now", "instance", name, "error", err)
	}
	return nil
}

// joined is host:port.
func joined(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// sameFamily picks the first address that is of the family of host: IPv4 or IPv6.
func sameFamily(addresses []string, host string) string {
	four := net.ParseIP(host).To4() != nil
	i := slices.IndexFunc(addresses, func(a string) bool { return (net.ParseIP(a).To4() != nil) == four })
	if i < 0 {
		return ""
	}
	return addresses[i]
}
