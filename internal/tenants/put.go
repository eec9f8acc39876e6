package tenants

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// PutRequest says what a tenant is to be like. What is nil or empty is as it is, of a new tenant
// as CreateRequest has it.
type PutRequest struct {
	Image       string // NAME or NAME/VERSION
	Plan        string
	Domains     []string          // exactly these, the first the primary one
	Labels      map[string]string // nil: as they are; else exactly these
	DisplayName *string
	Contact     *string
	Policy      *string
	TimeZone    *string
	Window      *string
	Wishes      *fleet.Wishes
	Admin       *fleet.Admin
}

// Outcome says what a Put did.
type Outcome string

const (
	OutcomeCreated   Outcome = "created"   // or is being created
	OutcomeChanged   Outcome = "changed"   // or is being changed
	OutcomeUnchanged Outcome = "unchanged" // it was so already
)

// Put has the tenant be as the request says: it creates one that there is not, and changes what
// differs of one that there is. It may be repeated: while its own job is under way it gives that
// job. job.ID is empty where nothing took long. What cannot be changed afterwards is fleet.Conflict,
// with the field and the way out; whatever is refused is refused before anything is changed, but for
// a domain that somebody else gets at the same moment.
func (s *Service) Put(ctx context.Context, name fleet.Name, req PutRequest) (job fleet.Job, outcome Outcome, err error) {
	if job, ok := s.active(ctx, name); ok && job.Kind == KindCreate && job.State != fleet.JobStuck {
		var making createState
		if err := json.Unmarshal(job.Args, &making); err != nil {
			return fleet.Job{}, "", fmt.Errorf("read job %s: %w", job.ID, err)
		}
		if same, err := s.asAsked(ctx, making.Tenant, req); err != nil {
			return fleet.Job{}, "", err
		} else if !same {
			return fleet.Job{}, "", busy(name, job)
		}
		return job, OutcomeCreated, nil
	}
	t, err := s.Store.Tenant(ctx, name)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		job, err = s.Create(ctx, req.creation(name), Once{})
		return job, OutcomeCreated, err
	case err != nil:
		return fleet.Job{}, "", fmt.Errorf("read tenant %s: %w", name, err)
	}
	return s.converge(ctx, t, req)
}

