package tenants

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// spec is the part of a tenant that has no key of its own in LXD.
type spec struct {
	DisplayName string            `json:"display_name,omitempty"`
	Contact     string            `json:"contact,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	// Domains are the settings of those domains that have any.
	Domains     map[fleet.Domain]fleet.DomainSetting `json:"domains,omitempty"`
	Maintenance *fleet.Maintenance                   `json:"maintenance,omitempty"` // without its page, which may be large
	Holds       []fleet.Hold                         `json:"holds,omitempty"`
	Guard       *fleet.GuardRules                    `json:"guard,omitempty"`
	Wishes      *fleet.Wishes                        `json:"wishes,omitempty"`
	Admin       *fleet.Admin                         `json:"admin,omitempty"`
	Policy      string                               `json:"policy,omitempty"`
	TimeZone    string                               `json:"time_zone,omitempty"`
	Quiesce     *fleet.Quiesce                       `json:"quiesce,omitempty"`
	Window      string                               `json:"window,omitempty"`
	MovedAt     time.Time                            `json:"moved_at,omitzero"`
	Health      fleet.HealthCheck                    `json:"health"`
	PurgeAt     *time.Time                           `json:"purge_at,omitempty"`
	CreatedAt   time.Time                            `json:"created_at"`
}

// keysOf gives the configuration keys an instance of t carries, all but KeyJob and KeyReady:
// with them t can be rebuilt from LXD alone, all but the page of its maintenance.
func keysOf(t fleet.Tenant) map[string]string {
	maintenance := t.Maintenance
	if maintenance != nil {
		m := *maintenance
		m.Page = ""
		maintenance = &m
	}
	holds := orNone(slices.DeleteFunc(slices.Clone(t.Holds), func(h fleet.Hold) bool { return h.Job != "" }))
	rest, err := json.Marshal(spec{
		DisplayName: t.DisplayName, Contact: t.Contact, Labels: t.Labels,
		Domains: t.DomainSettings, Maintenance: maintenance, Holds: holds, Guard: t.Guard, Wishes: t.Wishes,
		Admin: t.Admin, Policy: t.Policy, TimeZone: t.TimeZone, Quiesce: t.Quiesce, Window: t.Window, MovedAt: t.MovedAt,
		Health: t.Health, PurgeAt: t.PurgeAt, CreatedAt: t.CreatedAt,
	})
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	domains := make([]string, len(t.Domains))
	for i, d := range t.Domains {
		domains[i] = d.String()
	}
	image := ""
	if t.Image.Name != "" {
		image = t.Image.String()
	}
	return map[string]string{
		fleet.KeyRole:    fleet.RoleTenant,
		fleet.KeyTenant:  t.ID,
		fleet.KeyName:    t.Name.String(),
		fleet.KeyImage:   image,
		fleet.KeyPlan:    t.Plan,
		fleet.KeyDomains: strings.Join(domains, " "),
		fleet.KeyState:   string(t.Desired),
		fleet.KeySpec:    string(rest),
	}
}

// tenantOf rebuilds a tenant from its instance. It is ready; the name is the instance's.
func tenantOf(inst fleet.Instance) (fleet.Tenant, error) {
	name, err := fleet.ParseName(inst.Name)
	if err != nil {
		return fleet.Tenant{}, err
	}
	t := fleet.Tenant{
		ID: inst.Config[fleet.KeyTenant], Name: name, Plan: inst.Config[fleet.KeyPlan],
		Desired: fleet.Desired(inst.Config[fleet.KeyState]), Member: inst.Location, Ready: true,
	}
	if ref := inst.Config[fleet.KeyImage]; ref != "" {
		if t.Image, err = fleet.ParseImageRef(ref); err != nil {
			return fleet.Tenant{}, err
		}
	}
	for d := range strings.FieldsSeq(inst.Config[fleet.KeyDomains]) {
		domain, err := fleet.ParseDomainPattern(d)
		if err != nil {
			return fleet.Tenant{}, err
		}
		t.Domains = append(t.Domains, domain)
	}
	switch t.Desired {
	case fleet.DesiredRunning, fleet.DesiredStopped, fleet.DesiredRemoved:
	default:
		return fleet.Tenant{}, fmt.Errorf("%s is %q, which is no wanted state", fleet.KeyState, t.Desired)
	}
	var rest spec
	if err := json.Unmarshal([]byte(inst.Config[fleet.KeySpec]), &rest); err != nil {
		return fleet.Tenant{}, fmt.Errorf("%s cannot be read: %w", fleet.KeySpec, err)
	}
	if err := checkHealth(rest.Health); err != nil {
		return fleet.Tenant{}, err
	}
	t.DisplayName, t.Contact, t.Labels = rest.DisplayName, rest.Contact, rest.Labels
	t.DomainSettings, t.Maintenance, t.Holds, t.Guard, t.Wishes = rest.Domains, rest.Maintenance, rest.Holds, rest.Guard, rest.Wishes
	t.Policy, t.TimeZone, t.Quiesce = rest.Policy, rest.TimeZone, rest.Quiesce
	t.Window, t.MovedAt, t.Admin = rest.Window, rest.MovedAt, rest.Admin
	t.Health, t.PurgeAt, t.CreatedAt = rest.Health, rest.PurgeAt, rest.CreatedAt
	t.UpdatedAt = t.CreatedAt
	return t, nil
}
