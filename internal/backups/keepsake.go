package backups

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Keepsake is what a restore needs besides the files. It is kept with the backup, in the
// repository.
type Keepsake struct {
	// Tenant as it was when the backup was taken.
	Tenant fleet.Tenant `json:"tenant"`
	// Config are its instance's own configuration keys, but for those of lxdfleet, and of LXD's
	// volatile ones only the MAC addresses.
	Config   map[string]string            `json:"config,omitempty"`
	Devices  map[string]map[string]string `json:"devices,omitempty"`
	Profiles []string                     `json:"profiles,omitempty"`
	// Record is the backup without what is known only when it is in the repository.
	Record fleet.Backup `json:"record"`
}

// keepsakeLabel and jobLabel are the labels of an entry in the repository.
const (
	keepsakeLabel = "keepsake"
	jobLabel      = "job"
)

func keepsakeOf(t fleet.Tenant, inst fleet.Instance) Keepsake {
	k := Keepsake{Tenant: t, Config: map[string]string{}, Devices: inst.Devices, Profiles: inst.Profiles}
	for key, value := range inst.Config {
		own := strings.HasPrefix(key, fleet.KeyPrefix)
		passing := strings.HasPrefix(key, "volatile.") && !isMAC(key)
		if !own && !passing {
			k.Config[key] = value
		}
	}
	return k
}

// isMAC reports whether the key holds the MAC address of a network device.
func isMAC(key string) bool {
	return strings.HasPrefix(key, "volatile.") && strings.HasSuffix(key, ".hwaddr")
}

// macs are the keys by which an instance keeps its MAC addresses, and so its IP address.
func macs(config map[string]string) map[string]string {
	found := map[string]string{}
	for key, value := range config {
		if isMAC(key) {
			found[key] = value
		}
	}
	return found
}

// plain is the configuration without MAC addresses.
func (k Keepsake) plain() map[string]string {
	config := maps.Clone(k.Config)
	maps.DeleteFunc(config, func(key, _ string) bool { return isMAC(key) })
	if config == nil {
		config = map[string]string{}
	}
	return config
}

// profiles are those the instance had, with another plan where the tenant has one by now.
func (k Keepsake) profiles(plan string) []string {
	list := slices.Clone(k.Profiles)
	if len(list) == 0 {
		list = []string{"default", k.Tenant.Plan}
	}
	for i, p := range list {
		if p == k.Tenant.Plan {
			list[i] = plan
		}
	}
	return list
}

func (k Keepsake) label() (string, error) {
	raw, err := json.Marshal(k)
	return string(raw), err
}

// recall reads the keepsake of a backup from the repository; fleet.NotFound where the repository
// has no such backup any more.
func (d Deps) recall(ctx context.Context, id string) (Keepsake, error) {
	repo, err := d.Vault.Open(ctx)
	if err != nil {
		return Keepsake{}, err
	}
	entry, err := find(ctx, repo, KindTenant, func(e Stored) bool { return e.ID == id })
	if err != nil {
		return Keepsake{}, err
	}
	if entry == nil {
		return Keepsake{}, fleet.Errorf(fleet.NotFound, "backup %s is not in the repository any more", short(id)).WithField("backup").
			WithHint("somebody deleted it there; choose another")
	}
	return keepsakeIn(*entry)
}

func keepsakeIn(entry Stored) (Keepsake, error) {
	var k Keepsake
	if err := json.Unmarshal([]byte(entry.Meta.Labels[keepsakeLabel]), &k); err != nil {
		return Keepsake{}, fleet.Errorf(fleet.Unsupported, "what is kept with backup %s cannot be read: %w", short(entry.ID), err).WithField("backup").
			WithHint("lxdfleet of another version made it; its files can be read with the repository's own tool")
	}
	return k, nil
}

// find gives the first entry of a kind that the test picks; nil where there is none.
func find(ctx context.Context, repo Repository, kind string, pick func(Stored) bool) (*Stored, error) {
	list, err := repo.List(ctx, kind)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if pick(e) {
			return &e, nil
		}
	}
	return nil, nil
}

// recordOf is the backup that an entry in the repository is.
func recordOf(entry Stored, k Keepsake) fleet.Backup {
	b := k.Record
	b.ID, b.DoneAt, b.Size, b.Moved, b.Files = entry.ID, entry.DoneAt, entry.Size, entry.Moved, entry.Files
	return b
}