// creation is the request for a new tenant.
func (r PutRequest) creation(name fleet.Name) CreateRequest {
	c := CreateRequest{Name: name.String(), Image: r.Image, Plan: r.Plan, Domains: r.Domains, Labels: r.Labels, Admin: r.Admin, Window: text(r.Window)}
	c.DisplayName, c.Contact, c.Policy, c.TimeZone = text(r.DisplayName), text(r.Contact), text(r.Policy), text(r.TimeZone)
	if r.Wishes != nil {
		c.Wishes = *r.Wishes
	}
	return c
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// converge changes what differs.
func (s *Service) converge(ctx context.Context, t fleet.Tenant, req PutRequest) (fleet.Job, Outcome, error) {
	if _, err := s.altered(ctx, t.Name); err != nil {
		return fleet.Job{}, "", err
	}
	domains, err := s.convergible(ctx, t, req)
	if err != nil {
		return fleet.Job{}, "", err
	}
	if _, err := s.Edit(ctx, t.Name, req.edit(t)); err != nil {
		return fleet.Job{}, "", err
	}
	if err := s.putDomains(ctx, t, domains); err != nil {
		return fleet.Job{}, "", err
	}
	if job, to, err := s.resizing(ctx, t.Name); err != nil || to != "" && to == req.Plan {
		return job, OutcomeChanged, err // an earlier request for the same
	}
	after, err := s.Store.TenantByID(ctx, t.ID) // anew: such a job may have ended meanwhile
	if err != nil {
		return fleet.Job{}, "", fmt.Errorf("read tenant %s: %w", t.Name, err)
	}
	if req.Plan != "" && req.Plan != after.Plan {
		job, err := s.Resize(ctx, t.Name, req.Plan, Once{})
		return job, OutcomeChanged, err
	}
	if after.Revision != t.Revision {
		return fleet.Job{}, OutcomeChanged, nil
	}
	return fleet.Job{}, OutcomeUnchanged, nil
}

// convergible checks the request against the tenant there is, and gives the domains it is to have;
// nil: those it has.
func (s *Service) convergible(ctx context.Context, t fleet.Tenant, req PutRequest) (domains []fleet.Domain, err error) {
	if err := sameOrigin(t, req); err != nil {
		return nil, err
	}
	if err := s.resizable(ctx, t, req.Plan); err != nil {
		return nil, err
	}
	if req.Domains == nil {
		return nil, nil
	}
	if domains, err = s.domains(t.Name, req.Domains); err != nil {
		return nil, err
	}
	for _, d := range domains {
		other, err := s.Store.TenantByDomain(ctx, d)
		switch {
		case err == nil && other.ID != t.ID:
			return nil, fleet.Errorf(fleet.Taken, "%s belongs to tenant %s", d, other.Name).WithField("domains").
				WithHint("choose another domain, or take it from there first: lxdfleet domain remove %s", d)
		case err != nil && fleet.CodeOf(err) != fleet.NotFound:
			return nil, fmt.Errorf("look for the domain %s: %w", d, err)
		}
	}
	return domains, nil
}

// resizable fails where the tenant cannot get the plan now; empty: it keeps its own.
func (s *Service) resizable(ctx context.Context, t fleet.Tenant, plan string) error {
	resize, to, err := s.resizing(ctx, t.Name)
	switch {
	case err != nil || plan == "":
		return err
	case to != "" && to == plan:
		return nil
	case to != "": // also where it has the plan as yet
		return busy(t.Name, resize)
	case plan == t.Plan:
		return nil
	}
	if err := s.plan(ctx, plan); err != nil {
		return err
	}
	if job, ok := s.active(ctx, t.Name); ok {
		return busy(t.Name, job)
	}
	return s.here(t)
}

// resizing gives the job that is giving the tenant another plan, and which; empty: there is none.
func (s *Service) resizing(ctx context.Context, name fleet.Name) (job fleet.Job, to string, err error) {
	job, ok := s.active(ctx, name)
	if !ok || job.Kind != KindResize || job.State == fleet.JobStuck {
		return fleet.Job{}, "", nil
	}
	var state resizeState
	if err := json.Unmarshal(job.Args, &state); err != nil {
		return fleet.Job{}, "", fmt.Errorf("read job %s: %w", job.ID, err)
	}
	return job, state.To, nil
}

// sameOrigin fails where the request asks for what a tenant cannot become.
func sameOrigin(t fleet.Tenant, req PutRequest) error {
	ref, err := fleet.ParseImageRef(req.Image)
	if err != nil {
		return err
	}
	if ref.Name != t.Image.Name || ref.Version != "" && ref.Version != t.Image.Version {
		return fleet.Errorf(fleet.Conflict, "tenant %s was made from the image %s, and cannot become one of %s", t.Name, cmp.Or(t.Image.String(), "of nobody"), ref).
			WithField("image").WithHint("give image %s, or make another tenant from %s and move the data over", t.Image.Name, ref)
	}
	if req.Admin != nil && (t.Admin == nil || *t.Admin != *req.Admin) {
		was := "the image's own"
		if t.Admin != nil {
			was = t.Admin.Email
		}
		return fleet.Errorf(fleet.Conflict, "the first admin of tenant %s is %s; that cannot be changed from outside", t.Name, was).
			WithField("admin").WithHint("change the account in the application, and leave admin out here")
	}
	return nil
}

// edit is what of the request is only written down.
func (r PutRequest) edit(t fleet.Tenant) EditRequest {
	e := EditRequest{DisplayName: r.DisplayName, Contact: r.Contact, Policy: r.Policy, TimeZone: r.TimeZone, Window: r.Window}
	if r.Labels != nil {
		e.Labels = maps.Clone(r.Labels)
		for key := range t.Labels {
			if _, stays := r.Labels[key]; !stays {
				e.Labels[key] = "" // removes it
			}
		}
	}
	if w := r.Wishes; w != nil {
		e.Wishes = WishesEdit{Require: &w.Require, Prefer: &w.Prefer, Apart: &w.Apart, Together: &w.Together, Pinned: &w.Pinned}
	}
	return e
}

// putDomains has the tenant have these domains and no others.
func (s *Service) putDomains(ctx context.Context, t fleet.Tenant, wanted []fleet.Domain) error {
	if wanted == nil {
		return nil
	}
	for i, d := range wanted {
		if slices.Contains(t.Domains, d) && (i > 0 || t.Primary() == d) {
			continue
		}
		if _, err := s.AddDomain(ctx, t.Name, DomainRequest{Domain: d.String(), Primary: i == 0}); err != nil {
			return err
		}
	}
	gone := slices.DeleteFunc(slices.Clone(t.Domains), func(d fleet.Domain) bool { return slices.Contains(wanted, d) })
	for _, d := range gone {
		if err := s.RemoveDomain(ctx, d.String()); err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return err
		}
	}
	return nil
}

// asAsked reports whether a tenant that is being made is what the request asks for.
func (s *Service) asAsked(ctx context.Context, t fleet.Tenant, req PutRequest) (bool, error) {
	if err := sameOrigin(t, req); err != nil {
		return false, err
	}
	if req.Domains != nil {
		domains, err := s.domains(t.Name, req.Domains)
		if err != nil || !slices.Equal(domains, t.Domains) {
			return false, err
		}
	}
	e := req.edit(t)
	wishes, err := e.Wishes.apply(t.Wishes)
	if err != nil {
		return false, err
	}
	same := func(asked *string, is string) bool { return asked == nil || *asked == is }
	return (req.Plan == "" || req.Plan == t.Plan) && (req.Labels == nil || maps.Equal(req.Labels, t.Labels)) && sameWishes(wishes, t.Wishes) &&
		same(req.DisplayName, t.DisplayName) && same(req.Contact, t.Contact) && same(req.Policy, t.Policy) &&
		same(req.TimeZone, t.TimeZone) && same(req.Window, t.Window), ctx.Err()
}
