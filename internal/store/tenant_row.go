package store

import (
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	tenantColumns = `id, name, display_name, contact, labels, image_name, image_version, plan, domains,
		site, health, desired, ready, member, purge_at, created_at, updated_at, revision`

	insertTenant = `INSERT INTO tenants (` + tenantColumns + `, search) VALUES (:id, :name, :display_name,
		:contact, :labels, :image_name, :image_version, :plan, :domains, :site, :health, :desired, :ready, :member,
		:purge_at, :created_at, :updated_at, :revision, :search)`

	updateTenant = `UPDATE tenants SET name = :name, display_name = :display_name, contact = :contact,
		labels = :labels, image_name = :image_name, image_version = :image_version, plan = :plan,
		domains = :domains, site = :site, health = :health, desired = :desired, ready = :ready, member = :member,
		purge_at = :purge_at, updated_at = :updated_at, search = :search, revision = revision + 1
		WHERE id = :id AND revision = :revision`
)

// tenantRow is a row of the table tenants.
type tenantRow struct {
	ID           string `db:"id"`
	Name         string `db:"name"`
	DisplayName  string `db:"display_name"`
	Contact      string `db:"contact"`
	Labels       string `db:"labels"`
	ImageName    string `db:"image_name"`
	ImageVersion string `db:"image_version"`
	Plan         string `db:"plan"`
	Domains      string `db:"domains"`
	Site         string `db:"site"`
	Health       string `db:"health"`
	Desired      string `db:"desired"`
	Ready        int64  `db:"ready"`
	Member       string `db:"member"`
	PurgeAt      int64  `db:"purge_at"`
	CreatedAt    int64  `db:"created_at"`
	UpdatedAt    int64  `db:"updated_at"`
	Revision     int64  `db:"revision"`
	Search       string `db:"search"` // written, never read
}

// site is the form of the column site.
type site struct {
	Domains     map[fleet.Domain]fleet.DomainSetting `json:"domains,omitempty"`
	Maintenance *fleet.Maintenance                   `json:"maintenance,omitempty"`
	Holds       []fleet.Hold                         `json:"holds,omitempty"`
	Guard       *fleet.GuardRules                    `json:"guard,omitempty"`
	Wishes      *fleet.Wishes                        `json:"wishes,omitempty"`
	Admin       *fleet.Admin                         `json:"admin,omitempty"`
	Policy      string                               `json:"policy,omitempty"`
	TimeZone    string                               `json:"time_zone,omitempty"`
	Quiesce     *fleet.Quiesce                       `json:"quiesce,omitempty"`
	Window      string                               `json:"window,omitempty"`
	MovedAt     time.Time                            `json:"moved_at,omitzero"`
}

func toTenantRow(t fleet.Tenant) (tenantRow, error) {
	if err := checkTenant(t); err != nil {
		return tenantRow{}, err
	}
	labels, err := toJSON(t.Labels)
	if err != nil {
		return tenantRow{}, err
	}
	health, err := toJSON(t.Health)
	if err != nil {
		return tenantRow{}, err
	}
	site, err := toJSON(site{
		Domains: t.DomainSettings, Maintenance: t.Maintenance, Holds: t.Holds, Guard: t.Guard,
		Wishes: t.Wishes, Admin: t.Admin, Policy: t.Policy, TimeZone: t.TimeZone, Quiesce: t.Quiesce, Window: t.Window, MovedAt: t.MovedAt,
	})
	if err != nil {
		return tenantRow{}, err
	}
	row := tenantRow{
		ID: t.ID, Name: t.Name.String(), DisplayName: clean(t.DisplayName), Contact: clean(t.Contact),
		Labels: labels, ImageName: t.Image.Name, ImageVersion: t.Image.Version, Plan: t.Plan,
		Domains: joinDomains(t.Domains), Site: site, Health: health, Desired: string(t.Desired), Ready: flag(t.Ready),
		Member: t.Member, CreatedAt: micros(t.CreatedAt), UpdatedAt: micros(t.UpdatedAt), Revision: t.Revision,
	}
	if t.PurgeAt != nil {
		row.PurgeAt = micros(*t.PurgeAt)
	}
	row.Search = t.SearchText()
	return row, nil
}

// checkTenant refuses what one database would take and the other not.
func checkTenant(t fleet.Tenant) error {
	for i, d := range t.Domains {
		if slices.Contains(t.Domains[:i], d) {
			return fleet.Errorf(fleet.Invalid, "%s is listed twice", d).WithField("domain").WithHint("list each domain once")
		}
	}
	for key, value := range t.Labels {
		if err := or(fits("labels", key), fits("labels", value)); err != nil {
			return err
		}
	}
	return or(fits("plan", t.Plan), fits("member", t.Member))
}

func (r tenantRow) tenant() (fleet.Tenant, error) {
	t := fleet.Tenant{
		ID: r.ID, Name: fleet.Name(r.Name), DisplayName: r.DisplayName, Contact: r.Contact,
		Image: fleet.ImageRef{Name: r.ImageName, Version: r.ImageVersion}, Plan: r.Plan,
		Domains: splitDomains(r.Domains), Desired: fleet.Desired(r.Desired), Ready: r.Ready != 0,
		Member: r.Member, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
		Revision: r.Revision,
	}
	if r.PurgeAt != 0 {
		at := fromMicros(r.PurgeAt)
		t.PurgeAt = &at
	}
	if err := fromJSON("labels", r.Labels, &t.Labels); err != nil {
		return fleet.Tenant{}, damaged(r.Name, err)
	}
	if err := fromJSON("health", r.Health, &t.Health); err != nil {
		return fleet.Tenant{}, damaged(r.Name, err)
	}
	var more site
	if err := fromJSON("site", r.Site, &more); err != nil {
		return fleet.Tenant{}, damaged(r.Name, err)
	}
	t.DomainSettings, t.Maintenance, t.Holds, t.Guard, t.Wishes = more.Domains, more.Maintenance, more.Holds, more.Guard, more.Wishes
	t.Policy, t.TimeZone, t.Quiesce = more.Policy, more.TimeZone, more.Quiesce
	t.Window, t.MovedAt, t.Admin = more.Window, more.MovedAt, more.Admin
	return t, nil
}

// damaged is about a row that somebody else than the store wrote.
func damaged(what string, err error) error {
	return fleet.Errorf(fleet.Internal, "the stored row of %s cannot be read: %w", what, err).
		WithHint("the database was changed by hand or is damaged; restore it from a backup")
}

func joinDomains(domains []fleet.Domain) string {
	words := make([]string, len(domains))
	for i, d := range domains {
		words[i] = d.String()
	}
	return strings.Join(words, " ")
}

// splitDomains never gives nil, so that a tenant's JSON has a list in any case.
func splitDomains(text string) []fleet.Domain {
	words := strings.Fields(text)
	domains := make([]fleet.Domain, len(words))
	for i, w := range words {
		domains[i] = fleet.Domain(w)
	}
	return domains
}
