package api

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// ListTenants gives a page of tenants.
func (s *Server) ListTenants(ctx context.Context, r ListTenantsRequestObject) (ListTenantsResponseObject, error) {
	size, after, err := pageOf(r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	sorted, err := orderOf(string(r.Params.Sort), "name", "name", "created", "status")
	if err != nil {
		return nil, err
	}
	filter := fleet.TenantFilter{
		Search: r.Params.Search, Plan: r.Params.Plan, Member: r.Params.Member, Down: sorted.down, Limit: size + 1,
	}
	if err := continueTenants(&filter, sorted, after); err != nil {
		return nil, err
	}
	if err := oneOf("status", r.Params.Status...); err != nil {
		return nil, err
	}
	filter.Statuses = wordsOf[fleet.TenantStatus](r.Params.Status)
	caller := callerOf(ctx)
	if caller.Bound() {
		filter.Names = append([]fleet.Name{}, caller.Tenants...) // never nil
	}
	if filter.Labels, err = parseLabels(r.Params.Label); err != nil {
		return nil, err
	}
	if r.Params.Image != "" {
		ref, err := fleet.ParseImageRef(r.Params.Image)
		if err != nil {
			return nil, err
		}
		filter.Image, filter.Version = ref.Name, ref.Version
	}
	for _, d := range r.Params.Desired {
		if !d.Valid() {
			return nil, fleet.Errorf(fleet.Invalid, "%q is not a wanted state", d).WithField("desired").
				WithHint("use running, stopped or removed")
		}
		filter.Desired = append(filter.Desired, fleet.Desired(d))
	}
	views, err := s.Tenants.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	views, next := cut(views, size, func(v tenants.View) string { return sorted.mark(tenantKey(sorted, v)) })
	list := TenantList{Items: make([]Tenant, len(views)), NextCursor: next}
	for i, v := range views {
		list.Items[i] = s.tenantFor(caller, v)
	}
	return ListTenants200JSONResponse(list), nil
}

// tenantKey is where a tenant is in a list: what it is sorted by, and its name.
func tenantKey(o order, v tenants.View) string {
	switch o.by {
	case "created":
		return strconv.FormatInt(v.CreatedAt.UnixMicro(), 10) + " " + v.Name.String()
	case "status":
		return string(v.Status) + " " + v.Name.String()
	}
	return v.Name.String()
}

// continueTenants has a list go on after the tenant of a cursor; empty: it begins.
func continueTenants(f *fleet.TenantFilter, o order, cursor string) error {
	key, err := o.read(cursor)
	if err != nil {
		return err
	}
	f.Order = map[string]fleet.TenantOrder{"created": fleet.TenantsByCreated, "status": fleet.TenantsByStatus}[o.by]
	if key == "" {
		return nil
	}
	if f.Order == fleet.TenantsByName {
		f.After = fleet.Name(key)
		return nil
	}
	by, name, ok := strings.Cut(key, " ")
	if !ok || name == "" {
		return badCursor()
	}
	f.After, f.AfterStatus = fleet.Name(name), fleet.TenantStatus(by)
	if f.Order == fleet.TenantsByCreated {
		at, err := strconv.ParseInt(by, 10, 64)
		if err != nil {
			return badCursor()
		}
		f.AfterCreated = time.UnixMicro(at)
	}
	return nil
}

func parseLabels(pairs []string) (map[string]string, error) {
	labels := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fleet.Errorf(fleet.Invalid, "%q is not a label", pair).WithField("label").WithHint("write KEY=VALUE")
		}
		labels[key] = value
	}
	return labels, nil
}

