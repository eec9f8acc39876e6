package tenants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// CreateRequest asks for a new tenant.
type CreateRequest struct {
	Name        string
	DisplayName string
	Contact     string
	Labels      map[string]string
	Image       string // NAME or NAME/VERSION
	Plan        string // empty: the default plan
	// Domains are the hosts it is served at, the first the primary one; none: NAME.BaseDomain.
	Domains []string
	Member  string       // empty: placement chooses
	Wishes  fleet.Wishes // of its member; Pinned: it stays where it is placed
	// Policy, TimeZone and Window as in EditRequest.
	Policy, TimeZone, Window string
	Health                   *fleet.HealthCheck // nil: the image's
	// Admin administers its application first; nil: whom the image makes up.
	Admin *fleet.Admin
}

// Create checks the request and makes the job that creates the tenant. Errors: fleet.Invalid
// and fleet.Taken with the field at fault, fleet.Exhausted and fleet.Unavailable where no
// member can take it, fleet.Busy where another job works on the name.
func (s *Service) Create(ctx context.Context, req CreateRequest, once Once) (fleet.Job, error) {
	name, err := fleet.ParseName(req.Name)
	if err != nil {
		return fleet.Job{}, err
	}
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	t, err := s.draft(ctx, name, req.Domains, req.Plan)
	if err != nil {
		return fleet.Job{}, err
	}
	t.DisplayName, t.Contact, t.Labels = req.DisplayName, req.Contact, req.Labels
	t.Policy, t.TimeZone, t.Window, t.Admin = req.Policy, req.TimeZone, req.Window, req.Admin
	if err := cmp.Or(checkTexts(t), t.Admin.Check(), checkSchedule(t), s.policy(ctx, t.Policy)); err != nil {
		return fleet.Job{}, err
	}
	image, err := s.image(ctx, req.Image)
	if err != nil {
		return fleet.Job{}, err
	}
	t.Image, t.Health = image.Ref(), image.Health
	if req.Health != nil {
		t.Health = *req.Health
	}
	if err := checkHealth(t.Health); err != nil {
		return fleet.Job{}, err
	}
	if t.Wishes, err = tidy(req.Wishes); err != nil {
		return fleet.Job{}, err
	}
	if job, ok := s.active(ctx, name); ok {
		return fleet.Job{}, busy(name, job)
	}
	if err := s.unclaimed(ctx, t); err != nil {
		if job, ok := s.active(ctx, name); ok { // begun just now: it is what has the name and the domains
			err = busy(name, job)
		}
		return fleet.Job{}, err
	}
	if t.Member, err = s.place(ctx, t, image, req.Member); err != nil {
		return fleet.Job{}, err
	}
	t.Desired = fleet.DesiredRunning
	job, err := s.submit(ctx, KindCreate, name, createState{
		Tenant: t, Fingerprint: image.Fingerprint, Hook: slices.Contains(image.Hooks, "personalize"),
	}, once)
	if err != nil {
		s.Observer.survey.release(name.String())
	}
	return job, err
}

// unclaimed checks that neither a tenant nor an instance in LXD has the name or a domain.
func (s *Service) unclaimed(ctx context.Context, t fleet.Tenant) error {
	if err := s.free(ctx, t); err != nil {
		return err
	}
	if inst, ok := s.Observer.instance(t.Name.String()); ok {
		return fleet.Errorf(fleet.Taken, "LXD has an instance named %s already, which is no tenant's", inst.Name).
			WithField("name").WithHint("choose another name, take it in: lxdfleet tenant adopt %s, or delete it: lxc delete %s", t.Name, t.Name)
	}
	return nil
}

// draft makes the part of a tenant that creating and adopting have in common.
func (s *Service) draft(ctx context.Context, name fleet.Name, domains []string, plan string) (fleet.Tenant, error) {
	now := s.opt.Now()
	t := fleet.Tenant{ID: fleet.NewID(now), Name: name, Plan: plan, CreatedAt: now, UpdatedAt: now}
	if t.Plan == "" {
		t.Plan = s.opt.DefaultPlan
	}
	var err error
	if t.Domains, err = s.domains(name, domains); err != nil {
		return fleet.Tenant{}, err
	}
	for _, d := range t.Domains { // none can be proven yet: the proof is bound to the tenant's id
		why, err := s.proofNeeded(ctx, t, d)
		if err != nil {
			return fleet.Tenant{}, err
		}
		if why != "" {
			t.SetDomain(d, fleet.DomainSetting{Pending: true})
		}
	}
	return t, s.plan(ctx, t.Plan)
}

