package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Tenants lists tenants by name, or as the filter orders them. Search does not look at case. One statement reads the whole
// page, so it is a snapshot.
func (s *Store) Tenants(ctx context.Context, filter fleet.TenantFilter) ([]fleet.Tenant, error) {
	query, args := tenantQuery(filter, s.dialect.thenJoin())
	var rows []tenantRow
	err := s.read(ctx, "list tenants", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, query, args...)
	})
	if err != nil {
		return nil, err
	}
	tenants := make([]fleet.Tenant, len(rows))
	for i, row := range rows {
		if tenants[i], err = row.tenant(); err != nil {
			return nil, err
		}
	}
	return tenants, nil
}

// tenantQuery builds the statement. With labels it starts at the index of the first one,
// which is sorted by tenant name, so that a page ends the reading early in any case.
func tenantQuery(filter fleet.TenantFilter, thenJoin string) (string, []any) {
	var b strings.Builder
	var args []any
	add := func(text string, more ...any) {
		b.WriteString(text)
		args = append(args, more...)
	}
	name := "tenants.name"
	add(`SELECT ` + tenantColumns + ` FROM `)
	keys := slices.Sorted(maps.Keys(filter.Labels))
	if len(keys) > 0 {
		name = "l.tenant_name"
		add(`tenant_labels l `+thenJoin+` tenants ON tenants.id = l.tenant_id WHERE l.label_key = ? AND l.label_value = ?`,
			clean(keys[0]), clean(filter.Labels[keys[0]]))
		for _, key := range keys[1:] {
			add(` AND EXISTS (SELECT 1 FROM tenant_labels m WHERE m.tenant_id = l.tenant_id AND m.label_key = ? AND m.label_value = ?)`,
				clean(key), clean(filter.Labels[key]))
		}
	} else {
		add(`tenants WHERE 1 = 1`)
	}
	follows, way := ` > ?`, ``
	if filter.Down {
		follows, way = ` < ?`, ` DESC`
	}
	byCreated := filter.Order == fleet.TenantsByCreated
	switch {
	case filter.After == "":
	case byCreated:
		at := micros(filter.AfterCreated)
		add(` AND (created_at`+follows+` OR created_at = ? AND `+name+follows+`)`, at, at, filter.After.String())
	default:
		add(` AND `+name+follows, filter.After.String())
	}
	for _, c := range []struct{ column, value string }{
		{"image_name", filter.Image}, {"image_version", filter.Version}, {"plan", filter.Plan}, {"member", filter.Member},
	} {
		if c.value != "" {
			add(` AND `+c.column+` = ?`, c.value)
		}
	}
	if len(filter.Desired) > 0 {
		add(` AND desired IN ` + marks(len(filter.Desired)))
		for _, d := range filter.Desired {
			add("", string(d))
		}
	}
	if filter.Names != nil {
		names := []any{""} // never empty, and no tenant's
		for _, n := range filter.Names {
			names = append(names, n.String())
		}
		add(` AND `+name+` IN `+marks(len(names)), names...)
	}
	if filter.Search != "" {
		add(` AND INSTR(search, ?) > 0`, fleet.SearchText(filter.Search))
	}
	if add(` ORDER BY `); byCreated {
		add(`created_at` + way + `, `)
	}
	add(name + way)
	if filter.Limit > 0 {
		add(` LIMIT ?`, filter.Limit)
	}
	return b.String(), args
}