// GetTenant gives one tenant.
func (s *Server) GetTenant(ctx context.Context, r GetTenantRequestObject) (GetTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return GetTenant200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

// CreateTenant starts the job that clones a tenant.
func (s *Server) CreateTenant(ctx context.Context, r CreateTenantRequestObject) (CreateTenantResponseObject, error) {
	health, err := healthIn(r.Body.Health)
	if err != nil {
		return nil, err
	}
	job, err := s.Tenants.Create(ctx, tenants.CreateRequest{
		Name: r.Body.Name, DisplayName: r.Body.DisplayName, Contact: r.Body.Contact, Labels: r.Body.Labels,
		Image: r.Body.Image, Plan: r.Body.Plan, Domains: r.Body.Domains, Member: r.Body.Member, Health: health,
		Policy: r.Body.Policy, TimeZone: r.Body.TimeZone,
		Wishes: wishesIn(r.Body.Wishes), Admin: adminIn(r.Body.Admin),
	}, onceOf(ctx))
	if err != nil {
		return nil, err
	}
	return CreateTenant202JSONResponse{s.accepted(ctx, job)}, nil
}

// EditTenant changes what is written down about a tenant.
func (s *Server) EditTenant(ctx context.Context, r EditTenantRequestObject) (EditTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	quiesce, err := quiesceIn(r.Body.Quiesce)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.Edit(ctx, name, tenants.EditRequest{
		DisplayName: r.Body.DisplayName, Contact: r.Body.Contact, Labels: r.Body.Labels,
		Policy: r.Body.Policy, TimeZone: r.Body.TimeZone, Window: r.Body.Window, Quiesce: quiesce,
		Wishes: wishesEditIn(r.Body.Wishes),
	})
	if err != nil {
		return nil, err
	}
	return EditTenant200JSONResponse(s.tenantFor(callerOf(ctx), view)), nil
}

// tenantFor gives a tenant as a caller may see it: who sees certain tenants only is not told
// which others it is to be near to.
func (s *Server) tenantFor(caller fleet.Caller, v tenants.View) Tenant {
	t := s.tenant(v)
	if caller.Bound() {
		t.Wishes = nil
	}
	return t
}

func (s *Server) tenant(v tenants.View) Tenant {
	t, seen := v.Tenant, v.Observation
	out := Tenant{
		Id: t.ID, Name: t.Name.String(), DisplayName: t.DisplayName, Contact: t.Contact,
		Labels: t.Labels, Image: t.Image.String(), Plan: t.Plan, Domains: make([]string, len(t.Domains)),
		Url: s.urlOf(t), Health: healthOut(t.Health), Desired: Desired(t.Desired), Status: TenantStatus(v.Status),
		Ready: t.Ready, Member: t.Member, Location: seen.Location, Address: seen.Address, Backend: seen.Via, Healthy: seen.Healthy,
		ObservedAt: seen.At, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Revision: t.Revision,
		Job: v.JobID, Problem: v.Problem, Maintenance: maintenanceOut(t.Maintenance), Holds: holdsOut(t.Holds), Guard: guardOut(t.Guard),
		Policy: t.Policy, TimeZone: t.TimeZone, Window: t.Window, Quiesce: quiesceOut(t.Quiesce),
		Wishes: wishesOut(t.Wishes), MovedAt: t.MovedAt, Admin: adminOut(t.Admin),
	}
	for i, d := range t.Domains {
		out.Domains[i] = d.String()
		if t.DomainSettings[d].Pending {
			out.PendingDomains = append(out.PendingDomains, d.String())
		}
	}
	if out.Labels == nil {
		out.Labels = Labels{}
	}
	if t.PurgeAt != nil {
		out.PurgeAt = *t.PurgeAt
	}
	return out
}

// urlOf is the address of the tenant's primary domain; empty where there is none.
func (s *Server) urlOf(t fleet.Tenant) string {
	if len(t.Domains) == 0 || t.Primary().Wildcard() || s.HTTPSPort == 0 {
		return ""
	}
	return t.Primary().URL(s.HTTPSPort)
}

func healthOut(h fleet.HealthCheck) HealthCheck {
	return HealthCheck{Port: h.Port, Path: h.Path, Status: h.Status, Body: h.Body, Timeout: h.Timeout.String()}
}

func healthIn(h *HealthCheck) (*fleet.HealthCheck, error) {
	if h == nil {
		return nil, nil //nolint:nilnil // none given is no error
	}
	timeout, err := parseTimeout("health.timeout", h.Timeout)
	if err != nil {
		return nil, err
	}
	return &fleet.HealthCheck{Port: h.Port, Path: h.Path, Status: h.Status, Body: h.Body, Timeout: timeout}, nil
}

func quiesceOut(q *fleet.Quiesce) *Quiesce {
	if q == nil {
		return nil
	}
	out := &Quiesce{By: QuiesceBy(cmp.Or(q.By, fleet.QuiesceHook)), Address: q.Address, Login: q.Login}
	if q.Limit > 0 {
		out.Limit = q.Limit.String()
	}
	return out
}

func quiesceIn(q *Quiesce) (*fleet.Quiesce, error) {
	if q == nil {
		return nil, nil //nolint:nilnil // none given is no error
	}
	limit, err := parseTimeout("quiesce.limit", q.Limit)
	if err != nil {
		return nil, err
	}
	out := &fleet.Quiesce{By: string(q.By), Limit: limit, Address: q.Address, Login: q.Login}
	if out.By == fleet.QuiesceHook && *out == (fleet.Quiesce{By: fleet.QuiesceHook}) {
		out.By = "" // the way of a tenant of which nothing is said
	}
	return out, nil
}

// parseTimeout reads a duration; 0 where none is given.
func parseTimeout(field, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fleet.Errorf(fleet.Invalid, "%q is not a duration", s).WithField(field).
			WithHint("write a number and a unit, such as 30s or 5m")
	}
	return d, nil
}
