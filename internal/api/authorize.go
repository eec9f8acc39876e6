package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// authorize tells who makes a request, and lets it through to operations that they may use. An
// address that is no operation's is let through: there is nothing but the error, or the
// dashboard.
func (s *Server) authorize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		r := ec.Request()
		a, known := s.access[r.Method+" "+ec.Path()]
		if !known {
			return next(ec)
		}
		secure(ec.Response().Header())
		caller, err := s.identify(r)
		if a.role == "" {
			caller, err = nobody(addressOf(r)), nil // whoever logs in may have a cookie that is good no more
			if name, local := r.Context().Value(localKey{}).(string); local {
				caller = fleet.Caller{Kind: fleet.CallerSocket, Name: name, Role: fleet.RoleAdmin}
			}
		}
		if err := s.limits.take(ec.Response().Header(), caller, addressOf(r)); err != nil {
			return err
		}
		if err == nil {
			err = guard(r, caller)
		}
		if err == nil {
			err = allowed(a, caller)
		}
		c := &call{access: a, caller: caller, response: ec.Response(), note: func(int, string) {}, release: func() {}}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		c.request = r
		ec.SetRequest(r)
		if err != nil {
			if caller.Kind != fleet.CallerNobody && caller.Kind != "" {
				s.record(ec, c, subjectOf(ec, c), nil)
			}
			return err
		}
		return next(ec)
	}
}

// secure says to browsers that answers are for nobody else, and nothing but what they say.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// allowed looks at the role only, so that it tells nothing of what there is.
func allowed(a access, caller fleet.Caller) error {
	switch {
	case a.role == "":
		return nil
	case caller.Kind == fleet.CallerNobody:
		return fleet.Errorf(fleet.Unauthenticated, "nobody is logged in").
			WithHint("log in (POST /v1/session), or send Authorization: Bearer TOKEN")
	case !caller.Role.Includes(a.role):
		return fleet.Errorf(fleet.Forbidden, "this is for the role %s", a.role).WithHint("your role is %s; ask an admin", caller.Role)
	case a.scope == scopeFleet && caller.Bound():
		return fleet.Errorf(fleet.Forbidden, "this is of the whole fleet").WithHint("you see certain tenants only; ask an admin")
	}
	return nil
}

// confine hides from somebody who sees certain tenants only what is of another one: the error
// is the one for what there is not.
func (s *Server) confine(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		c, ok := ec.Request().Context().Value(callKey{}).(*call)
		if !ok || !c.caller.Bound() {
			return next(ec)
		}
		if err := s.within(ec, c); err != nil {
			return err
		}
		return next(ec)
	}
}

func (s *Server) within(ec echo.Context, c *call) error {
	ctx := ec.Request().Context()
	switch c.access.scope {
	case scopeTenant:
		name, err := fleet.ParseName(pathParam(ec, "name"))
		if err != nil {
			return err
		}
		if !c.caller.Sees(name) {
			return noTenant(name)
		}
	case scopeDomain:
		return s.ownDomain(ctx, c.caller, pathParam(ec, "domain"))
	case scopeBackup:
		return s.ownBackup(ctx, c.caller, pathParam(ec, "id"))
	case scopeDrill:
		return s.ownDrill(ctx, c.caller, pathParam(ec, "id"))
	case scopeJob:
		id := pathParam(ec, "id")
		job, err := s.Jobs.Job(ctx, id)
		if err == nil && !seesSubject(c.caller, job.Subject) || fleet.CodeOf(err) == fleet.NotFound {
			return fleet.Errorf(fleet.NotFound, "there is no job %s", id).WithHint("lxdfleet job list shows them")
		}
		return err
	}
	return nil
}

// These look among what the caller sees only, so that what another tenant has takes no longer
// to be not found than what nobody has.

func (s *Server) ownDomain(ctx context.Context, caller fleet.Caller, text string) error {
	domain, err := fleet.ParseDomainPattern(text)
	if err != nil {
		return err
	}
	for _, tenant := range caller.Tenants {
		views, err := s.Domains.Domains(ctx, tenants.DomainFilter{Tenant: tenant})
		if err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return err
		}
		if slices.ContainsFunc(views, func(v tenants.DomainView) bool { return v.Domain == domain && v.Tenant == tenant }) {
			return nil
		}
	}
	return fleet.Errorf(fleet.NotFound, "no tenant has the domain %s", domain).WithField("domain").
		WithHint("lxdfleet domain list shows those there are")
}

// ownBackup takes whole ids only: how short one may be tells of others.
func (s *Server) ownBackup(ctx context.Context, caller fleet.Caller, id string) error {
	for _, tenant := range caller.Tenants {
		list, err := s.Backups.List(ctx, fleet.BackupFilter{Tenant: tenant})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(b fleet.Backup) bool { return b.ID == id && b.Tenant == tenant }) {
			return nil
		}
	}
	return fleet.Errorf(fleet.NotFound, "there is no backup %s", id).WithHint("lxdfleet backup list shows them; give the whole id")
}

func (s *Server) ownDrill(ctx context.Context, caller fleet.Caller, id string) error {
	for _, tenant := range caller.Tenants {
		list, err := s.Backups.Drills(ctx, fleet.DrillFilter{Tenant: tenant})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(d fleet.Drill) bool { return d.ID == id && d.Tenant == tenant }) {
			return nil
		}
	}
	return fleet.Errorf(fleet.NotFound, "there is no drill %s", id).WithHint("lxdfleet drill list shows them")
}

// pathParam gives a part of the path as the handlers get it.
func pathParam(ec echo.Context, name string) string {
	value := ec.Param(name)
	if ec.Request().URL.RawPath == "" {
		return value
	}
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func noTenant(name fleet.Name) error {
	return fleet.Errorf(fleet.NotFound, "there is no tenant %s", name).WithHint("lxdfleet tenant list shows them")
}

// ofOwn lists what is of a tenant (empty: of all), or, for somebody who sees certain tenants
// only, what is of those; one they do not see has nothing.
func ofOwn[T any](caller fleet.Caller, tenant fleet.Name, list func(fleet.Name) ([]T, error), order func(a, b T) int) ([]T, error) {
	if !caller.Bound() {
		return list(tenant)
	}
	var all []T
	for _, own := range caller.Tenants {
		if tenant != "" && tenant != own {
			continue
		}
		found, err := list(own)
		if err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, order)
	return all, nil
}

// seesSubject reports whether a caller may know of a job's or event's subject.
func seesSubject(caller fleet.Caller, subject string) bool {
	if !caller.Bound() {
		return true
	}
	return slices.ContainsFunc(caller.Tenants, func(n fleet.Name) bool { return subject == "tenant/"+n.String() })
}

// subjectsOf gives the subjects of the jobs that a caller sees; nil: all.
func subjectsOf(caller fleet.Caller) []string {
	if !caller.Bound() {
		return nil
	}
	subjects := make([]string, len(caller.Tenants))
	for i, n := range caller.Tenants {
		subjects[i] = "tenant/" + n.String()
	}
	return subjects
}
