package lxdfake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// instance is what the fake knows of one. Maps are replaced, never changed.
type instance struct {
	name      string
	status    fleet.InstanceStatus
	location  string
	config    map[string]string
	profiles  []string
	image     string
	created   time.Time
	started   time.Time
	addresses []string // it has these AddressDelay after started
	leased    []string // those it had when it was started last
	set       bool     // addresses were set by hand: they are there at once
	devices   map[string]map[string]string
	files     map[string]file // changed in place: a snapshot has a copy
	console   []byte
	snapshots []snapshot // the oldest first
}

// find gives an instance whose member answers. The fake is locked.
func (l *LXD) find(name string) (*instance, error) {
	i, ok := l.instances[name]
	if !ok {
		return nil, notFound(name)
	}
	if l.isOffline(i.location) {
		return nil, offline(i.location)
	}
	return i, nil
}

func notFound(name string) error {
	return fleet.Errorf(fleet.NotFound, "the instance %s does not exist", name)
}

func offline(member string) error {
	return fleet.Errorf(fleet.Unavailable, "the member %s is offline", member).
		WithHint("start LXD on it, or choose another member")
}

func (l *LXD) isOffline(member string) bool {
	m := l.member(member)
	return m != nil && m.offline
}

func (l *LXD) view(i *instance, withAddresses bool) fleet.Instance {
	if l.isOffline(i.location) { // LXD knows no more than this of it
		return fleet.Instance{Name: i.name, Status: fleet.InstanceError, Location: i.location}
	}
	v := fleet.Instance{
		Name: i.name, Status: i.status, Location: i.location, Config: maps.Clone(i.config),
		Profiles: slices.Clone(i.profiles), Image: i.image, CreatedAt: i.created, Devices: cloneDevices(i.devices),
	}
	if withAddresses {
		v.Addresses = l.addressesOf(i)
	}
	return v
}

func (l *LXD) addressesOf(i *instance) []string {
	if i.status != fleet.InstanceRunning || !i.set && time.Since(i.started) < l.opts.AddressDelay {
		return nil
	}
	return slices.Clone(i.addresses)
}

// Instances lists the instances by name.
func (l *LXD) Instances(ctx context.Context, withAddresses bool) (_ []fleet.Instance, err error) {
	end, err := l.begin(ctx, "Instances", "")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	list := make([]fleet.Instance, 0, len(l.instances))
	for _, i := range l.instances {
		list = append(list, l.view(i, withAddresses))
	}
	slices.SortFunc(list, func(a, b fleet.Instance) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Instance gives one instance, without addresses; fleet.NotFound.
func (l *LXD) Instance(ctx context.Context, name string) (_ fleet.Instance, err error) {
	end, err := l.begin(ctx, "Instance", name)
	if err != nil {
		return fleet.Instance{}, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return fleet.Instance{}, err
	}
	return l.view(i, false), nil
}

// Addresses gives the global addresses of a running instance, IPv4 first; none while it has
// none yet or is stopped.
func (l *LXD) Addresses(ctx context.Context, name string) (_ []string, err error) {
	end, err := l.begin(ctx, "Addresses", name)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return nil, err
	}
	return l.addressesOf(i), nil
}

// EnsureClone makes an instance from an image. One of that name with the same KeyJob is fine;
// any other is fleet.Taken. A full pool is fleet.Exhausted, an offline member
// fleet.Unavailable, a missing image or profile fleet.NotFound.
func (l *LXD) EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) (err error) {
	if spec.Config[fleet.KeyJob] == "" {
		return fleet.Errorf(fleet.Internal, "the clone %s has no %s", spec.Name, fleet.KeyJob)
	}
	end, err := l.begin(ctx, "EnsureClone", spec.Name)
	if err != nil {
		return err
	}
	defer end(&err)
	if old, ok := l.instances[spec.Name]; ok {
		if old.config[fleet.KeyJob] == spec.Config[fleet.KeyJob] {
			return nil
		}
		return taken(spec.Name)
	}
	m, err := l.place(spec)
	if err != nil {
		return err
	}
	l.images[spec.Fingerprint].unpacked[m.name] = true
	l.create(spec, m.name)
	if progress != nil {
		progress(fleet.Progress{Message: "cloned", Percent: 100})
	}
	return nil
}

