package lxdfake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Options say what the fake is like. The zero value is a stand-alone server with the LXD
// project lxdfleet, whose instances have an address as soon as they run.
type Options struct {
	Project string   // name of the LXD project; empty: lxdfleet
	Members []string // of the cluster; empty: a stand-alone server, location "none"
	// Bare: the LXD project does not exist until EnsureProject made it.
	Bare bool
	// AddressDelay is the time from an instance's start to its first address.
	AddressDelay time.Duration
	// Address gives the address of an instance when it starts; nil or an empty result: one
	// made from a counter, which nothing listens on. A test whose proxy or health check really
	// dials returns 127.0.0.1 or another loopback address here.
	Address func(name string) string
	// Exec runs commands; nil: every command ends at once with exit 0 and no output.
	Exec ExecFunc
	// Remote answers EnsureRemoteImage; nil: every alias exists on every server.
	Remote func(server, protocol, alias string) (fleet.Image, error)
	// PoolSize of each member, in bytes; 0: 100 GiB. InstanceSize is what each instance uses of
	// it; 0: 64 MiB.
	PoolSize, InstanceSize fleet.Size
	// Driver of the pool; empty: btrfs. With zfs only the newest snapshot can be restored in place.
	Driver string
	// Networks there are; nil: one bridge, "lxdbr0", that LXD manages.
	Networks []fleet.Network
}

// ExecFunc is a command run in an instance. It should return soon after ctx ends.
type ExecFunc func(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)

// LXD is the fake. Make one with New.
type LXD struct {
	opts Options

	mu        sync.Mutex
	project   *fleet.ProjectSpec
	members   []*member
	profiles  map[string]fleet.ProfileSpec
	instances map[string]*instance
	images    map[string]*image
	aliases   map[string]string
	down      bool
	faults    []*fault
	calls     map[string]int
	watchers  map[*watcher]struct{}
	made      int // counter behind addresses and serial numbers
	execFn    ExecFunc
	commands  map[int]command

	poolConfig map[string]string
	forwards   map[forwardKey][]fleet.ForwardPort
	occupied   map[string]bool // listen addresses that other programs have
}

type member struct {
	name    string
	offline bool
	full    bool
	// evacuated: an operator has emptied it; it answers, but takes no instances.
	evacuated bool
	told      func(*fleet.Member) // nil: nothing is changed
}

type image struct {
	fleet.Image
	unpacked map[string]bool
	content  []byte // of an imported one
}

// New makes a fake without instances or images. The profile "default" exists.
func New(opts Options) *LXD {
	if opts.Project == "" {
		opts.Project = "lxdfleet"
	}
	if opts.Driver == "" {
		opts.Driver = "btrfs"
	}
	if opts.PoolSize == 0 {
		opts.PoolSize = 100 * fleet.GiB
	}
	if opts.InstanceSize == 0 {
		opts.InstanceSize = 64 * fleet.MiB
	}
	l := &LXD{
		opts:      opts,
		profiles:  map[string]fleet.ProfileSpec{},
		instances: map[string]*instance{},
		images:    map[string]*image{},
		aliases:   map[string]string{},
		calls:     map[string]int{},
		watchers:  map[*watcher]struct{}{},
		execFn:    opts.Exec,
		commands:  map[int]command{},

		poolConfig: map[string]string{},
		forwards:   map[forwardKey][]fleet.ForwardPort{},
		occupied:   map[string]bool{},
	}
	if l.opts.Networks == nil {
		l.opts.Networks = []fleet.Network{{Name: "lxdbr0", Type: "bridge", Managed: true, Config: map[string]string{"ipv4.address": "10.0.0.1/16"}}}
	}
	names := opts.Members
	if len(names) == 0 {
		names = []string{standAlone}
	}
	for _, name := range names {
		l.members = append(l.members, &member{name: name})
	}
	if !opts.Bare {
		l.makeProject(fleet.ProjectSpec{Name: opts.Project})
	}
	return l
}

// standAlone is the location LXD tells on a server that is not in a cluster.
const standAlone = "none"

func (l *LXD) makeProject(spec fleet.ProjectSpec) {
	spec.Config = maps.Clone(spec.Config)
	l.project = &spec
	l.profiles["default"] = fleet.ProfileSpec{
		Name: "default", Description: "Default LXD profile",
		Config: map[string]string{}, Devices: map[string]map[string]string{},
	}
}

