package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// PutTenant has a tenant be as the request says.
func (s *Server) PutTenant(ctx context.Context, r PutTenantRequestObject) (PutTenantResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	req := tenants.PutRequest{
		Image: r.Body.Image, Plan: r.Body.Plan, Domains: r.Body.Domains, Labels: r.Body.Labels, DisplayName: r.Body.DisplayName,
		Contact: r.Body.Contact, Policy: r.Body.Policy, TimeZone: r.Body.TimeZone, Window: r.Body.Window, Admin: adminIn(r.Body.Admin),
	}
	if r.Body.Wishes != nil {
		req.Wishes = new(wishesIn(*r.Body.Wishes))
	}
	job, outcome, err := s.Tenants.Put(ctx, name, req)
	if err != nil {
		return nil, err
	}
	state := TenantState{Outcome: TenantStateOutcome(outcome)}
	if job.ID != "" {
		job = s.waited(ctx, job)
		state.Job = new(s.ended(ctx, job))
		if !job.State.Finished() {
			return PutTenant202JSONResponse{Body: state, Headers: PutTenant202ResponseHeaders{Location: "/v1/jobs/" + job.ID}}, nil
		}
		if job.State != fleet.JobDone {
			return nil, &jobError{job}
		}
	}
	return s.tenantState(ctx, name, state)
}

// tenantState shows the tenant, with a link to its first credentials while nobody has seen them.
func (s *Server) tenantState(ctx context.Context, name fleet.Name, state TenantState) (PutTenantResponseObject, error) {
	view, err := s.Tenants.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	state.Tenant = new(s.tenantFor(callerOf(ctx), view))
	state.Url = state.Tenant.Url
	shown, err := s.Tenants.CredentialsUsed(ctx, name)
	if err != nil {
		return nil, err
	}
	if !shown.IsZero() {
		state.Credentials = &CredentialsState{ShownAt: shown}
		return PutTenant200JSONResponse(state), nil
	}
	secret, until, err := s.Tenants.CredentialsLink(ctx, name)
	switch {
	case err == nil:
		state.Credentials = &CredentialsState{Link: s.credentialsLink(secret), ExpiresAt: until}
	case fleet.CodeOf(err) != fleet.NotFound:
		return nil, err
	}
	return PutTenant200JSONResponse(state), nil
}

// jobError is the end of a job that was waited for and did not get done.
type jobError struct{ job fleet.Job }

func (e *jobError) Error() string { return e.Unwrap().Error() }

// Unwrap gives it the job's code and hint.
func (e *jobError) Unwrap() error {
	code := e.job.ErrorCode
	if code == "" {
		code = fleet.Failed
	}
	err := fleet.Errorf(code, "job %s (%s) is %s: %s", e.job.ID, e.job.Kind, e.job.State, e.job.Error)
	if e.job.Hint != "" {
		return err.WithHint("%s", e.job.Hint)
	}
	return err.WithHint("see what it did: lxdfleet job show %s", e.job.ID)
}

// CreateCredentialsLink makes a one-time link to a tenant's first credentials.
func (s *Server) CreateCredentialsLink(ctx context.Context, r CreateCredentialsLinkRequestObject) (CreateCredentialsLinkResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	secret, until, err := s.Tenants.CredentialsLink(ctx, name)
	if err != nil {
		return nil, err
	}
	return CreateCredentialsLink201JSONResponse{Link: s.credentialsLink(secret), ExpiresAt: until}, nil
}

// UseCredentialsLink shows a tenant's first credentials.
func (s *Server) UseCredentialsLink(ctx context.Context, r UseCredentialsLinkRequestObject) (UseCredentialsLinkResponseObject, error) {
	found, err := s.Tenants.UseCredentialsLink(ctx, r.Body.Secret)
	if err != nil {
		return nil, err
	}
	callOf(ctx).subject = "tenant/" + found.Tenant.Name.String()
	return UseCredentialsLink200JSONResponse{Tenant: found.Tenant.Name.String(), Url: s.urlOf(found.Tenant), Text: found.Text}, nil
}

// credentialsLink is the address that a secret is given in: see link.
func (s *Server) credentialsLink(secret string) string { return s.Address + "/credentials#" + secret }

func adminIn(a *Admin) *fleet.Admin {
	if a == nil {
		return nil
	}
	return &fleet.Admin{Email: a.Email, Name: a.Name}
}

func adminOut(a *fleet.Admin) *Admin {
	if a == nil {
		return nil
	}
	return &Admin{Email: a.Email, Name: a.Name}
}
