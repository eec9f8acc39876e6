package setup

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Options say what Init is to set up.
type Options struct {
	Project string
	Pool    string // empty: Init chooses
	Network string // empty: Init chooses
	// Profiles has the shipped profiles, one YAML file each.
	Profiles fs.FS
	// ResetProfiles overwrites profiles that differ from the shipped ones.
	ResetProfiles bool
	// Elsewhere: it is not the cluster that lxdfleet runs on.
	Elsewhere bool
	// Missing lists the LXD API extensions lxdfleet needs and the server lacks.
	Missing func(fleet.Server) []string
}

// Init makes the LXD project and its profiles, and checks what it stands on. It writes a line
// to out for each thing it made, changed or found, and stops at the first that cannot work.
func Init(ctx context.Context, lxd LXD, opts Options, out io.Writer) error {
	server, err := checkServer(ctx, lxd, opts, out)
	if err != nil {
		return err
	}
	pool, network, err := chooseResources(ctx, lxd, opts, out)
	if err != nil {
		return err
	}
	if err := ensureQuota(ctx, lxd, pool, out); err != nil {
		return err
	}
	change, err := lxd.EnsureProject(ctx, projectSpec(opts.Project))
	if err != nil {
		return fmt.Errorf("project %s: %w", opts.Project, err)
	}
	say(out, "project", opts.Project, orKept(change))
	if err := ensureProfiles(ctx, lxd, opts, pool, network, out); err != nil {
		return err
	}
	members, err := lxd.Members(ctx)
	if err != nil {
		return fmt.Errorf("list members: %w", err)
	}
	for _, m := range members {
		state := "online"
		if !m.Online {
			state = "OFFLINE: " + m.Message
		}
		say(out, "member", m.Name, state)
	}
	if opts.Elsewhere {
		return nil
	}
	fmt.Fprintf(out, "\nReady on LXD %s. Next: `lxdfleet serve`.\n", server.Version)
	return nil
}

func projectSpec(name string) fleet.ProjectSpec {
	return fleet.ProjectSpec{
		Name:        name,
		Description: "Tenants of lxdfleet",
		Config:      map[string]string{"features.images": "true", "features.profiles": "true", "features.storage.volumes": "true"},
	}
}

func checkServer(ctx context.Context, lxd LXD, opts Options, out io.Writer) (fleet.Server, error) {
	server, err := lxd.Server(ctx)
	if err != nil {
		return server, fmt.Errorf("reach LXD: %w", err)
	}
	if missing := opts.Missing(server); len(missing) > 0 {
		return server, fleet.Errorf(fleet.Unsupported, "LXD %s is too old: it lacks %v", server.Version, missing).
			WithHint("install LXD 5.0 or newer")
	}
	kind := "stand-alone"
	if server.Clustered {
		kind = "cluster"
	}
	say(out, "LXD", server.Version, kind)
	return server, nil
}

func chooseResources(ctx context.Context, lxd LXD, opts Options, out io.Writer) (pool fleet.Pool, network fleet.Network, err error) {
	pools, err := lxd.Pools(ctx)
	if err != nil {
		return pool, network, fmt.Errorf("list storage pools: %w", err)
	}
	if pool, err = choosePool(pools, opts.Pool); err != nil {
		return pool, network, err
	}
	note := pool.Driver
	if !slices.Contains(drivers, pool.Driver) {
		note += ": clones will be full copies, slow and large; ZFS or btrfs clone in a second"
	}
	say(out, "pool", pool.Name, note)
	networks, err := lxd.Networks(ctx)
	if err != nil {
		return pool, network, fmt.Errorf("list networks: %w", err)
	}
	if network, err = chooseNetwork(networks, opts.Network); err != nil {
		return pool, network, err
	}
	note = "managed " + network.Type
	if !network.Managed {
		note = network.Type + " of the host; its DHCP is yours to run"
	}
	say(out, "network", network.Name, note)
	return pool, network, nil
}

// refquota makes ZFS count what an instance's disk holds now, and not what its snapshots keep,
// against its size.
const refquota = "volume.zfs.use_refquota"

// ensureQuota sees to it that snapshots do not eat a tenant's disk, unless the operator wants it so.
func ensureQuota(ctx context.Context, lxd LXD, pool fleet.Pool, out io.Writer) error {
	switch {
	case pool.Driver != "zfs" || pool.Config[refquota] == "true":
		return nil
	case pool.Config[refquota] != "":
		say(out, "pool", pool.Name, "kept: "+refquota+" is "+pool.Config[refquota]+", so snapshots count against a tenant's disk")
		return nil
	}
	if _, err := lxd.EnsurePoolConfig(ctx, pool.Name, map[string]string{refquota: "true"}); err != nil {
		return fmt.Errorf("pool %s: %w", pool.Name, err)
	}
	say(out, "pool", pool.Name, "updated: snapshots do not count against a tenant's disk ("+refquota+")")
	return nil
}

func ensureProfiles(ctx context.Context, lxd LXD, opts Options, pool fleet.Pool, network fleet.Network, out io.Writer) error {
	wanted, err := loadProfiles(opts.Profiles, pool, network)
	if err != nil {
		return err
	}
	present, err := lxd.Profiles(ctx)
	if err != nil {
		return fmt.Errorf("list profiles: %w", err)
	}
	for _, want := range wanted {
		i := slices.IndexFunc(present, func(p fleet.ProfileSpec) bool { return p.Name == want.Name })
		if i >= 0 && !bare(present[i]) && !opts.ResetProfiles && !sameProfile(present[i], want) {
			say(out, "profile", want.Name, "kept: it differs from the shipped one (--reset-profiles overwrites it)")
			continue
		}
		change, err := lxd.EnsureProfile(ctx, want)
		if err != nil {
			return fmt.Errorf("profile %s: %w", want.Name, err)
		}
		say(out, "profile", want.Name, orKept(change))
	}
	return nil
}

func orKept(change string) string {
	if change == "" {
		return "as wanted"
	}
	return change
}

func say(out io.Writer, what, name, state string) {
	fmt.Fprintf(out, "%-8s %-16s %s\n", what, name, state)
}
