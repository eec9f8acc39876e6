package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// poolWarnPercent is how full a pool may be before doctor warns: copy-on-write pools slow
// down and fragment above it (OpenZFS's own tuning guide gives 80 %).
const poolWarnPercent = 80

// Doctor checks LXD for lxdfleet. connect may fail: that is a finding, not an error.
func Doctor(ctx context.Context, connect func(context.Context) (LXD, error), opts Options) []Finding {
	lxd, err := connect(ctx)
	if err != nil {
		return []Finding{failure("lxd", err, "start LXD, or set lxd.socket or lxd.url in the configuration file")}
	}
	server, err := lxd.Server(ctx)
	if err != nil {
		return []Finding{failure("lxd", err, "start LXD, or set lxd.socket or lxd.url in the configuration file")}
	}
	findings := []Finding{checkVersion(server, opts)}
	findings = append(findings, checkProfiles(ctx, lxd)...)
	return append(findings, checkMembers(ctx, lxd)...)
}

func failure(check string, err error, hint string) Finding {
	f := Finding{Check: check, State: Fail, Message: err.Error(), Hint: hint}
	if e, ok := errors.AsType[*fleet.Error](err); ok && e.Hint != "" {
		f.Message, f.Hint = e.Message, e.Hint
	}
	return f
}

func checkVersion(server fleet.Server, opts Options) Finding {
	if missing := opts.Missing(server); len(missing) > 0 {
		return Finding{
			Check: "lxd", State: Fail, Message: fmt.Sprintf("LXD %s lacks %s", server.Version, strings.Join(missing, ", ")),
			Hint: "install LXD 5.0 or newer",
		}
	}
	return Finding{Check: "lxd", State: OK, Message: "LXD " + server.Version + " on kernel " + server.Kernel}
}

func checkProfiles(ctx context.Context, lxd LXD) []Finding {
	profiles, err := lxd.Profiles(ctx)
	if err != nil {
		return []Finding{failure("project", err, "run `lxdfleet init`")}
	}
	i := slices.IndexFunc(profiles, func(p fleet.ProfileSpec) bool { return p.Name == "default" })
	if i < 0 || profiles[i].Devices["root"]["pool"] == "" || len(profiles[i].Devices["eth0"]) == 0 {
		return []Finding{{
			Check: "profiles", State: Fail, Message: "the project's default profile has no root disk or no eth0",
			Hint: "run `lxdfleet init`",
		}}
	}
	findings := []Finding{checkPool(ctx, lxd, profiles[i].Devices["root"]["pool"]), checkNetwork(ctx, lxd, profiles[i].Devices["eth0"])}
	if len(profiles) < 2 {
		return append(findings, Finding{Check: "plans", State: Fail, Message: "there is no plan", Hint: "run `lxdfleet init`"})
	}
	return append(findings, Finding{Check: "plans", State: OK, Message: fmt.Sprintf("%d plans", len(profiles)-1)})
}

func checkPool(ctx context.Context, lxd LXD, name string) Finding {
	pools, err := lxd.Pools(ctx)
	if err != nil {
		return failure("pool", err, "look at `lxc storage list`")
	}
	i := slices.IndexFunc(pools, func(p fleet.Pool) bool { return p.Name == name })
	switch {
	case i < 0:
		return Finding{
			Check: "pool", State: Fail, Message: fmt.Sprintf("the default profile uses the storage pool %q, which does not exist", name),
			Hint: "make it with `lxc storage create`, or run `lxdfleet init --reset-profiles`",
		}
	case pools[i].Status != "" && pools[i].Status != "Created":
		return Finding{
			Check: "pool", State: Fail, Message: fmt.Sprintf("storage pool %s is %s", name, pools[i].Status),
			Hint: "look at `lxc storage show " + name + "` and LXD's log",
		}
	case !slices.Contains(drivers, pools[i].Driver):
		return Finding{
			Check: "pool", State: Warn, Message: fmt.Sprintf("storage pool %s uses %s, which copies whole file systems", name, pools[i].Driver),
			Hint: "a pool on ZFS or btrfs makes clones in a second and shares their space",
		}
	case pools[i].Driver == "zfs" && pools[i].Config[refquota] != "true":
		return Finding{
			Check: "pool", State: Warn, Message: "snapshots count against a tenant's disk: " + refquota + " is not true on the storage pool " + name,
			Hint: "lxc storage set " + name + " " + refquota + " true; for the tenants that are there the same key, without \"volume.\", by `lxc storage volume set " + name + " container/NAME`",
		}
	}
	return Finding{Check: "pool", State: OK, Message: name + " on " + pools[i].Driver}
}

func checkNetwork(ctx context.Context, lxd LXD, nic map[string]string) Finding {
	name := nic["network"]
	if name == "" {
		name = nic["parent"]
	}
	networks, err := lxd.Networks(ctx)
	if err != nil {
		return failure("network", err, "look at `lxc network list`")
	}
	if !slices.ContainsFunc(networks, func(n fleet.Network) bool { return n.Name == name }) {
		return Finding{
			Check: "network", State: Fail, Message: fmt.Sprintf("the default profile uses the network %q, which does not exist", name),
			Hint: "make it with `lxc network create`, or run `lxdfleet init --reset-profiles`",
		}
	}
	return Finding{Check: "network", State: OK, Message: name}
}

func checkMembers(ctx context.Context, lxd LXD) []Finding {
	members, err := lxd.Members(ctx)
	if err != nil {
		return []Finding{failure("members", err, "look at `lxc cluster list`")}
	}
	var findings []Finding
	for _, m := range members {
		check := "member " + m.Name
		percent := int64(0)
		if m.PoolTotal > 0 {
			percent = int64(m.PoolUsed * 100 / m.PoolTotal)
		}
		switch {
		case !m.Online:
			findings = append(findings, Finding{
				Check: check, State: Fail, Message: "offline: " + m.Message,
				Hint: "start LXD on it; `lxc cluster list` shows why it is offline",
			})
		case percent >= poolWarnPercent:
			findings = append(findings, Finding{
				Check: check, State: Warn, Message: fmt.Sprintf("its storage pool is %d%% full", percent),
				Hint: "delete old image versions and trashed tenants, or grow the pool",
			})
		default:
			findings = append(findings, Finding{Check: check, State: OK, Message: fmt.Sprintf("online, pool %d%% full", percent)})
		}
	}
	return findings
}