// domains parses the domains asked for, or gives the default one.
func (s *Service) domains(name fleet.Name, asked []string) ([]fleet.Domain, error) {
	if len(asked) == 0 {
		if s.opt.BaseDomain == "" {
			return nil, fleet.Errorf(fleet.Invalid, "the tenant has no domain").WithField("domains").
				WithHint("give at least one, or set base_domain in the configuration")
		}
		asked = []string{name.String() + "." + strings.TrimPrefix(s.opt.BaseDomain, ".")}
	}
	var domains []fleet.Domain
	for _, a := range asked {
		d, err := fleet.ParseDomainPattern(a)
		if err != nil {
			return nil, err
		}
		if len(domains) == 0 && d.Wildcard() {
			return nil, fleet.Errorf(fleet.Invalid, "%q is a wildcard, which cannot be the primary domain", d).WithField("domain").
				WithHint("give a domain without a wildcard first")
		}
		if slices.Contains(domains, d) {
			return nil, fleet.Errorf(fleet.Invalid, "%s is given twice", d).WithField("domain").WithHint("give each domain once")
		}
		domains = append(domains, d)
	}
	return domains, nil
}

// plan checks that the plan exists; LXD is asked anew before it is called unknown.
func (s *Service) plan(ctx context.Context, plan string) error {
	known := s.Observer.survey.knownPlans()
	if !slices.Contains(known, plan) {
		if err := s.Observer.survey.read(ctx); err != nil {
			return err
		}
		known = s.Observer.survey.knownPlans()
	}
	if slices.Contains(known, plan) {
		return nil
	}
	return fleet.Errorf(fleet.Invalid, "there is no plan %q", plan).WithField("plan").
		WithHint("%s", choices("plans", known, "lxdfleet init makes the plans small, medium and large"))
}

// image finds the golden image asked for, in the version asked for or the current one.
func (s *Service) image(ctx context.Context, asked string) (fleet.GoldenImage, error) {
	ref, err := fleet.ParseImageRef(asked)
	if err != nil {
		return fleet.GoldenImage{}, err
	}
	image, err := s.Images.GoldenImage(ctx, ref)
	if err == nil {
		return image, nil
	}
	if fleet.CodeOf(err) != fleet.NotFound {
		return fleet.GoldenImage{}, fmt.Errorf("read image %s: %w", ref, err)
	}
	all, err := s.Images.GoldenImages(ctx)
	if err != nil {
		return fleet.GoldenImage{}, fmt.Errorf("list images: %w", err)
	}
	var names []string
	for _, g := range all {
		if ref.Version == "" && !slices.Contains(names, g.Name) {
			names = append(names, g.Name)
		}
		if ref.Version != "" {
			names = append(names, g.Ref().String())
		}
	}
	return fleet.GoldenImage{}, fleet.Errorf(fleet.Invalid, "there is no image %s", ref).WithField("image").
		WithHint("%s", choices("images", names, "build one first: lxdfleet image build RECIPE"))
}

// free checks that nobody else has the name or a domain; the error says who has.
func (s *Service) free(ctx context.Context, t fleet.Tenant) error {
	other, err := s.Store.Tenant(ctx, t.Name)
	switch {
	case err == nil && other.Desired == fleet.DesiredRemoved:
		return fleet.Errorf(fleet.Taken, "%s is the name of a tenant in the trash", t.Name).WithField("name").
			WithHint("take it back: lxdfleet tenant undelete %s, or delete it for good: lxdfleet tenant delete --now %s", t.Name, t.Name)
	case err == nil:
		return fleet.Errorf(fleet.Taken, "there is a tenant %s already", t.Name).WithField("name").WithHint("choose another name")
	case fleet.CodeOf(err) != fleet.NotFound:
		return fmt.Errorf("look for the name %s: %w", t.Name, err)
	}
	for _, d := range t.Domains {
		other, err := s.Store.TenantByDomain(ctx, d)
		if err == nil {
			return fleet.Errorf(fleet.Taken, "%s belongs to tenant %s", d, other.Name).WithField("domain").
				WithHint("choose another domain, or take it from there first: lxdfleet domain remove %s", d)
		}
		if fleet.CodeOf(err) != fleet.NotFound {
			return fmt.Errorf("look for the domain %s: %w", d, err)
		}
	}
	return nil
}

// checkTexts checks what people wrote: it is printed in terminals and kept in LXD.
func checkTexts(t fleet.Tenant) error {
	for field, text := range map[string]string{"display_name": t.DisplayName, "contact": t.Contact} {
		if !fleet.Printable(text, 200) {
			return fleet.Errorf(fleet.Invalid, "%q is too long or has characters that cannot be printed", text).WithField(field).
				WithHint("use at most 200 printable characters")
		}
	}
	if len(t.Labels) > 64 {
		return fleet.Errorf(fleet.Invalid, "%d labels", len(t.Labels)).WithField("labels").WithHint("use at most 64")
	}
	for key, value := range t.Labels {
		if err := fleet.CheckLabel(key, value); err != nil {
			return err
		}
	}
	return nil
}

// choices lists what there is to choose from, or says how to come by something.
func choices(what string, names []string, none string) string {
	if len(names) == 0 {
		return "there are no " + what + "; " + none
	}
	return what + ": " + strings.Join(names, ", ")
}