func taken(name string) error {
	return fleet.Errorf(fleet.Taken, "the name %s belongs to another instance", name).
		WithField("name").WithHint("choose another name, or delete that instance")
}

// place checks what a clone needs and gives the member it goes to.
func (l *LXD) place(spec fleet.CloneSpec) (*member, error) {
	if l.images[spec.Fingerprint] == nil {
		return nil, fleet.Errorf(fleet.NotFound, "the image %s does not exist", spec.Fingerprint)
	}
	name := spec.Member
	if name == "" {
		best := l.fewest()
		if best == nil {
			return nil, fleet.Errorf(fleet.Unavailable, "no member is online")
		}
		name = best.name
	}
	return l.fitting(spec.Profiles, name)
}

// fitting gives the member of that name, where it can take an instance with these profiles.
func (l *LXD) fitting(profiles []string, memberName string) (*member, error) {
	for _, p := range profiles {
		if _, ok := l.profiles[p]; !ok {
			return nil, fleet.Errorf(fleet.NotFound, "the profile %s does not exist", p)
		}
	}
	m := l.member(memberName)
	switch {
	case m == nil:
		return nil, fleet.Errorf(fleet.NotFound, "the member %s does not exist", memberName)
	case m.offline:
		return nil, offline(m.name)
	case m.evacuated:
		return nil, fleet.Errorf(fleet.Forbidden, "the member %s is evacuated", m.name)
	case m.full:
		return nil, poolFull(m.name)
	}
	return m, nil
}

// fewest gives the online member with the fewest instances, as LXD chooses.
func (l *LXD) fewest() *member {
	count := map[string]int{}
	if len(l.members) > 1 {
		for _, i := range l.instances {
			count[i.location]++
		}
	}
	var best *member
	for _, m := range l.members {
		if !m.offline && !m.evacuated && (best == nil || count[m.name] < count[best.name]) {
			best = m
		}
	}
	return best
}

func (l *LXD) create(spec fleet.CloneSpec, location string) *instance {
	l.made++
	at := l.made + 1<<8 // beside the members' addresses
	config := make(map[string]string, len(spec.Config)+1)
	maps.Copy(config, spec.Config)
	if spec.Fingerprint != "" {
		config["volatile.base_image"] = spec.Fingerprint
	}
	profiles := slices.Clone(spec.Profiles)
	if profiles == nil {
		profiles = []string{"default"}
	}
	i := &instance{
		name: spec.Name, status: fleet.InstanceStopped, location: location, config: config,
		profiles: profiles, image: spec.Fingerprint, created: time.Now(), devices: cloneDevices(spec.Devices),
		addresses: []string{fmt.Sprintf("10.%d.%d.%d", at>>16&255, at>>8&255, at&255)},
	}
	l.instances[spec.Name] = i
	l.emit("instance-created", i.name, location)
	return i
}

// SetConfig sets configuration keys of an instance; an empty value removes the key.
func (l *LXD) SetConfig(ctx context.Context, name string, set map[string]string) (err error) {
	end, err := l.begin(ctx, "SetConfig", name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return err
	}
	config := maps.Clone(i.config)
	maps.Copy(config, set)
	maps.DeleteFunc(config, func(_, v string) bool { return v == "" })
	if maps.Equal(config, i.config) {
		return nil
	}
	i.config = config
	l.emit("instance-updated", name, i.location)
	return nil
}

// SetProfiles replaces the profiles of an instance; a missing profile is fleet.NotFound.
func (l *LXD) SetProfiles(ctx context.Context, name string, profiles []string) (err error) {
	end, err := l.begin(ctx, "SetProfiles", name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return err
	}
	for _, p := range profiles {
		if _, ok := l.profiles[p]; !ok {
			return fleet.Errorf(fleet.NotFound, "the profile %s does not exist", p)
		}
	}
	if slices.Equal(profiles, i.profiles) {
		return nil
	}
	i.profiles = slices.Clone(profiles)
	l.emit("instance-updated", name, i.location)
	return nil
}