func (l *LXD) member(name string) *member {
	i := slices.IndexFunc(l.members, func(m *member) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return l.members[i]
}

// begin counts the call, applies faults and delays, and locks the fake. Where err is nil the
// caller must call end.
func (l *LXD) begin(ctx context.Context, method, name string) (end func(*error), err error) {
	l.mu.Lock()
	l.calls[method]++
	delay, fail := l.applyFaults(method, name)
	l.mu.Unlock()
	if err := sleep(ctx, delay); err != nil {
		return nil, err
	}
	if fail != nil && !fail.After {
		return nil, fail.Err
	}
	l.mu.Lock()
	if err := l.usable(method); err != nil {
		l.mu.Unlock()
		return nil, err
	}
	return func(errp *error) {
		l.mu.Unlock()
		if fail != nil && *errp == nil {
			*errp = fail.Err
		}
	}, nil
}

func (l *LXD) usable(method string) error {
	if l.down {
		return errDown()
	}
	if l.project == nil && !projectless[method] {
		return fleet.Errorf(fleet.NotFound, "the LXD project %s does not exist", l.opts.Project).
			WithHint("run lxdfleet init")
	}
	return nil
}

func errDown() error {
	return fleet.Errorf(fleet.Unavailable, "LXD does not answer").
		WithHint("see whether LXD runs, and start it")
}

// projectless are the methods that work before the LXD project exists.
var projectless = map[string]bool{
	"Server": true, "Members": true, "Pools": true, "EnsurePoolConfig": true, "Networks": true, "Subnets": true, "MemberAddresses": true, "EnsureProject": true, "DeleteProject": true,
}

func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Close ends nothing: event channels end with their contexts.
func (l *LXD) Close() {}

// Server tells about the server: LXD 5.0.2 with every API extension lxdfleet needs.
func (l *LXD) Server(ctx context.Context) (_ fleet.Server, err error) {
	end, err := l.begin(ctx, "Server", "")
	if err != nil {
		return fleet.Server{}, err
	}
	defer end(&err)
	s := fleet.Server{
		Version: "5.0.2", Clustered: len(l.opts.Members) > 0, Member: l.members[0].name,
		Extensions: slices.Clone(extensions), Kernel: "6.1.0",
	}
	if s.Clustered {
		s.Address = "10.0.0.1:8443"
	}
	return s, nil
}

var extensions = strings.Fields(`instances projects etag clustering event_lifecycle event_location
	event_project resources image_compression_algorithm container_exec_signal_handling
	directory_manipulation console projects_images projects_profiles profile_usedby
	instance_get_full storage_api_resources clustering_sizing operation_wait network_forward`)

// Members lists the members with what they use.
func (l *LXD) Members(ctx context.Context) (_ []fleet.Member, err error) {
	end, err := l.begin(ctx, "Members", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	used := map[string]fleet.Size{}
	for _, i := range l.instances {
		used[i.location] += l.opts.InstanceSize
	}
	members := make([]fleet.Member, len(l.members))
	for i, m := range l.members {
		members[i] = fleet.Member{
			Name: m.name, Online: !m.offline, Status: fleet.MemberOnline, Message: "Fully operational",
			PoolTotal: l.opts.PoolSize, PoolUsed: min(used[m.name], l.opts.PoolSize),
			MemoryTotal: 16 * fleet.GiB, MemoryUsed: 2 * fleet.GiB, CPUs: 8,
		}
		if len(l.opts.Members) > 0 {
			members[i].Address = fmt.Sprintf("https://10.0.0.%d:8443", i+1)
			members[i].Groups, members[i].FailureDomain, members[i].Roles = []string{"default"}, "default", []string{"database"}
			members[i].Scheduler = "all"
		}
		if m.full {
			members[i].PoolUsed = l.opts.PoolSize
		}
		if m.evacuated {
			members[i].Online, members[i].Status, members[i].Message = false, fleet.MemberEvacuated, "Unavailable due to maintenance"
		}
		if m.offline {
			members[i] = fleet.Member{
				Name: m.name, Address: members[i].Address, Status: fleet.MemberOffline,
				Message: "No heartbeat for 20s", Groups: members[i].Groups, FailureDomain: members[i].FailureDomain, Roles: members[i].Roles,
				Scheduler: members[i].Scheduler,
			}
		}
		if m.told != nil {
			m.told(&members[i])
		}
	}
	return members, nil
}

// Pools lists one pool, "default".
func (l *LXD) Pools(ctx context.Context) (_ []fleet.Pool, err error) {
	end, err := l.begin(ctx, "Pools", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	return []fleet.Pool{{Name: "default", Driver: l.opts.Driver, Status: "Created", Config: maps.Clone(l.poolConfig)}}, nil
}

// EnsurePoolConfig sets keys of the pool's configuration.
func (l *LXD) EnsurePoolConfig(ctx context.Context, pool string, set map[string]string) (changed bool, err error) {
	end, err := l.begin(ctx, "EnsurePoolConfig", pool)
	if err != nil {
		return false, err
	}
	defer end(&err)
	if pool != "default" {
		return false, fleet.Errorf(fleet.NotFound, "the storage pool %s does not exist", pool)
	}
	for key, value := range set {
		changed = changed || l.poolConfig[key] != value
		if value == "" {
			delete(l.poolConfig, key)
		} else {
			l.poolConfig[key] = value
		}
	}
	return changed, nil
}

// Networks lists the networks of Options.
func (l *LXD) Networks(ctx context.Context) (_ []fleet.Network, err error) {
	end, err := l.begin(ctx, "Networks", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	return slices.Clone(l.opts.Networks), nil
}
